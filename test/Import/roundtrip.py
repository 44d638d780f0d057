#!/usr/bin/env python3
"""Takes models to the onnx dialect and back, and runs what comes out.

    roundtrip.py --translate dougong-translate CASE... [--suite NAME...]

Each CASE is a folder in the ONNX backend-test layout. The model that was
imported and exported again is run by onnxruntime, or where that cannot by the
reference evaluator, on the stored inputs; its outputs must equal the stored
ones within the tolerance of case.json (default rtol 1e-3, atol 1e-7). Where
neither runs even the original model, the case is skipped.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnx.numpy_helper
import onnx.reference
import onnxruntime


def read_value(path, type_proto):
    data = path.read_bytes()
    kind = type_proto.WhichOneof("value")
    if kind == "sequence_type":
        return onnx.numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if kind == "optional_type":
        return onnx.numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(data))


def run_onnxruntime(path, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def run_reference(path, inputs):
    return onnx.reference.ReferenceEvaluator(str(path)).run(None, inputs)


def equal(got, expected, rtol, atol):
    if isinstance(expected, list):
        return len(got) == len(expected) and all(
            equal(g, e, rtol, atol) for g, e in zip(got, expected))
    if got is None or expected is None:
        return got is expected
    got, expected = numpy.asarray(got), numpy.asarray(expected)
    if got.shape != expected.shape or (got.dtype != expected.dtype and expected.dtype.kind in "biuf"):
        return False
    if expected.dtype.kind in "OUS":
        return got.astype(str).tolist() == expected.astype(str).tolist()
    if expected.dtype.kind == "c":
        return numpy.allclose(got, expected, rtol, atol, equal_nan=True)
    return numpy.allclose(got.astype(numpy.float64), expected.astype(numpy.float64), rtol, atol,
                          equal_nan=True)


def check(case, translate, folder):
    """Returns "ok", "skipped: ..." or "failed: ..."."""
    model = onnx.load(case / "model.onnx", load_external_data=False)
    tolerance = {}
    if (case / "case.json").exists():
        tolerance = json.loads((case / "case.json").read_text())
    rtol, atol = tolerance.get("rtol", 1e-3), tolerance.get("atol", 1e-7)

    ir, back = folder / "model.mlir", folder / "back.onnx"
    for command in ([translate, "--onnx-to-mlir", "--mlir-print-debuginfo",
                     str(case / "model.onnx"), "-o", str(ir)],
                    [translate, "--mlir-to-onnx", str(ir), "-o", str(back)]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            return "failed: " + done.stderr.strip().splitlines()[0][:300]
    again = onnx.load(back)
    try:
        onnx.checker.check_model(again)
    except onnx.checker.ValidationError as error:
        return "failed: checker: " + str(error).splitlines()[0][:300]
    if [o.name for o in again.graph.output] != [o.name for o in model.graph.output]:
        return "failed: outputs have other names"

    initializers = {t.name for t in model.graph.initializer}
    infos = [i for i in model.graph.input if i.name not in initializers]
    sets = sorted(case.glob("test_data_set_*"))
    for data in sets:
        try:
            inputs = {info.name: read_value(data / f"input_{index}.pb", info.type)
                      for index, info in enumerate(infos)}
            expected = [read_value(data / f"output_{index}.pb", info.type)
                        for index, info in enumerate(model.graph.output)]
        except FileNotFoundError:
            return "skipped: no data for every input"
        errors = []
        for run in (run_onnxruntime, run_reference):
            try:
                original = run(case / "model.onnx", inputs)
            except Exception as error:  # neither library promises to run everything
                errors.append(f"{run.__name__}: {str(error).splitlines()[0][:120] if str(error) else type(error).__name__}")
                continue
            if not equal(list(original), expected, rtol, atol):
                errors.append(f"{run.__name__}: the original gives other values")
                continue
            try:
                got = run(back, inputs)
            except Exception as error:
                errors.append(f"{run.__name__}: exported: {str(error).splitlines()[0][:200]}")
                continue
            if not equal(list(got), expected, rtol, atol):
                return f"failed: {data.name}: values differ in {run.__name__}"
            break
        else:
            kind = "failed" if any("exported" in e for e in errors) else "skipped"
            return f"{kind}: " + "; ".join(errors)
    return "ok" if sets else "skipped: no data"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--translate", default="dougong-translate")
    parser.add_argument("--suite", nargs="*", default=[], help="names of node cases of the ONNX suite")
    parser.add_argument("cases", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    suite = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data" / "node"
    options.cases += [suite / name for name in options.suite]
    counts = {}
    for case in options.cases:
        with tempfile.TemporaryDirectory() as folder:
            result = check(case, options.translate, pathlib.Path(folder))
        verdict = result.split(":")[0]
        counts[verdict] = counts.get(verdict, 0) + 1
        if verdict != "ok":
            print(f"{case.name}: {result}")
    print(", ".join(f"{counts.get(v, 0)} {v}" for v in ("ok", "skipped", "failed")))
    return 1 if counts.get("failed") else 0


if __name__ == "__main__":
    sys.exit(main())
