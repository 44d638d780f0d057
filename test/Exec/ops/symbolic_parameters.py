#!/usr/bin/env python3
"""Operands whose extent, a symbol, is 1 or that of the data as each step says, on two ranks.

A rank must not take its part of what all share, nor all of what it has a part of. Expected
values are onnxruntime's.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(7)
TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.uint8): TensorProto.UINT8,
         np.dtype(np.int32): TensorProto.INT32}


def reals(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def attention(extent, name="Attention", domain=""):
    """The mask's batch."""
    heads = (2, 4, 5, 8) if not domain else (2, 5, 32)
    inputs = {key: reals(*heads) for key in "qkv"} | {"x": reals(extent or 2, 4, 5, 5)}
    names = [*"qkv", *(["", ""] if domain else []), "x"]
    more = {"num_heads": 4} if domain else {}
    return name, domain, names, inputs, {"x": 0}, heads, TensorProto.FLOAT, more


def multi_head(extent):
    return attention(extent, "MultiHeadAttention", "com.microsoft")


def group_query(extent):
    inputs = {"q": reals(2, 3, 32), "k": reals(2, 3, 16), "v": reals(2, 3, 16),
              "s": np.int32([2, 2]), "t": np.array(3, np.int32), "x": reals(extent or 2, 4, 3, 3)}
    names = ["q", "k", "v", "", "", "s", "t", "", "", "", "x"]
    return ("GroupQueryAttention", "com.microsoft", names, inputs, {"x": 0}, (2, 3, 32),
            TensorProto.FLOAT, {"num_heads": 4, "kv_num_heads": 2})


def quantize(extent):
    """The scale of each row."""
    inputs = {"a": reals(4, 8), "x": abs(reals(extent or 4)) + np.float32(.01)}
    return ("QuantizeLinear", "", ["a", "x"], inputs, {"x": 0}, (4, 8), TensorProto.UINT8,
            {"axis": 0})


def dequantize(extent):
    inputs = {"a": RANDOM.integers(0, 256, (4, 8)).astype(np.uint8),
              "x": abs(reals(extent or 4))}
    return ("DequantizeLinear", "", ["a", "x"], inputs, {"x": 0}, (4, 8), TensorProto.FLOAT,
            {"axis": 0})


def make(case, extent):
    op, domain, names, inputs, symbolic, shape, element, attributes = case(extent)
    declare = lambda name, array: helper.make_tensor_value_info(
        name, TYPES[array.dtype],
        ["n" if symbolic.get(name) == dim else size for dim, size in enumerate(array.shape)])
    node = helper.make_node(op, names, ["y"], op, domain=domain, **attributes)
    graph = helper.make_graph([node], "g", [declare(*item) for item in inputs.items()],
                              [helper.make_tensor_value_info("y", element, shape)])
    opsets = [helper.make_opsetid("", 23), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10), inputs


def check(case, extent, folder):
    model, inputs = make(case, extent)
    onnx.save(model, folder / "model.onnx")
    (folder / "in").mkdir()
    for index, array in enumerate(inputs.values()):
        (folder / "in" / f"input_{index}.pb").write_bytes(
            numpy_helper.from_array(array).SerializeToString())
    subprocess.run(["dougong", "run", folder / "model.onnx", "--parallel", "dp=2", "--inputs",
                    folder / "in", "--outputs", folder / "out", "--quiet"], check=True)
    got = numpy_helper.to_array(
        onnx.TensorProto.FromString((folder / "out" / "output_0.pb").read_bytes()))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (expected,) = session.run(None, inputs)
    np.testing.assert_allclose(got.astype(np.float64), expected.astype(np.float64), rtol=1e-5,
                               atol=1e-5, err_msg=f"{case.__name__}, extent {extent or 'full'}")


def main():
    for case in (attention, multi_head, group_query, quantize, dequantize):
        for extent in (1, None):
            with tempfile.TemporaryDirectory() as folder:
                check(case, extent, pathlib.Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
