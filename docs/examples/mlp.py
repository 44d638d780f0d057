"""Writes mlp.onnx, a small network, and data/ with an input and NumPy's output.

    python docs/examples/mlp.py [FOLDER]
"""

import pathlib
import sys

import numpy
from onnx import TensorProto, helper, numpy_helper

BATCH, WIDTH, HIDDEN, CLASSES = 4, 64, 256, 8


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    random = numpy.random.default_rng(2026)
    draw = lambda *shape: random.standard_normal(shape, dtype=numpy.float32) / 8
    weights = {"up": draw(WIDTH, HIDDEN), "bias": draw(HIDDEN), "down": draw(HIDDEN, CLASSES)}
    nodes = [helper.make_node("MatMul", ["x", "up"], ["hidden"], "up/MatMul"),
             helper.make_node("Add", ["hidden", "bias"], ["shifted"], "up/Add"),
             helper.make_node("Relu", ["shifted"], ["active"], "Relu"),
             helper.make_node("MatMul", ["active", "down"], ["y"], "down/MatMul")]
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "mlp", [value("x", ["batch", WIDTH])],
                              [value("y", ["batch", CLASSES])],
                              [numpy_helper.from_array(array, name)
                               for name, array in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "mlp.onnx").write_bytes(model.SerializeToString())
    x = draw(BATCH, WIDTH)
    active = numpy.maximum(x.astype(numpy.float64) @ weights["up"] + weights["bias"], 0)
    y = (active @ weights["down"]).astype(numpy.float32)
    data = folder / "data"
    data.mkdir(exist_ok=True)
    (data / "input_0.pb").write_bytes(numpy_helper.from_array(x, "x").SerializeToString())
    (data / "output_0.pb").write_bytes(numpy_helper.from_array(y, "y").SerializeToString())


if __name__ == "__main__":
    main()
