#!/usr/bin/env python3
"""The operator Gradient against differences of ONNX's reference evaluator.

Each case is a few nodes from inputs a, b, ... (float64) to y; expected is
(f(x + h) - f(x - h)) / 2h for each element of each input, f being the sum of all
elements of y weighted by numbers of their own. All cases are one model.
"""

import math
import pathlib
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper, parser
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

import check_ops

OPSET = 27
STEP = 1e-5
random = np.random.RandomState(43)


def reals(*shape, low=-1.5, high=1.5):
    return np.array(random.rand(*shape) * (high - low) + low)


def unary(op, low=-1.5, high=1.5, attributes=""):
    return f"y = {op} {attributes} (a)", [reals(2, 5, low=low, high=high)]


def binary(op, *shapes, low=.5):
    return f"y = {op} (a, b)", [reals(*shape, low=low, high=2) for shape in shapes]


def reduced(op, attributes="", axes="[1]"):
    return (f"k = Constant <value_ints = {axes}> ()\ny = {op} {attributes} (a, k)",
            [reals(2, 3, 2)])


def cases():
    anywhere = ("Identity Neg Abs Exp Sin Cos Sinh Cosh Tanh Atan Asinh Erf Sigmoid Softplus "
                "Softsign Relu LeakyRelu Elu Selu Gelu Mish HardSwish Softmax LogSoftmax "
                "HardSigmoid ThresholdedRelu").split()
    yield from (unary(op) for op in anywhere)
    yield from (unary(op, .2, 1.2) for op in ("Log", "Sqrt", "Reciprocal", "Tan"))
    yield from (unary(op, -.8, .8) for op in ("Asin", "Acos", "Atanh"))
    yield unary("Acosh", 1.2, 3)
    yield unary("LeakyRelu", attributes="<alpha = 0.3>")
    yield unary("Softmax", attributes="<axis = 0>")
    yield unary("LogSoftmax", attributes="<axis = 0>")
    for op in ("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min"):
        yield binary(op, (2, 3), (2, 3))
        yield binary(op, (2, 1, 3), (4, 1))
        yield binary(op, (), (2, 3))
    yield "y = Sum (a, b, a)", [reals(2, 3), reals(3)]
    yield "z = Constant <value_float = 0.0> ()\nt = CastLike (z, a)\nc = Greater (a, t)\ny = Where (c, b, a)", \
        [reals(2, 3), reals(3)]
    yield binary("MatMul", (2, 3), (3, 4), low=-1)
    yield binary("MatMul", (2, 1, 3, 2), (4, 2, 3), low=-1)
    yield binary("MatMul", (5, 2, 3), (3, 2), low=-1)
    for trans_a in (0, 1):
        for trans_b in (0, 1):
            yield (f"y = Gemm <alpha = 0.7, beta = 1.3, transA = {trans_a}, transB = {trans_b}> (a, b, c)",
                   [reals(*((3, 2) if trans_a else (2, 3))), reals(*((4, 3) if trans_b else (3, 4))),
                    reals(4)])
    yield "y = Transpose (a)", [reals(2, 3)]
    yield "y = Transpose <perm = [2, 0, 1]> (a)", [reals(2, 3, 4)]
    yield "y = Flatten <axis = 2> (a)", [reals(2, 3, 2)]
    yield "s = Constant <value_ints = [3, -1]> ()\ny = Reshape (a, s)", [reals(2, 3, 2)]
    yield "s = Constant <value_ints = [1]> ()\nu = Unsqueeze (a, s)\ny = Squeeze (u, s)", [reals(2, 3)]
    yield "s = Constant <value_ints = [4, 2, 3]> ()\ny = Expand (a, s)", [reals(2, 1)]
    yield "y = Concat <axis = -1> (a, b)", [reals(2, 3), reals(2, 2)]
    yield "p, q = Split <axis = 1, num_outputs = 2> (a)\ny = Mul (p, q)", [reals(2, 4)]
    yield "p, q = Split <axis = 1, num_outputs = 2> (a)\ny = Exp (q)", [reals(2, 4)]
    yield "s = Constant <value_ints = [1, 3]> ()\n\"\", q = Split <axis = 1> (a, s)\ny = Exp (q)", \
        [reals(2, 4)]
    yield "\"\", q, \"\" = Split <num_outputs = 3> (a)\ny = Exp (q)", [reals(5, 2)]
    yield "r = Range (a, b, c)\ns = Constant <value_ints = [5]> ()\ny = Reshape (r, s)", \
        [np.array(.3), np.array(2.), np.array(.4)]
    for attributes in ("", "<axis = 0>"):
        yield (f"k = Constant <value = int64[2, 2] {{0, 2, -1, 1}}> ()\n"
               f"d = Constant <value_int = 3> ()\ny = OneHot {attributes} (k, d, a)", [reals(2)])
    # x^0 is 1 everywhere.
    yield ("z = Constant <value_floats = [0.0, 2.0, 0.0]> ()\ne = CastLike (z, a)\ny = Pow (a, e)",
           [np.array([0., 1.3, -.7])])
    yield "k = Constant <value_ints = [2, 0, 2, -1]> ()\ny = Gather (a, k)", [reals(4, 2)]
    yield "k = Constant <value = int64[2, 2] {1, 1, 0, -1}> ()\ny = GatherElements <axis = 1> (a, k)", \
        [reals(2, 3)]
    yield "k = Constant <value = int64[2] {1, 1}> ()\ny = Gather <axis = 1> (a, k)", [reals(2, 3)]
    yield "k = Constant <value = int64[2, 2] {1, 1, 0, -1}> ()\ny = GatherND (a, k)", [reals(2, 3)]
    yield "s = Constant <value_ints = [-1]> ()\ne = Constant <value_ints = [-9]> ()\n" \
          "x = Constant <value_ints = [1]> ()\nt = Constant <value_ints = [-2]> ()\n" \
          "y = Slice (a, s, e, x, t)", [reals(2, 5)]
    yield "k = Constant <value_ints = [2, 3]> ()\ny = Tile (a, k)", [reals(2, 2)]
    yield "y = DepthToSpace <blocksize = 2> (a)", [reals(1, 4, 1, 2)]
    for op in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare"):
        yield reduced(op)
        yield reduced(op, "<keepdims = 0>", "[0, -1]")
        yield f"y = {op} <keepdims = 0> (a)", [reals(2, 3)]
    yield "y = LayerNormalization (a, b, c)", [reals(2, 4), reals(4), reals(4)]
    yield "y = LayerNormalization <axis = 1> (a, b)", [reals(2, 2, 3), reals(2, 3)]
    yield "y = RMSNormalization <epsilon = 0.1> (a, b)", [reals(2, 4), reals(4)]
    # By its function body.
    yield "k = Constant <value_ints = [1, 2, 0]> ()\ny = SoftmaxCrossEntropyLoss (a, k)", [reals(3, 4)]
    # A value that is read several times, one that steps, and a part of no use.
    yield "e = Exp (a)\nm = Mul (e, a)\ny = Add (m, e)", [reals(2, 3)]
    yield "e = Floor (a)\ny = Add (a, e)", [reals(2, 3)]
    yield "e = Exp (b)\ny = Identity (a)", [reals(2), reals(2)]
    # A small network and its loss.
    yield ("h = MatMul (a, b)\nr = Tanh (h)\no = Gemm <transB = 1> (r, c)\nl = LogSoftmax (o)\n"
           "k = Constant <value_ints = [-1]> ()\nm = ReduceMax <keepdims = 0> (l, k)\ny = Neg (m)",
           [reals(4, 3), reals(3, 5), reals(2, 5)])


