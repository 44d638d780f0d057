#!/usr/bin/env python3
"""Compiles changed models of the ONNX suite: each must be compiled or refused in form.

    mutations.py --bin BUILD/bin [--seeds 0:1000] [--jobs N] [--failures DIR]

Each seed is a model of the suite with random damage to its bytes (damage.py) or changes of
its structure (changes.py). Most go through import and normalize, one in four through
the whole compiler, and one in sixteen runs, half of these with changed inputs. What
may come out is in verdict.py. A model that fails is written to --failures. The last
line says how many passed and failed.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import sys
import tempfile
import threading

import onnx

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "tools" / "dougong-conformance")]
from changes import EXTREMES, change  # noqa: E402
from conformance import Worker  # noqa: E402
from damage import damage  # noqa: E402
import suite  # noqa: E402
from verdict import judge  # noqa: E402


def extreme_inputs(source, target, rng):
    """Copies of input files with an extreme integer in one of them."""
    files = suite.numbered(source, "input")
    chosen = rng.randrange(len(files)) if files else 0
    for index, path in enumerate(files):
        data = path.read_bytes()
        if index == chosen:
            tensor = onnx.TensorProto()
            try:
                tensor.ParseFromString(data)
                values = onnx.numpy_helper.to_array(tensor).copy()
            except Exception:  # a sequence, or another kind
                values = None
            if values is not None and values.size and values.dtype.kind in "iu":
                limits = onnx.numpy_helper.np.iinfo(values.dtype)
                value = min(max(rng.choice(EXTREMES), limits.min), limits.max)
                values.reshape(-1)[rng.randrange(values.size)] = value
                data = onnx.numpy_helper.from_array(values, tensor.name).SerializeToString()
        (target / path.name).write_bytes(data)


class Mutant:
    """A changed model, and how far it goes: all that its seed says."""

    def __init__(self, seed, cases):
        rng = random.Random(f"mutation {seed}")
        self.seed = seed
        self.case = rng.choice(cases)
        data = self.case.model.read_bytes()
        make = damage if seed % 3 == 0 else change
        self.data, self.what = make(data, rng)
        self.runs = seed % 16 == 7
        self.compiles = seed % 4 == 3
        self.rng = rng

    def request(self, folder):
        """Writes the mutant's files; gives the fields of the worker's request."""
        model = folder / "model.onnx"
        model.write_bytes(self.data)
        outputs = folder / "outputs"
        outputs.mkdir()
        steps = self.case.steps()[:1] if self.runs else []
        if steps and self.rng.randrange(2):
            inputs = folder / "inputs"
            inputs.mkdir()
            extreme_inputs(steps[0], inputs, self.rng)
            steps = [inputs]
        stop = [] if self.compiles else ["--stop-after=normalize"]
        return [*stop, model, outputs, *steps]


def try_mutant(mutant, worker, scratch, keep):
    """Gives (exit code or None, fault or "")."""
    folder = scratch / f"{mutant.seed}"
    folder.mkdir()
    request = mutant.request(folder)
    answer = worker.ask(request)
    outputs = folder / "outputs"
    log = (outputs / "log").read_text(errors="replace") if (outputs / "log").exists() else ""
    fault = judge(answer, log, folder / "model.onnx")
    left = sorted(path.name for path in outputs.iterdir() if path.name != "log")
    if not fault and answer[1] in ("2", "3", "4") and left:
        fault = f"exit code {answer[1]}, but there is {left[0]}"
    if fault:
        fault += "\n    " + "\n    ".join(log.splitlines()[:4])
        if keep:
            kept = keep / f"{mutant.seed}"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(folder, kept)
    suite.remove(folder)
    return answer, fault


def run(options, seeds, cases):
    local, workers = threading.local(), []
    codes, faults = collections.Counter(), []

    def one(seed):
        if not hasattr(local, "worker"):
            local.worker = Worker(options)
            workers.append(local.worker)
        mutant = Mutant(seed, cases)
        return mutant, *try_mutant(mutant, local.worker, scratch, options.failures)

    with tempfile.TemporaryDirectory(prefix="dougong-mutations-") as folder:
        scratch = pathlib.Path(folder)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for mutant, answer, fault in pool.map(one, seeds):
                codes[" ".join(answer)] += 1
                if fault:
                    faults.append(mutant.seed)
                    text = fault.replace(str(scratch), "")
                    print(f"FAIL seed {mutant.seed} {mutant.case.name}: {mutant.what}\n  {text}",
                          flush=True)
        for worker in workers:
            worker.close()
    return codes, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", default="0:1000", help="FIRST:LAST+1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--failures", type=pathlib.Path, help="folder for what fails")
    parser.add_argument("--timeout", type=int, default=60, help="seconds for a mutant")
    parser.add_argument("--memory", type=int, default=4096, help="MiB for a mutant")
    options = parser.parse_args()
    if not re.fullmatch(r"\d+:\d+", options.seeds):
        parser.error("--seeds: expected FIRST:LAST+1")
    seeds = range(*map(int, options.seeds.split(":")))
    if options.failures:
        options.failures.mkdir(parents=True, exist_ok=True)
    codes, faults = run(options, seeds, suite.all_cases())
    print("how they ended: " + ", ".join(f"{end}: {count}" for end, count in codes.most_common()))
    # A sample in which all are refused, or none, tests little.
    if len(seeds) >= 100 and not (codes["exit 0"] > len(seeds) / 20
                                  and codes["exit 3"] > len(seeds) / 20):
        print("FAIL: next to none was compiled, or next to none refused")
        faults.append("all")
    print(f"{len(seeds) - len(faults)} passed, {len(faults)} failed, 0 skipped")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
