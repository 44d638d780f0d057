#!/usr/bin/env python3
"""Writes a small transformer block as a test case: nothing in it divides evenly.

    make_case.py FOLDER

3 key-value heads, 6 query heads, width 34, inner width 7, vocabulary 71, batch 3: an embedding,
attention with a cache, a gated feed-forward layer and a head. Expected outputs
are those of ONNX Runtime on the whole model.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

HEADS, GROUP, SIZE, WIDTH, INNER, VOCABULARY = 3, 2, 4, 34, 7, 71
QUERY = HEADS * GROUP * SIZE
random = np.random.default_rng(7)


def weight(name, *shape):
    return numpy_helper.from_array(
        (random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32), name)


def make_model():
    weights = [
        weight("table", VOCABULARY, WIDTH), weight("norm", WIDTH),
        weight("wq", WIDTH, QUERY), weight("bq", QUERY), weight("wk", WIDTH, HEADS * SIZE),
        weight("wv", WIDTH, HEADS * SIZE), weight("wo", QUERY, WIDTH), weight("bo", WIDTH),
        weight("gate", WIDTH, INNER), weight("up", WIDTH, INNER), weight("down", INNER, WIDTH),
        weight("head", WIDTH, VOCABULARY),
    ]
    node = helper.make_node
    nodes = [
        node("Gather", ["table", "ids"], ["x"], "embed"),
        node("RMSNormalization", ["x", "norm"], ["n"], "norm"),
        node("MatMul", ["n", "wq"], ["q0"], "attn/q_proj"), node("Add", ["q0", "bq"], ["q"], "attn/q_bias"),
        node("MatMul", ["n", "wk"], ["k"], "attn/k_proj"), node("MatMul", ["n", "wv"], ["v"], "attn/v_proj"),
        node("Attention", ["q", "k", "v", "", "past_key", "past_value"],
             ["a", "present_key", "present_value"], "attn/attention", is_causal=1,
             q_num_heads=HEADS * GROUP, kv_num_heads=HEADS),
        node("MatMul", ["a", "wo"], ["o0"], "attn/o_proj"), node("Add", ["o0", "bo"], ["o"], "attn/o_bias"),
        node("Add", ["x", "o"], ["r"], "residual"),
        node("MatMul", ["r", "gate"], ["g0"], "mlp/gate"), node("Sigmoid", ["g0"], ["g"], "mlp/act"),
        node("MatMul", ["r", "up"], ["u"], "mlp/up"), node("Mul", ["g", "u"], ["m"], "mlp/mul"),
        node("MatMul", ["m", "down"], ["d"], "mlp/down"), node("Add", ["r", "d"], ["y"], "residual2"),
        node("MatMul", ["y", "head"], ["logits"], "head"),
    ]

    def value(name, kind, dims):
        return helper.make_tensor_value_info(name, kind, dims)

    past = ["batch", HEADS, "past", SIZE]
    present = ["batch", HEADS, "past + seq", SIZE]
    graph = helper.make_graph(
        nodes, "block",
        [value("ids", TensorProto.INT64, ["batch", "seq"]),
         value("past_key", TensorProto.FLOAT, past), value("past_value", TensorProto.FLOAT, past)],
        [value("logits", TensorProto.FLOAT, ["batch", "seq", VOCABULARY]),
         value("present_key", TensorProto.FLOAT, present),
         value("present_value", TensorProto.FLOAT, present)],
        weights)
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 23)])


def main():
    folder = pathlib.Path(sys.argv[1])
    data = folder / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    model = make_model()
    onnx.save(model, folder / "model.onnx")
    batch, seq, past = 3, 5, 2
    inputs = {
        # Negative indices count from the end of the table.
        "ids": random.integers(-VOCABULARY, VOCABULARY, (batch, seq)),
        "past_key": random.standard_normal((batch, HEADS, past, SIZE)).astype(np.float32),
        "past_value": random.standard_normal((batch, HEADS, past, SIZE)).astype(np.float32),
    }
    outputs = ort.InferenceSession(model.SerializeToString(),
                                   providers=["CPUExecutionProvider"]).run(None, inputs)
    names = [o.name for o in model.graph.output]
    for prefix, tensors in (("input", inputs), ("output", dict(zip(names, outputs)))):
        for index, (name, array) in enumerate(tensors.items()):
            (data / f"{prefix}_{index}.pb").write_bytes(
                numpy_helper.from_array(array, name).SerializeToString())
    (folder / "case.json").write_text(json.dumps({"rtol": 1e-4, "atol": 1e-5}))


if __name__ == "__main__":
    main()
