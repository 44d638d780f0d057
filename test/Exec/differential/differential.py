#!/usr/bin/env python3
"""Compiles and runs random graphs, and compares with ONNX Runtime.

    differential.py --bin BUILD/bin [--seeds 0:200] [--seconds 300] [--failures DIR]

Each seed is a graph (graphs.py, operators.py) with inputs for one to three steps. It
runs in a way that the seed chooses: on one rank, under a strategy on thread ranks, with
random values cut along random dims (strategies.py), or with its IR written after a phase
and read back. What fails is tried on one rank too,
to tell whose fault it is. A failure is made
small (reduction.py) and written to --failures: the model, its inputs and expected
outputs in the layout of the ONNX suite. The last line says how many passed, failed
and were skipped, because ONNX Runtime has no answer or numbers grow too large.
"""

import argparse
import collections
import pathlib
import re
import shutil
import sys
import tempfile
import time

import onnx
from onnx import numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "tools" / "dougong-conformance")]
from comparison import Scale, difference  # noqa: E402
from conformance import Worker  # noqa: E402
from graphs import Graph  # noqa: E402
import operators  # noqa: E402
from reduction import Reduction  # noqa: E402
from reference import NoReference, all_values, run_reference  # noqa: E402
from strategies import run_sharded  # noqa: E402

NEWEST_OPSET = 25
SHARDED = "random shards"  # with a seed behind it
WAYS = ["", "", "", "--parallel=tp=2", "--parallel=tp=3", "--parallel=dp=2", "--parallel=pp=2",
        *[SHARDED] * 4, *(f"--through={phase}" for phase in
          ("import", "normalize", "plan", "shard", "stage", "lower"))]

# What is refused by design, with a message that says what to do.
DESIGNED = {
    "too few nodes for the stages": r"cannot be cut into \d+ stages",
    "too narrow for the mesh": r"the widest dim that its products can be cut along has",
    "places or a rank that only data tell":
        r"'onnx\.(Slice|Pad|GatherND)' op .* is not known at compile time",
    # Symbols that meet in a broadcast are taken to be equal.
    "an extent of 1 in a broadcast":
        r"dim \d+: expected (1 \(\w+\), got \d+|\d+ \(\w+\), got 1)$",
}


def write_inputs(folder, model, feed):
    folder.mkdir(parents=True)
    for index, info in enumerate(model.graph.input):
        tensor = numpy_helper.from_array(feed[info.name], info.name)
        (folder / f"input_{index}.pb").write_bytes(tensor.SerializeToString())


