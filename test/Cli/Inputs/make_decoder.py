#!/usr/bin/env python3
"""Writes small models for the memory proof.

    make_decoder.py FOLDER

static.onnx: x[4, 8] through two products. dynamic.onnx: the same for
x[batch, 8]. wide.onnx: the same with 1 MiB for each weight. decoder.onnx: x[batch, seq, 8] and a cache[batch, past, 8], to which
x is appended and which is summed over.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
random = np.random.default_rng(5)


def weight(name, *shape):
    return numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)


WEIGHTS = [weight("up", 8, 64), weight("down", 64, 8)]
LAYER = [
    helper.make_node("MatMul", ["x", "up"], ["h"], "up"),
    helper.make_node("Softmax", ["h"], ["p"], "soft"),
    helper.make_node("MatMul", ["p", "down"], ["y"], "down"),
]


def value(name, dims):
    return helper.make_tensor_value_info(name, FLOAT, dims)


def save(folder, name, nodes, inputs, outputs, weights):
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, folder / f"{name}.onnx")


folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for name, rows in (("static", 4), ("dynamic", "batch")):
    save(folder, name, LAYER, [value("x", [rows, 8])], [value("y", [rows, 8])], WEIGHTS)
save(folder, "wide", LAYER, [value("x", [4, 256])], [value("y", [4, 256])],
     [weight("up", 256, 1024), weight("down", 1024, 256)])
decoder = LAYER + [
    helper.make_node("Concat", ["cache", "x"], ["cache_out"], "append", axis=1),
    helper.make_node("ReduceSum", ["cache_out", "axes"], ["total"], "total", keepdims=1),
    helper.make_node("Add", ["y", "total"], ["z"], "add"),
]
save(folder, "decoder", decoder,
     [value("x", ["batch", "seq", 8]), value("cache", ["batch", "past", 8])],
     [value("z", ["batch", "seq", 8]), value("cache_out", ["batch", "past + seq", 8])],
     WEIGHTS + [numpy_helper.from_array(np.array([1]), "axes")])
