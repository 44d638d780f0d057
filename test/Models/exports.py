#!/usr/bin/env python3
"""Exports recorded cases as ONNX, runs the files with onnxruntime, and reads the partition back.

    exports.py --bin BUILD/bin [--sample] [--only CASE:STRATEGY ...]

For each cell: `dougong export --to onnx`; every model passes the checker of ONNX, and the
annotated one that of onnx-ir; docs/examples/run_onnx_export.py gives the recorded outputs
of every step, and of the steps as a chain with the state that the export keeps. For
transformers the annotated model, compiled by its device configuration, has the partition
of the strategy: stages, meshes, shardings of ports and communication. The last line says
how many cells passed, failed and were skipped.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnx_ir
import onnx_ir._multi_device
import onnx_ir.passes.common

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from cases import all_cases  # noqa: E402
from strategies import INAPPLICABLE, find_units  # noqa: E402

SCRIPT = HERE.parents[1] / "docs" / "examples" / "run_onnx_export.py"
STRATEGIES = ["tp=2", "dp=2", "pp=2", "tp=2,pp=2", "cp=2"]
SAMPLE = [("llama-gqa-f32", "tp=2,pp=2"), ("llama-tp-odd-f32", "tp=2"), ("gpt2-f32", "cp=2"),
          ("bert-f32-torch", "dp=2"), ("llama-int4-ms", "tp=2")]
# Why a case cannot be run, whatever the strategy.
SKIPPED = {"llama-gqa-bf16": "onnxruntime has no product of bfloat16 matrices on the CPU"}


class Failure(Exception):
    """Why a cell failed."""


def run(*command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                            timeout=600)
    if result.returncode:
        lines = (result.stderr + result.stdout).strip().splitlines() or ["failed"]
        raise Failure(f"{pathlib.Path(command[0]).name} {command[1]}: {lines[-1][:300]}")
    return result.stdout


class Cell:
    def __init__(self, folder, case, strategy, scratch):
        self.bin, self.case, self.strategy, self.scratch = folder, case, strategy, scratch
        self.export = scratch / "export"
        self.states = [word for output, input_ in case.carried.items()
                       for word in ("--state", f"{input_}={output}")]

    def run(self):
        run(self.bin / "dougong", "export", self.case.model, "--to", "onnx", "--parallel",
            self.strategy, *self.states, "--quiet", "-o", self.export)
        self.check_models()
        self.compare(self.case.steps, self.case.steps)
        if self.case.carried:
            self.compare(self.make_chain(), self.case.steps)
        # A node inside a function stands for one in each call: nothing is said of it.
        functions = onnx.load(self.case.model, load_external_data=False).functions
        if self.case.folder.parent.name == "llm" and not functions:
            self.read_back()

    def check_models(self):
        seen = set()
        for path in sorted(self.export.glob("*/*/*.onnx")):
            if (data := path.read_bytes()) not in seen:
                onnx.checker.check_model(str(path), full_check=True)
            seen.add(data)
        annotated = self.export / "annotated.onnx"
        model = onnx_ir.load(annotated)
        onnx_ir.passes.common.CheckerPass()(model)
        if errors := onnx_ir._multi_device._check_device_configurations(model):
            raise Failure(f"annotated.onnx: {errors[0]}")
        if not any(node.device_configurations for node in model.graph):
            raise Failure("annotated.onnx says nothing of any node")
        self.check_unchanged(onnx.load(annotated, load_external_data=False))

    def check_unchanged(self, annotated):
        """Without its annotations it is the user's model."""
        original = onnx.load(self.case.model, load_external_data=False)
        for node in annotated.graph.node:
            del node.device_configurations[:]
        del annotated.configuration[:]
        annotated.ir_version = original.ir_version
        if annotated != original:
            raise Failure("annotated.onnx differs from the model in more than annotations")

    def make_chain(self):
        """The steps, of which later ones are not given what earlier ones left."""
        chain = []
        for number, step in enumerate(self.case.steps):
            chain.append(shutil.copytree(step, self.scratch / f"chain_{number}"))
            for path in chain[-1].glob("input_*.pb"):
                if number and onnx.load_tensor(path).name in self.case.carried.values():
                    path.unlink()
        return chain

    def compare(self, inputs, expected):
        outputs = self.scratch / "outputs"
        run(sys.executable, SCRIPT, self.export, outputs, *inputs)
        for number, step in enumerate(expected):
            for path in sorted(step.glob("output_*.pb")):
                want = onnx.numpy_helper.to_array(onnx.load_tensor(path))
                got = onnx.numpy_helper.to_array(
                    onnx.load_tensor(outputs / f"step_{number}" / path.name))
                if (want.dtype, want.shape) != (got.dtype, got.shape):
                    raise Failure(f"{step.name}/{path.name}: {got.dtype}{got.shape}, expected "
                                  f"{want.dtype}{want.shape}")
                exact = want.dtype.kind in "biu"
                if not (numpy.array_equal(want, got) if exact else numpy.allclose(
                        got.astype("f8"), want.astype("f8"), self.case.rtol, self.case.atol,
                        equal_nan=True)):
                    raise Failure(f"{step.name}/{path.name} differs from the recorded output")
        shutil.rmtree(outputs)

    def describe(self, name, model, *strategy):
        """What packaging would read of the partition."""
        staged = self.scratch / f"{name}.mlir"
        run(self.bin / "dougong", "compile", model, *strategy, *self.states, "--quiet",
            "--stop-after", "stage", "-o", staged)
        result = json.loads(run(self.bin / "dougong-opt", "--dist-print-result", staged, "-o",
                                self.scratch / "unused.mlir"))
        for program in result["programs"]:
            del program["work"]  # what is made of constants may be made in another stage
        return result

    def read_back(self):
        expected = self.describe("strategy", self.case.model, "--parallel", self.strategy)
        got = self.describe("annotated", self.export / "annotated.onnx", "--configuration",
                            "dougong")
        if got != expected:
            raise Failure("annotated.onnx reads back to another partition")


def applies(case, strategy):
    """Whether there is something to cut: tokens are those of transformers."""
    axis = strategy.split("=")[0]
    if axis == "cp" and case.folder.parent.name != "llm":
        return False
    return not find_units({prefix: True for prefix in INAPPLICABLE.get(axis, {})},
                          case.folder.name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--sample", action="store_true", help="the few cells of `make test`")
    parser.add_argument("--only", nargs="*", default=[], help="CASE, or CASE:STRATEGY")
    options = parser.parse_args()
    by_name = {case.folder.name: case for case in all_cases()}
    cells = SAMPLE if options.sample else [
        (name, strategy) for name, case in by_name.items() for strategy in STRATEGIES
        if applies(case, strategy)]
    if options.only:
        cells = [cell for cell in cells if cell[0] in options.only or ":".join(cell) in options.only]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name, strategy in cells:
        failure = reason = None
        if name not in by_name:
            reason = "the recorded cases are not there"
        elif name in SKIPPED:
            reason = SKIPPED[name]
        else:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    Cell(options.bin.resolve(), by_name[name], strategy, pathlib.Path(folder)).run()
                except Failure as error:
                    failure = str(error)
                except Exception as error:  # a fault of one cell must not end the run
                    failure = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        outcome = "skipped" if reason else "failed" if failure else "passed"
        counts[outcome] += 1
        print(outcome.upper(), name, strategy, failure or reason or "", flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