def run_compiled(worker, model, feeds, values, way, folder):
    """Gives "" or what is wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    outputs = folder / "outputs"
    outputs.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    steps = []
    for number, feed in enumerate(feeds):
        steps.append(folder / f"step_{number}")
        write_inputs(steps[-1], model, feed)
    if way.startswith(SHARDED):
        reason = run_sharded(worker, way, model, steps, folder, outputs)
    else:
        reason = worker.run(folder / "model.onnx", steps, outputs, [way] if way else [])
    if reason:
        return reason
    for number, expected in enumerate(values):
        scale = Scale(expected.values())
        for index, info in enumerate(model.graph.output):
            tensor = onnx.TensorProto()
            path = outputs / f"step_{number}" / f"output_{index}.pb"
            tensor.ParseFromString(path.read_bytes())
            wrong = difference(numpy_helper.to_array(tensor), expected[info.name], scale)
            if wrong:
                return f"wrong values: {info.name} in step {number}: {wrong}"
    return ""


def generalize(reason):
    """What failures of one cause have in common."""
    if reason.startswith("wrong values"):
        return "wrong " + ("shape" if ": shape" in reason else "type" if ": type" in reason
                           else "values")
    reason = re.sub(r"^error: \S*model\S*: ", "error: ", reason)
    reason = re.sub(r"_?[vwxd]\d[\d_]*", "", reason)
    return re.sub(r"-?\d+(\.\d+)?", "N", reason)


class Failure:
    """A reduced failure."""

    def __init__(self, seed, way, reason, model):
        self.seed, self.way, self.reason = seed, way, reason
        self.operators = [node.op_type for node in model.graph.node if node.op_type != "Constant"]

    def key(self):
        return re.sub(" \\d+$", "", self.way), generalize(self.reason), tuple(self.operators)


class Run:
    def __init__(self, options, scratch):
        self.options, self.scratch = options, scratch
        self.worker = Worker(options)
        self.passed = self.failed = self.skipped = 0
        self.excused = collections.Counter()
        self.failures = collections.defaultdict(list)

    def add(self, seed):
        graph = Graph(seed, NEWEST_OPSET)
        operators.build(graph, graph.integer(3, self.options.nodes))
        model, feeds = graph.model(), graph.feeds
        way = graph.choose(WAYS)
        if way == SHARDED:
            way += f" {seed}"
        try:
            values = run_reference(all_values(model), feeds)
        except NoReference:
            self.skipped += 1
            return
        if not model.graph.output or not all(Scale(step.values()).tame for step in values):
            self.skipped += 1
            return
        if self.options.whole:
            way = ""
        reason = run_compiled(self.worker, model, feeds, values, way, self.scratch)
        if reason and way:
            whole = run_compiled(self.worker, model, feeds, values, "", self.scratch)
            way, reason = ("", whole) if whole else (way, reason)
        design = next((name for name, form in DESIGNED.items() if re.search(form, reason)), "")
        if design:
            self.skipped += 1
            self.excused[design] += 1
        elif not reason:
            self.passed += 1
        else:
            self.failed += 1
            self.report(seed, way, reason, model, feeds, values)

    def report(self, seed, way, reason, model, feeds, values):
        kind = generalize(reason)
        reasons = {}

        def fails(*candidate):
            found = run_compiled(self.worker, *candidate, way, self.scratch)
            reasons[id(candidate[0])] = found
            return generalize(found) == kind

        reduction = Reduction(fails)
        if self.options.failures:
            model, feeds, values = reduction.run(model, feeds, values)
        failure = Failure(seed, way, reasons.get(id(model), reason), model)
        first = failure.key() not in self.failures
        self.failures[failure.key()].append(failure)
        print(f"FAIL seed {seed} {way or 'on one rank'} {failure.operators}: {failure.reason}",
              flush=True)
        if first and self.options.failures:
            self.write(failure, model, feeds, values)

    def write(self, failure, model, feeds, values):
        folder = self.options.failures / f"seed_{failure.seed}"
        shutil.rmtree(folder, ignore_errors=True)
        for number, (feed, expected) in enumerate(zip(feeds, values)):
            write_inputs(folder / f"test_data_set_{number}", model, feed)
            for index, info in enumerate(model.graph.output):
                tensor = numpy_helper.from_array(expected[info.name], info.name)
                (folder / f"test_data_set_{number}" / f"output_{index}.pb").write_bytes(
                    tensor.SerializeToString())
        onnx.save(model, folder / "model.onnx")
        if (self.scratch / "strategy.yaml").exists():
            shutil.copy(self.scratch / "strategy.yaml", folder)
        (folder / "failure.txt").write_text(f"{failure.way}\n{failure.reason}\n\n"
                                            f"{onnx.printer.to_text(model)}\n")


def seeds(text):
    first, _, last = text.partition(":")
    return range(int(first), int(last)) if last else range(int(first), int(first) + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=seeds, default=range(200), help="FIRST:LAST, or one")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no seed after so many")
    parser.add_argument("--failures", type=pathlib.Path,
                        help="folder for failing models, made small")
    parser.add_argument("--nodes", type=int, default=12, help="most nodes of a graph, at least 3")
    parser.add_argument("--whole", action="store_true", help="only on one rank")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for a model")
    parser.add_argument("--memory", type=int, default=4096, help="MiB for a model")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory(prefix="dougong-differential-") as folder:
        run = Run(options, pathlib.Path(folder) / "case")
        for seed in options.seeds:
            if time.monotonic() > end:
                break
            run.add(seed)
        run.worker.close()
    if len(run.failures) > 1:
        for (way, kind, names), group in sorted(run.failures.items(), key=lambda item: -len(item[1])):
            print(f"{len(group):5} {way or 'on one rank'}: {' '.join(names)}: {kind}")
    for design, count in run.excused.items():
        print(f"{count:5} refused by design: {design}")
    print(f"{run.passed} passed, {run.failed} failed, {run.skipped} skipped")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
