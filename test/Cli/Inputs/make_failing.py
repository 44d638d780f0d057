#!/usr/bin/env python3
"""Writes models, each with the folder of its inputs, whose step fails or is exact at
the edge of what integers hold.

    make_failing.py FOLDER
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

I64, I32, F32 = TensorProto.INT64, TensorProto.INT32, TensorProto.FLOAT
TYPES = {np.dtype(np.int64): I64, np.dtype(np.int32): I32, np.dtype(np.float32): F32}


def write(folder, name, nodes, feeds, result, constants=(), dims={}):
    """`dims` has the declared dims of an input where they are not those that it has."""
    inputs = [helper.make_tensor_value_info(key, TYPES[value.dtype], dims.get(key, value.shape))
              for key, value in feeds.items()]
    graph = helper.make_graph(nodes, name, inputs,
                              [helper.make_tensor_value_info("y", result, None)], list(constants))
    place = folder / name
    (place / "in").mkdir(parents=True)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.save(model, place / "model.onnx")
    for index, (key, value) in enumerate(feeds.items()):
        (place / "in" / f"input_{index}.pb").write_bytes(
            numpy_helper.from_array(value, key).SerializeToString())


def scalar(value, dtype=np.int64):
    return np.array(value, dtype)


def main():
    folder = pathlib.Path(sys.argv[1])
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    top = 2**63 - 1

    def node(kind, *inputs, **attributes):
        return helper.make_node(kind, inputs, ["y"], f"the_{kind.lower()}", **attributes)

    write(folder, "range-float", [node("Range", "a", "b", "c")],
          {"a": scalar(0, np.float32), "b": scalar(1e30, np.float32), "c": scalar(1, np.float32)},
          F32)
    write(folder, "range-wide", [node("Range", "a", "b", "c")],
          {"a": scalar(-2**63), "b": scalar(top), "c": scalar(1)}, I64)
    write(folder, "range-edge", [node("Range", "a", "b", "c")],
          {"a": scalar(top - 5), "b": scalar(top), "c": scalar(2)}, I64)
    write(folder, "range-bytes", [node("Range", "a", "b", "c")],
          {"a": scalar(0), "b": scalar(2**62), "c": scalar(1)}, I64)
    write(folder, "pad", [node("Pad", "x", "p")],
          {"x": x, "p": np.array([top, 0, top, 0])}, F32)
    write(folder, "expand", [node("Expand", "x", "s")], {"x": x, "s": np.array([2, 4])}, F32)
    write(folder, "reshape", [node("Reshape", "x", "s")], {"x": x, "s": np.array([-1, -1])}, F32)
    write(folder, "gather", [node("Gather", "x", "i")], {"x": x}, F32,
          [numpy_helper.from_array(np.array([0, 7]), "i")])
    # The second part is the model's output.
    for name, sizes, own in (("split-few", [3], [1]), ("split-many", [1, 1, 1], ["n"]),
                             ("split-none", [], ["n"])):
        write(folder, name, [helper.make_node("Split", ["x", "s"], ["rest", "y"], "the_split")],
              {"x": x[:len(sizes) and 3], "s": np.array(sizes, np.int64)}, F32, dims={"s": own})
    # Operands of attention whose extents are symbols of their own.
    q = np.zeros((4, 3, 8), np.float32)

    def attention(name, operand, value, own):
        inputs = ["q", "q", "q", *[""] * (operand - 3), "m"]
        write(folder, name, [helper.make_node("MultiHeadAttention", inputs, ["y"], "the_attention",
                                              domain="com.microsoft", num_heads=2)],
              {"q": q, "m": value}, F32, dims={"q": ["b", "s", 8], "m": own})

    attention("mask-2", 4, np.ones((1, 3), np.int32), ["mb", "mk"])
    attention("mask-3", 4, np.ones((4, 3, 2), np.int32), ["mb", "mq", "mk"])
    attention("bias", 5, np.zeros((3, 1, 3, 3), np.float32), ["mb", 1, "mq", "mk"])
    attention("bias-one", 5, np.zeros((1, 1, 3, 3), np.float32), ["mb", 1, "mq", "mk"])
    weights = numpy_helper.from_array(np.zeros((8, 24), np.float32), "w")
    zeros = numpy_helper.from_array(np.zeros(24, np.float32), "z")
    write(folder, "packed-mask", [helper.make_node("Attention", ["q", "w", "z", "m"], ["y"],
                                                   "the_attention", domain="com.microsoft",
                                                   num_heads=2)],
          {"q": q, "m": np.ones((2, 3), np.int32)}, F32, [weights, zeros],
          {"q": ["b", "s", 8], "m": ["mb", "mk"]})


main()
