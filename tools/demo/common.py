"""What both parts of the demo share: running commands, tensors as files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
from onnx import numpy_helper

ROOT = Path(__file__).resolve().parents[2]
FLEET = ["--fleet", "lab-2x2", "--parallel", "tp=2,pp=2"]


class DemoError(Exception):
    """Stops the demo with a message and a non-zero exit code."""


def say(text=""):
    print(text, flush=True)


def short(path):
    """`path` as a person would type it: from the working or home folder."""
    path = Path(path).resolve()
    if path.is_relative_to(Path.cwd()) or path.is_relative_to(ROOT.parent):
        return os.path.relpath(path)
    if path.is_relative_to(Path.home()):
        return f"~/{path.relative_to(Path.home())}"
    return str(path)


class Dougong:
    """The dougong tool of a build folder."""

    def __init__(self, build):
        self.tool = Path(build).resolve() / "bin" / "dougong"
        if not self.tool.exists():
            raise DemoError(f"{self.tool} is missing: run make")

    def __call__(self, *words, show=True):
        """Runs a command, shows its output and gives its standard output."""
        words = [str(word) for word in words]
        say("  $ dougong " + " ".join(self._quote(word) for word in words))
        done = subprocess.run([self.tool, *words], capture_output=True, text=True)
        if done.returncode:
            sys.stdout.write(done.stdout)
            sys.stderr.write(done.stderr)
            raise DemoError(f"dougong {words[0]} failed with exit code {done.returncode}")
        if show:
            # Progress lines ("[ 3.1 s] done") and blank lines are left out.
            lines = (done.stdout + done.stderr).splitlines()
            for line in lines:
                if line.strip() and not line.startswith("["):
                    say("    " + line)
        return done.stdout

    @staticmethod
    def _quote(word):
        if "*" in word:
            return f"'{word}'"
        return short(word) if "/" in word and Path(word).is_absolute() else word


def fresh_folder(path):
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def write_tensors(folder, arrays):
    """Writes (name, array) pairs as input_0.pb, input_1.pb, ... in the ONNX test layout."""
    for index, (name, array) in enumerate(arrays):
        tensor = numpy_helper.from_array(array, name)
        (folder / f"input_{index}.pb").write_bytes(tensor.SerializeToString())


def read_tensors(folder, prefix):
    """The tensors prefix_0.pb, prefix_1.pb, ... of a folder, by name."""
    tensors, index = {}, 0
    while (file := Path(folder) / f"{prefix}_{index}.pb").exists():
        tensor = onnx.TensorProto.FromString(file.read_bytes())
        tensors[tensor.name] = numpy_helper.to_array(tensor)
        index += 1
    return tensors
