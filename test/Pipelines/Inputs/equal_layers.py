"""Writes a model of four equal layers (MatMul, Relu) with different weights, an
input, and what numpy says the output is: equal_layers.py FOLDER."""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

folder = pathlib.Path(sys.argv[1])
random = np.random.default_rng(7)
x = random.standard_normal((3, 64), dtype=np.float32)
value, nodes, weights, y = "x", [], [], x
for layer in range(4):
    weight = random.standard_normal((64, 64), dtype=np.float32) / 8
    weights.append(numpy_helper.from_array(weight, f"w{layer}"))
    nodes.append(helper.make_node("MatMul", [value, f"w{layer}"], [f"h{layer}"], f"up{layer}"))
    value = f"y{layer}" if layer < 3 else "y"
    nodes.append(helper.make_node("Relu", [f"h{layer}"], [value], f"relu{layer}"))
    y = np.maximum(y.astype(np.float64) @ weight, 0).astype(np.float32)
graph = helper.make_graph(
    nodes, "layers", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 64])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 64])], weights)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10),
          folder / "model.onnx")
(folder / "data").mkdir()
onnx.save_tensor(numpy_helper.from_array(x, "x"), folder / "data" / "input_0.pb")
onnx.save_tensor(numpy_helper.from_array(y, "y"), folder / "data" / "output_0.pb")
