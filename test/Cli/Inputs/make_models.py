"""Writes small models, good and bad, for the tests of the command line.

    make_models.py FOLDER

small.onnx is y = Relu(x @ w + b) with inner values h and s; small-other.onnx
has another b; data/ holds an input and the output that NumPy computes. Each bad
model has one fault, named by its file.
"""

import pathlib
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def save(folder, name, nodes, inputs, outputs, initializers=(), domains=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    opsets = [helper.make_opsetid("", 17)] + [helper.make_opsetid(domain, 1) for domain in domains]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    return model


def external(name, shape, location):
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape,
                         data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def write_small(folder):
    random = numpy.random.default_rng(7)
    w = random.standard_normal((4, 6), dtype=numpy.float32)
    b = random.standard_normal(6, dtype=numpy.float32)
    x = random.standard_normal((2, 4), dtype=numpy.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"], "multiply"),
             helper.make_node("Add", ["h", "b"], ["s"], "shift"),
             helper.make_node("Relu", ["s"], ["y"], "clip")]
    for name, bias in (("small", b), ("small-other", b + numpy.float32(0.5))):
        save(folder, name, nodes, [value("x", [2, 4])], [value("y", [2, 6])],
             [numpy_helper.from_array(w, "w"), numpy_helper.from_array(bias, "b")])
    data = folder / "data"
    data.mkdir()
    y = numpy.maximum(x.astype(numpy.float64) @ w + b, 0).astype(numpy.float32)
    (data / "input_0.pb").write_bytes(numpy_helper.from_array(x, "x").SerializeToString())
    (data / "output_0.pb").write_bytes(numpy_helper.from_array(y, "y").SerializeToString())
    numpy.save(folder / "good.npy", x)
    numpy.save(folder / "wrong-type.npy", x.astype(numpy.int64))
    numpy.save(folder / "wrong-shape.npy", x[:, :3].copy())
    numpy.save(folder / "cut-off.npy", x)
    cut = (folder / "cut-off.npy").read_bytes()
    (folder / "cut-off.npy").write_bytes(cut[:-5])


def write_outputs(folder):
    """One operator; an output listed twice; one value under two names; many weights."""
    x, y, z = value("x", [2]), value("y", [2]), value("z", [2])
    relu = helper.make_node("Relu", ["x"], ["y"], "clip")
    save(folder, "single", [relu], [x], [y])
    save(folder, "many-rows", [relu], [value("x", [1025, 2])], [value("y", [1025, 2])])
    save(folder, "output-twice", [relu], [x], [y, y])
    save(folder, "same-value", [relu, helper.make_node("Identity", ["y"], ["z"], "again")], [x], [y, z])
    data = folder / "same-value"
    data.mkdir()
    given = numpy.array([-1, 2], numpy.float32)
    for name, array in (("input_0", given), ("output_0", given.clip(0)), ("output_1", given.clip(0))):
        (data / f"{name}.pb").write_bytes(numpy_helper.from_array(array).SerializeToString())
    weights = numpy.random.default_rng(3).standard_normal((4096, 8192), dtype=numpy.float32)
    save(folder, "large", [helper.make_node("MatMul", ["x", "w"], ["y"], "multiply")],
         [value("x", [1, 4096])], [value("y", [1, 8192])], [numpy_helper.from_array(weights, "w")])


def write_bad(folder):
    x, y = value("x", [4, 4]), value("y", [4, 4])
    relu = helper.make_node("Relu", ["x"], ["y"], "clip")
    save(folder, "cyclic", [helper.make_node("Add", ["x", "b"], ["a"], "first"),
                            helper.make_node("Relu", ["a"], ["b"], "second"),
                            helper.make_node("Relu", ["b"], ["y"], "third")], [x], [y])
    add = helper.make_node("MatMul", ["x", "w"], ["y"], "multiply")
    save(folder, "no-weights", [add], [x], [y], [external("w", [4, 4], "weights.bin")])
    save(folder, "outside", [add], [x], [y], [external("w", [4, 4], "../weights.bin")])
    huge = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**40, 2**40])
    save(folder, "overflow", [add], [x], [y], [huge])
    save(folder, "negative-dim", [add], [x], [y],
         [TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[-4, 4])])
    save(folder, "unknown-op", [helper.make_node("Frobnicate", ["x"], ["y"], "odd")], [x], [y])
    save(folder, "foreign-op",
         [helper.make_node("Frobnicate", ["x"], ["y"], "odd", domain="com.example")], [x], [y])
    save(folder, "no-value", [helper.make_node("Relu", ["nothing"], ["y"], "clip")], [x], [y])
    save(folder, "twice", [relu, helper.make_node("Relu", ["x"], ["y"], "again")], [x], [y])
    save(folder, "mismatch", [helper.make_node("MatMul", ["x", "x"], ["y"], "multiply")],
         [value("x", [4, 3])], [y])
    save(folder, "no-activation",
         [helper.make_node("FusedGemm", ["x", "x"], ["y"], "fused", domain="com.microsoft",
                           activation="Nonsense", transB=1)], [x], [y], domains=["com.microsoft"])
    save(folder, "least-axis", [helper.make_node("CumSum", ["x", "axis"], ["y"], "sums")], [x], [y],
         [numpy_helper.from_array(numpy.array(-2**63), "axis")])
    whole = (folder / "small.onnx").read_bytes()
    (folder / "truncated.onnx").write_bytes(whole[:len(whole) // 2])
    (folder / "text.onnx").write_text("no model at all\n")
    (folder / "empty.onnx").write_bytes(b"")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write_small(folder)
    write_outputs(folder)
    write_bad(folder)


if __name__ == "__main__":
    main()
