"""Models whose input dims are expressions, and inputs for them:

    make_dims.py FOLDER
"""

import pathlib
import sys

import numpy
import onnx
from onnx import TensorProto, helper

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)


def save(name, inputs):
    """Every input x of dims [d, 4] gives an output x_out = x + x."""
    value = lambda name, dim: helper.make_tensor_value_info(name, TensorProto.FLOAT, [dim, 4])
    graph = helper.make_graph(
        [helper.make_node("Add", [x, x], [f"{x}_out"]) for x in inputs], name,
        [value(x, dim) for x, dim in inputs.items()],
        [value(f"{x}_out", dim) for x, dim in inputs.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10),
              folder / f"{name}.onnx")


save("twice", {"x": "2*n"})
save("cache", {"mask": "past + seq", "past": "past"})
save("sum", {"x": "a + b"})
save("product", {"x": "m*n"})
for rows in (2, 5, 6):
    numpy.save(folder / f"x{rows}.npy", numpy.arange(4 * rows, dtype=numpy.float32).reshape(-1, 4))
