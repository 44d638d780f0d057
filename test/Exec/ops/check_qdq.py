#!/usr/bin/env python3
"""Runs QDQ graphs through `dougong run` and compares with their definition in float64, and
with ONNX Runtime with and without its fusions.

    check_qdq.py FAMILY [--only NAME...] [--parallel STRATEGY]

All graphs of a family (a function of qdq.py) are one model. Quantised outputs are
within one step of the definition, and equal but for a hundredth of their elements
(ties); what is moved is equal. The operators of integers that graphs must come to
are counted in what `normalize` makes of the model.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

import qdq
import qdq_reference
from check_ops import OPSET, run_compiled, tensor_type

# What each product becomes, by `Graph.fused`.
FUSED = {"": {"MatMul": "MatMul", "Gemm": "Gemm", "Conv": "Conv"},
         "integer": {"MatMul": "MatMulInteger", "Gemm": "MatMulInteger", "Conv": "ConvInteger"},
         "packed": {"MatMul": "ms.MatMulNBits", "Gemm": "ms.MatMulNBits"}}
Level = onnxruntime.GraphOptimizationLevel


def build_model(graphs, expected=None):
    nodes, inputs, initializers, outputs, feeds = [], [], [], [], {}
    for graph in graphs:
        for number, (op, names, results, attributes) in enumerate(graph.nodes):
            nodes.append(helper.make_node(op, names, results, name=f"{graph.name}/{op}_{number}",
                                          **attributes))
        for name, array in graph.inputs.items():
            shape = [graph.symbols[name].get(dim, extent) for dim, extent in enumerate(array.shape)]
            shape = [f"{graph.name}_{dim}" if isinstance(dim, str) else dim for dim in shape]
            inputs.append(helper.make_tensor_value_info(name, tensor_type(array), shape))
            feeds[name] = array
        initializers += [numpy_helper.from_array(array, name)
                         for name, array in graph.constants.items()]
        for name in graph.outputs:
            if expected is None:
                outputs.append(helper.make_empty_tensor_value_info(name))
                continue
            array = expected[name]
            isDynamic = any(graph.symbols.values())
            shape = [f"{name}_{dim}" for dim in range(array.ndim)] if isDynamic else array.shape
            kind = onnx.TensorProto.FLOAT if array.dtype.kind == "f" else tensor_type(array)
            outputs.append(helper.make_tensor_value_info(name, kind, shape))
    made = helper.make_graph(nodes, "qdq", inputs, outputs, initializers)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    return model, feeds


def run_onnxruntime(graphs, level):
    model, feeds = build_model(graphs)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds)))


def difference(graph, got, wanted):
    """How the two differ, or None."""
    if got.shape != wanted.shape or (wanted.dtype.kind != "f" and got.dtype != wanted.dtype):
        return f"{got.dtype} {got.shape}, expected {wanted.dtype} {wanted.shape}"
    if wanted.dtype.kind == "f":
        apart = np.abs(got.astype(np.float64) - wanted)
        bound = graph.tolerance * max(1, np.abs(wanted).max(initial=0))
        return f"{apart.max()} apart, allowed {bound}" if (apart > bound).any() else None
    steps = np.abs(got.astype(np.int64) - wanted.astype(np.int64))
    off = int((steps > 0).sum())
    allowed = 0 if graph.name.startswith("move_") and "other" not in graph.name else max(
        1, steps.size // 100)
    if steps.max(initial=0) > 1 or off > allowed:
        return f"{off} of {steps.size} elements off by up to {steps.max()}, allowed {allowed} by 1"
    return None


def check_fusion(graphs, model, folder):
    """Messages about operators that are not those of `Graph.fused`."""
    onnx.save(model, str(folder / "fused.onnx"))
    subprocess.run(["dougong", "compile", folder / "fused.onnx", "--stop-after=normalize", "--quiet",
                    "-o", folder / "fused.mlir"], check=True)
    text = (folder / "fused.mlir").read_text()
    wanted = collections.Counter()
    for graph in graphs:
        for op, *_ in graph.nodes:
            if op in FUSED[""]:
                wanted[FUSED[graph.fused][op]] += 1
    for op in sorted({name for names in FUSED.values() for name in names.values()}):
        found = len(re.findall(rf"= onnx\.{re.escape(op)}\(", text))
        if found != wanted[op]:
            yield f"{found} operators {op} after normalize, expected {wanted[op]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("family")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="graphs to run alone")
    parser.add_argument("--parallel", help="as `dougong run` takes it")
    options = parser.parse_args()
    graphs = [graph for graph in getattr(qdq, options.family)()
              if not options.only or graph.name in options.only]
    expected = {}
    for graph in graphs:
        values = qdq_reference.evaluate(graph.nodes, graph.inputs | graph.constants)
        expected |= {name: np.asarray(values[name]) for name in graph.outputs}
    model, feeds = build_model(graphs, expected)
    messages = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        got = dict(zip(expected, run_compiled(
            model, feeds, folder, [f"--parallel={options.parallel}"] if options.parallel else [])))
        messages += check_fusion(graphs, model, folder)
    fusable = [graph for graph in graphs if graph.runtime]
    oracles = {"the definition": expected,
               "onnxruntime": run_onnxruntime(graphs, Level.ORT_DISABLE_ALL),
               "onnxruntime with fusions": run_onnxruntime(fusable, Level.ORT_ENABLE_ALL)
               if fusable else {}}
    checked = 0
    for graph in graphs:
        for name in graph.outputs:
            for oracle, values in oracles.items():
                if name not in values:
                    continue
                checked += 1
                if message := difference(graph, got[name], values[name]):
                    messages.append(f"{graph.name}: {message} by {oracle}")
    for message in messages:
        print(message)
    print(f"{len(graphs)} graphs, {checked} comparisons, {len(messages)} faults")
    return bool(messages)


if __name__ == "__main__":
    sys.exit(main())
