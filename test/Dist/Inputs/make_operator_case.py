#!/usr/bin/env python3
"""Writes a test case that holds every operator against its padding.

    make_operator_case.py FOLDER

The batch of 7 rows is cut unevenly on two ranks. Values are made such that what
an operator computes from the zeros in the padding is dangerous: negative before a
root, large before an exponential, infinite, a zero divisor. Each is then added up
over the rows and multiplied by a matrix that is zero in the padding, so that
neither numbers nor NaN may be left there. Expected outputs are those of ONNX
Runtime on the whole model.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ROWS, WIDTH = 7, 4
F32, F16, I64, BOOL = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64,
                       TensorProto.BOOL)
random = np.random.default_rng(11)


class Builder:
    """Nodes by the operator's name; `check` makes a value an output of the model."""

    def __init__(self):
        self.nodes, self.weights, self.outputs = [], [], []

    def constant(self, value, dtype):
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def op(self, kind, *inputs, **attributes):
        domain = "com.microsoft" if kind in ("QuickGelu", "BiasGelu") else ""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, domain=domain,
                                           **attributes))
        return name

    def result(self, value, dtype, shape):
        name = f"out_{value}"
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def rows(self, kind, value):
        return self.op(kind, value, self.constant([0], np.int64), keepdims=0)

    def check(self, value, dtype=F32):
        """Reduces a value of [batch, WIDTH] over its rows."""
        self.result(self.rows("ReduceSum", value), dtype, [WIDTH])
        other = {F32: "z", F16: "zh", I64: "zk"}[dtype]
        product = self.op("MatMul", self.op("Transpose", value, perm=[1, 0]), other)
        self.result(product, dtype, [WIDTH, 3])


def add_unary(b, zero, negative, large, dtype, tensor):
    """Operators of one operand, and of constants."""
    def number(x):
        return b.constant(x, dtype)
    for x in (zero, negative, large):
        for kind in ("Abs", "Neg", "Relu", "LeakyRelu", "Tanh", "Sign", "Floor", "Ceil", "Round",
                     "Sigmoid", "Softplus", "Exp", "Elu", "HardSigmoid", "HardSwish", "Erf", "Sin",
                     "Cos", "Gelu", "Softsign", "Identity", "Reciprocal"):
            b.check(b.op(kind, x), tensor)
        b.check(b.op("Softmax", x, axis=1), tensor)
        b.check(b.op("LayerNormalization", x, number(np.ones(WIDTH)), axis=-1), tensor)
        if tensor == F32:
            b.check(b.op("CumSum", x, b.constant(1, np.int64)), tensor)
        for kind in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSum",
                     "ReduceSumSquare"):
            kept = b.op(kind, x, b.constant([1], np.int64), keepdims=1)
            b.check(b.op("Add", kept, x), tensor)
            b.check(b.op("Mul", kept, number(np.ones((1, WIDTH)))), tensor)
        b.check(b.op("Clip", x, number(0.5), number(2)), tensor)
        b.check(b.op("Pow", x, number(2)), tensor)
        b.check(b.op("Add", x, number(1)), tensor)
        b.check(b.op("Sub", number(1), x), tensor)
        b.check(b.op("Mul", x, number(-2)), tensor)
        b.check(b.op("Div", x, number(-2)), tensor)
        b.check(b.op("Max", x, number(1)), tensor)
        b.check(b.op("Min", x, number(-1)), tensor)
        b.check(b.op("Mean", x, zero), tensor)
        b.check(b.op("Sum", x, zero, number(1)), tensor)
        b.check(b.op("Mul", x, x), tensor)
        b.check(b.op("Mul", x, zero), tensor)
        b.check(b.op("Slice", b.op("Concat", x, zero, axis=1), b.constant([1], np.int64),
                     b.constant([WIDTH + 1], np.int64), b.constant([1], np.int64)), tensor)
    for x in (zero, negative):
        for kind in ("Sqrt", "Log"):
            b.check(b.op(kind, x), tensor)
        for exponent in (0.5, -1):
            b.check(b.op("Pow", x, number(exponent)), tensor)
        b.check(b.op("Div", zero, x), tensor)
        b.check(b.op("Mod", zero, x, fmod=1), tensor)
    # Infinite where the padding is, and nowhere else.
    valid = b.op("Greater", zero, number(1))
    b.check(b.op("Where", valid, zero, number(-np.inf)), tensor)
    b.check(b.op("Mul", zero, b.op("Where", valid, zero, number(np.inf))), tensor)
    # A row that is repeated is no padding of zeros.
    b.check(b.op("Expand", number(np.arange(1, WIDTH + 1).reshape(1, WIDTH)),
                 b.op("Shape", zero)), tensor)
    b.check(b.op("Expand", b.op("ReduceMax", zero, b.constant([0], np.int64), keepdims=1),
                 b.op("Shape", zero)), tensor)


def add_reductions(b, value, dtype, tensor, kinds):
    """Reductions over the rows, and what may be done before they are combined."""
    for kind in kinds:
        b.result(b.rows(kind, value), tensor, [WIDTH])
        partial = b.rows(kind, value)
        b.result(b.op("Mul", partial, b.constant(-3, dtype)), tensor, [WIDTH])
        b.result(b.op("Mul", b.rows(kind, value), b.rows("ReduceMax", value)), tensor, [WIDTH])
        b.result(b.op("Mul", b.rows(kind, value), b.rows("ReduceSum", value)), tensor, [WIDTH])
        b.result(b.op("Div", b.rows(kind, value), b.constant(2, dtype)), tensor, [WIDTH])
        b.result(b.op("Div", b.constant(60, dtype), b.rows(kind, value)), tensor, [WIDTH])
        b.result(b.op("Add", b.rows(kind, value), b.rows("ReduceSum", value)), tensor, [WIDTH])
        b.result(b.op("Sub", b.rows(kind, value), b.rows("ReduceSum", value)), tensor, [WIDTH])
        b.result(b.op("Sub", b.rows(kind, value), b.constant(5, dtype)), tensor, [WIDTH])
        b.result(b.op("Neg", b.rows(kind, value)), tensor, [WIDTH])
        b.result(b.op("Cast", b.rows(kind, value), to=I64), I64, [WIDTH])
        b.result(b.op("Cast", b.rows(kind, value), to=BOOL), BOOL, [WIDTH])