def make_model(nodes, inputs, output):
    """A model of these nodes, whose inputs are arrays by name."""
    header = ", ".join(f"double[{', '.join(map(str, array.shape))}] {name}"
                       for name, array in inputs.items())
    return parser.parse_model(f"""<ir_version: 10, opset_import: ["" : {OPSET}]>
        case ({header}) => (double {output}) {{
        {nodes}
    }}""")


erf = np.vectorize(math.erf, otypes=[np.float64])


class Erf(OpRun):
    """That of the reference computes in float32."""

    def _run(self, x):
        return (erf(x),)


class Gelu(OpRun):
    """As Erf."""

    def _run(self, x, approximate):
        return (x * (1 + erf(x / math.sqrt(2))) / 2,)


def evaluator_of(model):
    return ReferenceEvaluator(model, new_ops=[Erf, Gelu])


def make_forward(nodes, inputs, weights):
    """The function f of a case."""
    nodes += "\nv = Mul (y, w)\nloss = ReduceSum <keepdims = 0> (v)"
    return make_model(nodes, {**dict(zip("abc", inputs)), "w": weights}, "loss")


def shape_of_y(nodes, inputs):
    feeds = dict(zip("abc", inputs))
    return evaluator_of(make_model(nodes, feeds, "y")).run(None, feeds)[0].shape


def differences(nodes, inputs, weights):
    evaluator = evaluator_of(make_forward(nodes, inputs, weights))

    def f(values):
        return float(evaluator.run(None, {**dict(zip("abc", values)), "w": weights})[0])

    gradients = []
    for number, array in enumerate(inputs):
        gradient = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            ends = []
            for step in (STEP, -STEP):
                moved = [value.copy() for value in inputs]
                moved[number][place] += step
                ends.append(f(moved))
            gradient[place] = (ends[0] - ends[1]) / (2 * STEP)
        gradients.append(gradient)
    return gradients


def add_value(values, name, array):
    values.append(helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, array.shape))


