#!/usr/bin/env python3
"""Writes slow.onnx to a folder: a running sum, a library function, and two products.

    make_slow.py FOLDER
"""

import pathlib
import sys

import onnx
from onnx import TensorProto, helper

nodes = [
    helper.make_node("CumSum", ["x", "axis"], ["sums"], "running"),
    helper.make_node("NonZero", ["sums"], ["places"], "places"),
    helper.make_node("MatMul", ["x", "x"], ["once"], "once"),
    helper.make_node("MatMul", ["once", "x"], ["twice"], "twice"),
]
graph = helper.make_graph(
    nodes, "slow", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [128, 128])],
    [helper.make_tensor_value_info("places", TensorProto.INT64, [2, None]),
     helper.make_tensor_value_info("twice", TensorProto.FLOAT, [128, 128])],
    [helper.make_tensor("axis", TensorProto.INT64, [], [1])])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, pathlib.Path(sys.argv[1]) / "slow.onnx")
