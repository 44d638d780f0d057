#!/usr/bin/env python3
"""Writes a model whose attention takes packed tensors as a test case.

    make_packed_case.py FOLDER

A GroupQueryAttention that reads query, key and value (6 heads over 3) from one
product with one matrix, then a MultiHeadAttention of 3 heads with one bias for
all three, one that reads the parts of one product with a bias, and an Attention
with one matrix for all. Batch 2. Expected outputs are those of ONNX Runtime on the whole model.
"""

import json
import pathlib
import sys

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

HEADS, GROUP, SIZE, WIDTH = 3, 2, 32, 20
QUERY, BATCH, SEQUENCE = HEADS * GROUP * SIZE, 2, 5
random = np.random.default_rng(11)


def weight(name, *shape):
    return numpy_helper.from_array(
        (random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32), name)


def make_model():
    packed, inner = QUERY + 2 * HEADS * SIZE, HEADS * SIZE
    weights = [weight("qkv", WIDTH, packed), weight("wo", QUERY, WIDTH),
               weight("wq", WIDTH, inner), weight("wk", WIDTH, inner), weight("wv", WIDTH, inner),
               weight("bias", 3 * inner), weight("out", inner, WIDTH),
               weight("c_attn", WIDTH, 3 * inner), weight("c_bias", 3 * inner),
               weight("c_proj", inner, WIDTH), weight("all", WIDTH, 3 * inner),
               weight("all_bias", 3 * inner), weight("all_proj", inner, WIDTH)]
    node = helper.make_node
    nodes = [
        node("MatMul", ["x", "qkv"], ["packed"], "self/qkv_proj"),
        node("GroupQueryAttention", ["packed", "", "", "past_key", "past_value", "last", "total"],
             ["a", "present_key", "present_value"], "self/attention", domain="com.microsoft",
             num_heads=HEADS * GROUP, kv_num_heads=HEADS),
        node("MatMul", ["a", "wo"], ["o"], "self/o_proj"), node("Add", ["x", "o"], ["r"], "residual"),
        node("MatMul", ["r", "wq"], ["q"], "cross/q_proj"),
        node("MatMul", ["r", "wk"], ["k"], "cross/k_proj"),
        node("MatMul", ["r", "wv"], ["v"], "cross/v_proj"),
        node("MultiHeadAttention", ["q", "k", "v", "bias"], ["b"], "cross/attention",
             domain="com.microsoft", num_heads=HEADS),
        node("MatMul", ["b", "out"], ["s"], "cross/o_proj"),
        node("MatMul", ["s", "c_attn"], ["c"], "split/c_attn"),
        node("Add", ["c", "c_bias"], ["cb"], "split/c_bias"),
        node("Split", ["cb"], ["sq", "sk", "sv"], "split/parts", axis=-1, num_outputs=3),
        node("MultiHeadAttention", ["sq", "sk", "sv"], ["sa"], "split/attention",
             domain="com.microsoft", num_heads=HEADS),
        node("MatMul", ["sa", "c_proj"], ["t"], "split/c_proj"),
        node("Attention", ["t", "all", "all_bias"], ["aa"], "old/attention",
             domain="com.microsoft", num_heads=HEADS, unidirectional=1),
        node("MatMul", ["aa", "all_proj"], ["y"], "old/proj"),
    ]

    def value(name, kind, dims):
        return helper.make_tensor_value_info(name, kind, dims)

    cache = ["batch", HEADS, "past", SIZE]
    present = ["batch", HEADS, "past + seq", SIZE]
    graph = helper.make_graph(
        nodes, "packed",
        [value("x", TensorProto.FLOAT, ["batch", "seq", WIDTH]),
         value("past_key", TensorProto.FLOAT, cache), value("past_value", TensorProto.FLOAT, cache),
         value("last", TensorProto.INT32, ["batch"]), value("total", TensorProto.INT32, [])],
        [value("y", TensorProto.FLOAT, ["batch", "seq", WIDTH]),
         value("present_key", TensorProto.FLOAT, present),
         value("present_value", TensorProto.FLOAT, present)],
        weights)
    return helper.make_model(graph, ir_version=10,
                             opset_imports=[helper.make_opsetid("", 21),
                                            helper.make_opsetid("com.microsoft", 1)])


def main():
    folder = pathlib.Path(sys.argv[1])
    step = folder / "test_data_set_0"
    step.mkdir(parents=True)
    model = make_model()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "case.json").write_text(json.dumps({"rtol": 1e-3, "atol": 1e-4}))
    cache = (BATCH, HEADS, 0, SIZE)
    feeds = {"x": random.standard_normal((BATCH, SEQUENCE, WIDTH)).astype(np.float32),
             "past_key": np.zeros(cache, np.float32), "past_value": np.zeros(cache, np.float32),
             "last": np.full(BATCH, SEQUENCE - 1, np.int32), "total": np.array(SEQUENCE, np.int32)}
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for prefix, values in (("input", feeds), ("output", dict(zip(names, session.run(names, feeds))))):
        for index, (name, array) in enumerate(values.items()):
            (step / f"{prefix}_{index}.pb").write_bytes(
                numpy_helper.from_array(array, name).SerializeToString())


if __name__ == "__main__":
    main()