def build():
    """The model of all cases, its inputs by name, and what is expected of each output."""
    graph = onnx.GraphProto(name="gradients")
    feeds, expected = {}, {}
    for number, (nodes, inputs) in enumerate(cases()):
        weights = reals(*shape_of_y(nodes, inputs))
        part = make_forward(nodes, inputs, weights).graph
        prefix = f"c{number}_"
        for node in part.node:
            copy = graph.node.add()
            copy.CopyFrom(node)
            copy.name = f"{prefix}{node.op_type}_{len(graph.node)}"
            for names in (copy.input, copy.output):
                names[:] = [prefix + name if name else "" for name in names]
        letters = "abc"[:len(inputs)]
        for letter, array in zip(letters + "w", inputs + [weights]):
            add_value(graph.input, prefix + letter, array)
            feeds[prefix + letter] = array
        xs = [prefix + letter for letter in letters]
        graph.node.append(helper.make_node(
            "Gradient", xs + [prefix + "w"], [prefix + "d" + letter for letter in letters],
            name=prefix + "gradient", domain="ai.onnx.preview.training", xs=xs,
            zs=[prefix + "w"], y=prefix + "loss"))
        for letter, array, gradient in zip(letters, inputs, differences(nodes, inputs, weights)):
            name = prefix + "d" + letter
            add_value(graph.output, name, array)
            expected[name] = (nodes, gradient)
    add_further(graph, feeds, expected)
    functions = add_calls(graph, feeds, expected)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.preview.training", 1),
              helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10, functions=functions)
    return model, feeds, expected


def add_further(graph, feeds, expected):
    """Gradients of a gradient, and at other values than those of the graph: y = x^3."""
    x, other = reals(4), reals(4)
    for name, array in (("x", x), ("other", other)):
        add_value(graph.input, name, array)
        feeds[name] = array

    def gradient(value, result, y):
        return helper.make_node("Gradient", [value], [result], name="of_" + result, xs=["x"], y=y,
                                domain="ai.onnx.preview.training")

    graph.node.extend([
        helper.make_node("Mul", ["x", "x"], ["square"], name="square"),
        helper.make_node("Mul", ["square", "x"], ["cube"], name="cube"),
        gradient("x", "first", "cube"), gradient("x", "second", "first"),
        gradient("other", "elsewhere", "cube")])
    for name, value in (("first", 3 * x**2), ("second", 6 * x), ("elsewhere", 3 * other**2)):
        add_value(graph.output, name, x)
        expected[name] = ("x^3", value)


def add_calls(graph, feeds, expected):
    """Calls of a function with the gradients of y = a^2 b, where the caller has values a and y too,
    gives one value twice, or makes b of a: of those the function knows nothing."""
    p, q = reals(3), reals(3)
    for name, array in (("p", p), ("q", q)):
        add_value(graph.input, name, array)
        feeds[name] = array
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.preview.training", 1)]

    def gradient(number, names, result):
        return helper.make_node("Gradient", names, [result], name=f"inner{number}", xs=names, y="y",
                                domain="ai.onnx.preview.training")

    function = helper.make_function(
        "own", "Gradients", ["a", "b", "unused"], ["da", "db"],
        [helper.make_node("Mul", ["a", "a"], ["s"], name="s"),
         helper.make_node("Mul", ["s", "b"], ["y"], name="y"),
         gradient(0, ["a"], "da"), gradient(1, ["b"], "db")], opsets)
    graph.node.extend([helper.make_node("Neg", ["p"], ["a"], name="minus"),
                       helper.make_node("Exp", ["a"], ["y"], name="exp"),
                       helper.make_node("Add", ["p", "p"], ["twice"], name="twice")])
    for name, array in (("a", -p), ("y", np.exp(-p))):
        add_value(graph.output, name, array)
        expected[name] = ("the caller's", array)
    for number, (second, b) in enumerate((("q", q), ("p", p), ("twice", 2 * p))):
        results = [f"call{number}_da", f"call{number}_db"]
        graph.node.append(helper.make_node("Gradients", ["p", second], results, domain="own",
                                           name=f"call{number}"))
        for name, array in zip(results, (2 * p * b, p * p)):
            add_value(graph.output, name, array)
            expected[name] = (f"a^2 b, b = {second}", array)
    return [function]


def main():
    model, feeds, expected = build()
    with tempfile.TemporaryDirectory() as folder:
        got = check_ops.run_compiled(model, feeds, pathlib.Path(folder))
    failures = 0
    for (name, (nodes, wanted)), array in zip(expected.items(), got):
        if array.shape != wanted.shape or not np.allclose(array, wanted, rtol=1e-6, atol=1e-7):
            failures += 1
            print(f"{name} of {nodes!r}: got {array.tolist()}, expected {wanted.tolist()}")
    print(f"{len(expected) - failures} gradients as expected, {failures} not")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