def make_model():
    b = Builder()
    f32, f16, i64 = np.float32, np.float16, np.int64

    def number(x):
        return b.constant(x, f32)
    # Small numbers for rows; zero, negative and large in the padding.
    negative = b.op("Sub", "x", number(1.3))
    large = b.op("Sub", number(150), b.op("Mul", "x", number(100)))
    add_unary(b, "x", negative, large, f32, F32)
    b.check(b.op("QuickGelu", "x"))
    b.check(b.op("BiasGelu", "x", number(np.ones(WIDTH))))
    b.check(b.op("RMSNormalization", "x", number(np.ones(WIDTH)), axis=-1))
    b.check(b.op("RMSNormalization", "x", number(np.ones(WIDTH)), axis=-1, epsilon=0.0))
    square = random.standard_normal((WIDTH, WIDTH)).astype(f32)
    for x in ("x", negative, b.op("Exp", large)):
        b.check(b.op("MatMul", x, number(square)))
        b.check(b.op("Gemm", x, number(square), number(np.ones(WIDTH))))
        b.check(b.op("Gemm", x, number(square)))
    half = b.op("Cast", "x", to=F16)
    add_unary(b, half, b.op("Sub", half, b.constant(1.3, f16)),
              b.op("Sub", b.constant(150, f16), b.op("Mul", half, b.constant(100, f16))), f16, F16)
    # 150000 in the padding is infinite in half precision.
    b.check(b.op("Cast", b.op("Mul", large, number(1000)), to=F16), F16)
    add_reductions(b, "x", f32, F32, ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd",
                                      "ReduceSumSquare", "ReduceL1"))
    add_reductions(b, negative, f32, F32, ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"))
    add_reductions(b, half, f16, F16, ("ReduceSum",))
    add_reductions(b, "k", i64, I64, ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"))
    three = b.constant(3, i64)
    for kind in ("Add", "Sub", "Mul", "Div", "Mod", "Max", "Min"):
        b.check(b.op(kind, "k", three), I64)
    for kind in ("Neg", "Abs", "Sign"):
        b.check(b.op(kind, b.op("Sub", "k", three)), I64)
    b.check(b.op("Cast", negative, to=I64), I64)
    b.check(b.op("Cast", b.op("Add", "k", three), to=F32))
    # Bools: false and true in the padding.
    true = b.op("Less", "x", number(1.5))
    false = b.op("Greater", "x", number(1.5))
    for value in (true, false, b.op("Not", true), b.op("And", true, false), b.op("Or", true, false),
                  b.op("Xor", true, false), b.op("Equal", "k", three), b.op("IsNaN", "x"),
                  b.op("LessOrEqual", "x", number(1)), b.op("GreaterOrEqual", "x", number(1))):
        for kind in ("ReduceMax", "ReduceMin"):
            b.result(b.rows(kind, value), BOOL, [WIDTH])
        b.check(b.op("Cast", value, to=F32))
        b.check(b.op("Where", value, "x", negative))

    def port(name, kind, width):
        return helper.make_tensor_value_info(name, kind, ["batch", width])
    inputs = [port("x", F32, WIDTH), port("k", I64, WIDTH), port("z", F32, 3), port("zh", F16, 3),
              port("zk", I64, 3)]
    graph = helper.make_graph(b.nodes, "operators", inputs, b.outputs, b.weights)
    return helper.make_model(graph, ir_version=10, opset_imports=[
        helper.make_opsetid("", 23), helper.make_opsetid("com.microsoft", 1)])


def main():
    folder = pathlib.Path(sys.argv[1])
    data = folder / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    model = make_model()
    onnx.save(model, folder / "model.onnx")
    (folder / "case.json").write_text(json.dumps({"rtol": 2e-2, "atol": 2e-2}))
    # Products of x with 100 are exact in half precision.
    feeds = {"x": random.choice([46, 47, 49, 50], (ROWS, WIDTH)).astype(np.float32) / 32,
             "k": random.integers(2, 6, (ROWS, WIDTH)),
             "z": random.uniform(0.5, 1, (ROWS, 3)).astype(np.float32),
             "zh": random.uniform(0.5, 1, (ROWS, 3)).astype(np.float16),
             "zk": random.integers(1, 5, (ROWS, 3))}
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options,
                                   providers=["CPUExecutionProvider"])
    results = session.run(None, feeds)
    names = [y.name for y in session.get_outputs()]
    for name, value in zip(names, results):
        if not np.all(np.isfinite(value.astype(np.float64))):
            sys.exit(f"{name} is not finite: it cannot tell padding from numbers")
    for prefix, tensors in (("input", feeds), ("output", dict(zip(names, results)))):
        for index, (name, value) in enumerate(tensors.items()):
            (data / f"{prefix}_{index}.pb").write_bytes(
                numpy_helper.from_array(value, name).SerializeToString())


if __name__ == "__main__":
    main()
