#!/usr/bin/env python3
"""Runs single operators through `dougong run` and compares with ONNX Runtime.

    check_ops.py FAMILY [--dynamic] [--parallel STRATEGY] [--only NUMBER...]

All cases of a family (a function of cases.py or microsoft*.py) are one model with
one node for each case, so that a family costs one compilation. With --dynamic every
dim that a case does not call static is a symbol: equal extents are one symbol.
Extents of 1 are symbols only where a case asks for it.
"""

import argparse
import dataclasses
import pathlib
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

import cases
import images
import microsoft
import microsoft_caches
import microsoft_others
import microsoft_quantized

OPSET = 23


def tensor_type(array):
    return helper.np_dtype_to_tensor_dtype(array.dtype)


class Builder:
    """A model of one node for each case."""

    def __init__(self):
        self.nodes, self.inputs, self.initializers = [], {}, {}
        self.feeds, self.outputs = {}, {}  # arrays of inputs, and the case of each output

    def add_input(self, name, array, shape=None):
        self.inputs[name] = helper.make_tensor_value_info(name, tensor_type(array),
                                                          shape or array.shape)
        self.feeds[name] = array

    def add_initializer(self, name, array):
        self.initializers[name] = numpy_helper.from_array(array, name)

    def add(self, case, prefix, node, renamed=None, dynamic=False):
        """A node of that name; names of its values begin with `prefix`. `renamed`: what it
        takes instead of an input. Returns the names of its outputs."""
        names = []
        for position, array in enumerate(case.inputs):
            if array is None:
                names.append("")
                continue
            name = f"{prefix}i{position}"
            names.append((renamed or {}).get(position, name))
            if position in case.constants:
                self.add_initializer(name, array)
                continue
            self.add_input(name, array, [
                f"{prefix}d{extent}"
                if dynamic and (extent != 1 or case.ones) and extent not in case.static
                else extent for extent in array.shape])
        while names and not names[-1]:
            names.pop()
        results = [f"{prefix}o{i}" if i in case.outputs else ""
                   for i in range(max(case.outputs) + 1)]
        self.nodes.append(helper.make_node(case.op, names, results, name=node, domain=case.domain,
                                           **case.attributes))
        self.outputs |= {result: case for result in results if result}
        return [result for result in results if result]

    def build(self, opset=OPSET):
        infos = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
                 if case.float_outputs else helper.make_empty_tensor_value_info(name)
                 for name, case in self.outputs.items()]
        graph = helper.make_graph(self.nodes, "ops", list(self.inputs.values()), infos,
                                  list(self.initializers.values()))
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets,
                                 ir_version=10 if opset == OPSET else onnx.IR_VERSION)


def build_model(family, dynamic):
    """The model, its inputs by name, and the case of each output."""
    builder = Builder()
    for number, case in enumerate(family):
        builder.add(case, f"c{number}_", f"{case.op}_{number}", dynamic=dynamic)
    return builder.build(), builder.feeds, builder.outputs


def is_narrow(array):
    return array is not None and array.dtype in (np.float16, ml_dtypes.bfloat16)


def widen(array):
    return array.astype(np.float32) if is_narrow(array) else array


def compute_expected(family):
    """Outputs of all cases in order: by the case's own reference, else by ONNX Runtime, in
    float32 where the case says so. The types are those of the case."""
    by_runtime = [dataclasses.replace(case, inputs=[widen(array) for array in case.inputs])
                  if case.widened else case for case in family if not case.expected]
    found = []
    if by_runtime:
        model, feeds, _ = build_model(by_runtime, False)
        found = iter(run_reference(model, feeds))
    arrays = []
    for case in family:
        outputs = case.expected(case) if case.expected else None
        narrow = next((array.dtype for array in case.inputs if is_narrow(array)), None)
        for i in case.outputs:
            array = np.asarray(outputs[i]) if outputs else next(found)
            arrays.append(array.astype(narrow) if narrow and array.dtype == np.float32 else array)
    return arrays


def run_reference(model, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    # (with several, its quantised LSTM rounds the state of each row of a batch by itself)
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, feeds)


def declare_outputs(model, expected, dynamic):
    """Gives the outputs the types that the reference found."""
    for output, array in zip(model.graph.output, expected):
        shape = [f"{output.name}_{dim}" for dim in range(array.ndim)] if dynamic else array.shape
        output.CopyFrom(helper.make_tensor_value_info(output.name, tensor_type(array), shape))


def run_compiled(model, feeds, folder, options=()):
    onnx.save(model, str(folder / "model.onnx"))
    (folder / "in").mkdir()
    for number, value in enumerate(model.graph.input):
        proto = numpy_helper.from_array(feeds[value.name], value.name)
        (folder / "in" / f"input_{number}.pb").write_bytes(proto.SerializeToString())
    result = subprocess.run(["dougong", "run", str(folder / "model.onnx"), "--inputs",
                             str(folder / "in"), "--outputs", str(folder / "out"), *options],
                            capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"dougong run failed: {result.stderr}")
    arrays = []
    for number in range(len(model.graph.output)):
        proto = onnx.TensorProto()
        proto.ParseFromString((folder / "out" / f"output_{number}.pb").read_bytes())
        arrays.append(numpy_helper.to_array(proto))
    return arrays


def differences(case, got, expected):
    """A description of how the two differ, or None."""
    if got.shape != expected.shape:
        return f"shape {got.shape}, expected {expected.shape}"
    if got.dtype != expected.dtype:
        return f"type {got.dtype}, expected {expected.dtype}"
    if expected.dtype.kind in "iub":
        apart = np.abs(got.astype(np.int64) - expected.astype(np.int64)) > case.integer_tolerance
    else:
        apart = ~np.isclose(got.astype(np.float64), expected.astype(np.float64), rtol=case.rtol,
                            atol=case.atol, equal_nan=True)
    if case.loose:
        apart &= ~np.isnan(expected)
    if not apart.any():
        return None
    place = tuple(int(i[0]) for i in np.nonzero(apart)) if apart.ndim else ()
    return f"{apart.sum()} of {apart.size} elements differ; at {place}: got {got[place]}, expected {expected[place]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("family")
    parser.add_argument("--dynamic", action="store_true")
    parser.add_argument("--parallel", metavar="STRATEGY", help="cut the model, e.g. ep=2")
    parser.add_argument("--only", type=int, nargs="+", metavar="NUMBER", help="cases to run alone")
    options = parser.parse_args()
    modules = (cases, images, microsoft, microsoft_caches, microsoft_others, microsoft_quantized)
    family = next(getattr(module, options.family) for module in modules
                  if hasattr(module, options.family))()
    if options.only is not None:
        family = [family[number] for number in options.only]
    if options.dynamic:
        family = [case for case in family if case.dynamic]
    model, feeds, outputs = build_model(family, options.dynamic)
    expected = compute_expected(family)
    declare_outputs(model, expected, options.dynamic)
    with tempfile.TemporaryDirectory() as folder:
        got = run_compiled(model, feeds, pathlib.Path(folder),
                           ["--parallel", options.parallel] if options.parallel else [])
    failures = 0
    for (name, case), actual, wanted in zip(outputs.items(), got, expected):
        if difference := differences(case, actual, wanted):
            failures += 1
            print(f"{case.op} {case.attributes} ({name}): {difference}")
    print(f"{len(outputs) - failures} outputs as expected, {failures} not")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
