"""Small llamas of any depth, with the operators of an exported one: RMSNormalization, Attention
with a carried cache, and a gated feed-forward part. Weights are random, and different in each layer."""

import numpy as np
import onnx
from onnx import TensorProto, helper


def make_llama(path, layers, hidden=64, heads=4, inner=128, vocabulary=256, external=False):
    """Writes the model to `path`; with `external` its weights go to a file beside it."""
    rng = np.random.default_rng(layers)
    nodes, weights, inputs, outputs = [], [], [], []

    def weight(name, *shape):
        values = rng.standard_normal(shape) / np.sqrt(shape[0]) if len(shape) > 1 else np.ones(shape)
        weights.append(onnx.numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def add(op, operands, name, **attributes):
        results = name if isinstance(name, list) else [name]
        nodes.append(helper.make_node(op, operands, results, name=results[0], **attributes))
        return results[0]

    inputs.append(helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "seq"]))
    x = add("Gather", [weight("embedding", vocabulary, hidden), "ids"], "x")
    cache = ["batch", heads, "past", hidden // heads]
    grown = ["batch", heads, "past + seq", hidden // heads]
    for layer in range(layers):
        at = f"layers.{layer}/"
        for kind in ("key", "value"):
            inputs.append(helper.make_tensor_value_info(f"past.{layer}.{kind}", TensorProto.FLOAT,
                                                        cache))
            outputs.append(helper.make_tensor_value_info(f"present.{layer}.{kind}",
                                                         TensorProto.FLOAT, grown))
        normal = add("RMSNormalization", [x, weight(at + "norm1", hidden)], at + "n1", axis=-1)
        q, k, v = (add("MatMul", [normal, weight(at + f"{part}_proj", hidden, hidden)], at + part)
                   for part in "qkv")
        attention = add("Attention", [q, k, v, "", f"past.{layer}.key", f"past.{layer}.value"],
                        [at + "attention", f"present.{layer}.key", f"present.{layer}.value"],
                        q_num_heads=heads, kv_num_heads=heads, is_causal=1)
        out = add("MatMul", [attention, weight(at + "o_proj", hidden, hidden)], at + "o")
        x = add("Add", [x, out], at + "r1")
        normal = add("RMSNormalization", [x, weight(at + "norm2", hidden)], at + "n2", axis=-1)
        gate = add("MatMul", [normal, weight(at + "gate_proj", hidden, inner)], at + "gate")
        up = add("MatMul", [normal, weight(at + "up_proj", hidden, inner)], at + "up")
        active = add("Mul", [gate, add("Sigmoid", [gate], at + "sigmoid")], at + "silu")
        down = add("MatMul", [add("Mul", [active, up], at + "mul"),
                              weight(at + "down_proj", inner, hidden)], at + "down")
        x = add("Add", [x, down], at + "r2")
    x = add("RMSNormalization", [x, weight("norm", hidden)], "n", axis=-1)
    add("MatMul", [x, weight("head", hidden, vocabulary)], "logits")
    outputs.insert(0, helper.make_tensor_value_info("logits", TensorProto.FLOAT,
                                                    ["batch", "seq", vocabulary]))
    graph = helper.make_graph(nodes, f"llama{layers}", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=11)
    onnx.save(model, str(path), save_as_external_data=external, location="weights.bin",
              size_threshold=0)
