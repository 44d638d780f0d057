#!/usr/bin/env python3
"""Measures float32 functions in units in the last place.

    accuracy.py --page PAGE [--write | --check]

Every function of one argument runs on floats that are spread evenly over all bit patterns
(so over all exponents and both signs) and on the ends of ranges; each result is compared
with the correctly rounded one, from 80-bit arithmetic (erf: 64-bit). The error is the
number of floats between the two. Infinities and NaNs must agree.
--write puts the table into the page, between its marks; --check compares each 16th sample
with the bounds that the page states.
"""

import argparse
import math
import pathlib
import re
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "ops"))
from check_ops import run_compiled  # noqa: E402

L = np.longdouble
ONE, HALF = L(1), L(1) / 2
ROOT2, PI = np.sqrt(L(2)), L("3.14159265358979323846264338327950288")
F = lambda value: L(np.float32(value))  # an attribute, as the model has it

erf = lambda x: np.vectorize(math.erf, otypes=[np.float64])(x.astype(np.float64)).astype(L)
erfc = lambda x: np.vectorize(math.erfc, otypes=[np.float64])(x.astype(np.float64)).astype(L)
sigmoid = lambda x: np.where(x < 0, np.exp(x) / (1 + np.exp(x)), 1 / (1 + np.exp(-x)))
softplus = lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def below(x, value):
    """x where it is not negative, else `value`."""
    return np.where(x < 0, value, x)


# Name -> (operator, attributes, what it is of a long double).
FUNCTIONS = {
    "Exp": ("Exp", {}, np.exp), "Log": ("Log", {}, np.log), "Sqrt": ("Sqrt", {}, np.sqrt),
    "Reciprocal": ("Reciprocal", {}, lambda x: ONE / x),
    "Sin": ("Sin", {}, np.sin), "Cos": ("Cos", {}, np.cos), "Tan": ("Tan", {}, np.tan),
    "Asin": ("Asin", {}, np.arcsin), "Acos": ("Acos", {}, np.arccos), "Atan": ("Atan", {}, np.arctan),
    "Sinh": ("Sinh", {}, np.sinh), "Cosh": ("Cosh", {}, np.cosh), "Tanh": ("Tanh", {}, np.tanh),
    "Asinh": ("Asinh", {}, np.arcsinh), "Acosh": ("Acosh", {}, np.arccosh),
    "Atanh": ("Atanh", {}, np.arctanh), "Erf": ("Erf", {}, erf),
    "Sigmoid": ("Sigmoid", {}, sigmoid), "Softplus": ("Softplus", {}, softplus),
    "Softsign": ("Softsign", {}, lambda x: x / (1 + np.abs(x))),
    "Gelu": ("Gelu", {}, lambda x: HALF * x * erfc(-x / ROOT2)),
    "Gelu, tanh": ("Gelu", {"approximate": "tanh"}, lambda x: x * sigmoid(
        2 * np.sqrt(2 / PI) * (x + L("0.044715") * x ** 3))),
    "Swish": ("Swish", {}, lambda x: x * sigmoid(x)),
    "Mish": ("Mish", {}, lambda x: x * np.tanh(softplus(x))),
    "Elu": ("Elu", {}, lambda x: below(x, np.expm1(np.minimum(x, 0)))),
    "Celu": ("Celu", {"alpha": 2.}, lambda x: below(x, 2 * np.expm1(np.minimum(x, 0) / 2))),
    "Selu": ("Selu", {}, lambda x: F(1.0507010221481323) * below(
        x, F(1.67326319217681884765625) * np.expm1(np.minimum(x, 0)))),
    "Pow, 0.3": ("Pow", {}, lambda x: np.power(x, F(.3))),
    "Pow, -2.5": ("Pow", {}, lambda x: np.power(x, F(-2.5))),
    "Pow, 3": ("Pow", {}, lambda x: x ** 3),
    "Softmax": ("Softmax", {}, None),
}
WIDTH = 64  # of Softmax's rows
BEGIN, END = "<!-- accuracy: written by test/Exec/accuracy/accuracy.py -->", "<!-- accuracy ends -->"


def make_samples(stride):
    values = np.arange(0, 2 ** 32, 4097 * stride, dtype=np.uint64).astype(np.uint32).view(np.float32)
    tiny = np.float32(2.) ** np.arange(-149, 128, dtype=np.float32)
    special = np.float32([0, 1, np.pi, np.pi / 2, np.inf, 88.72284, 88.7, 87.3, 103.9, 89.4, .5])
    ends = np.concatenate([tiny, special, np.nextafter(special, np.float32(0)),
                           np.nextafter(special, np.float32(np.inf))])
    return np.concatenate([values[~np.isnan(values)], ends, -ends, [np.float32(np.nan)]])


def make_softmax_rows(stride):
    rows = np.random.RandomState(3).randn(4096, WIDTH)
    return (rows * np.logspace(-3, 1.5, len(rows))[:, None]).astype(np.float32)[::stride]


def softmax(x):
    powers = np.exp(x.astype(L) - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def measure(stride):
    """Name -> (errors, inputs, exact results, greatest deviation) of all functions, from one
    run over each `stride`th sample."""
    samples, rows = make_samples(stride), make_softmax_rows(stride)
    nodes, outputs, initializers = [], [], []
    for number, (name, (op, attributes, _)) in enumerate(FUNCTIONS.items()):
        inputs = ["rows"] if op == "Softmax" else ["x"]
        if op == "Pow":
            initializers.append(onnx.numpy_helper.from_array(np.float32(name.split()[1]), f"e{number}"))
            inputs.append(f"e{number}")
        nodes.append(helper.make_node(op, inputs, [f"y{number}"], name=name.replace(", ", "_"),
                                      **attributes))
        outputs.append(helper.make_tensor_value_info(
            f"y{number}", 1, rows.shape if op == "Softmax" else samples.shape))
    made = helper.make_graph(
        nodes, "accuracy", [helper.make_tensor_value_info("x", 1, samples.shape),
                            helper.make_tensor_value_info("rows", 1, rows.shape)],
        outputs, initializers)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    with tempfile.TemporaryDirectory() as folder:
        results = run_compiled(model, {"x": samples, "rows": rows}, pathlib.Path(folder))
    found = {}
    with np.errstate(all="ignore"):
        for (name, (op, _, function)), got in zip(FUNCTIONS.items(), results):
            x = rows if op == "Softmax" else samples
            exact = softmax(x) if op == "Softmax" else function(x.astype(L))
            found[name] = (count_floats(got, exact.astype(np.float32)).ravel(), x.ravel(),
                           exact.ravel(), get_deviation(got, exact))
    return found


def count_floats(got, wanted):
    """How many floats lie between the two; of unequal NaNs, 2^32."""
    def order(values):
        bits = values.view(np.int32).astype(np.int64)
        return np.where(bits < 0, -(bits & 0x7fffffff), bits)

    errors = np.abs(order(got) - order(wanted))
    nans = np.isnan(got), np.isnan(wanted)
    errors[nans[0] & nans[1]] = 0
    errors[nans[0] != nans[1]] = 2 ** 32
    return errors


def get_deviation(got, exact):
    """The greatest error, relative to results beyond 1, absolute of others."""
    rounded = exact.astype(np.float32)
    isFinite = np.isfinite(got) & np.isfinite(rounded)
    return (np.abs(got - exact) / np.maximum(1, np.abs(exact)))[isFinite].max()


def show(number):
    return f"{number:.6g}"


def make_table(found):
    lines = ["| function | floats off, at most | at x | result there | share beyond 2 | "
             "error, relative or below 1 absolute |", "|---|---|---|---|---|---|"]
    for name, (errors, x, exact, deviation) in found.items():
        worst = int(errors.argmax())
        share = (errors > 2).mean()
        lines.append(f"| {name} | {errors[worst]} | {show(x[worst])} | {show(exact[worst])} | "
                     f"{f'{share:.2%}' if share else '0'} | {deviation:.1e} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=pathlib.Path, required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    found = measure(16 if options.check else 1)
    if not options.check:
        print(make_table(found))
    text = options.page.read_text()
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    if options.write:
        options.page.write_text(f"{before}{BEGIN}\n{make_table(found)}\n{END}{after}")
    if not options.check:
        return 0
    faults = 0
    for name, (errors, x, *_) in found.items():
        stated = re.search(rf"^\| {re.escape(name)} \| (\d+) \|", table, re.M)
        bound = int(stated[1]) if stated else -1
        if errors.max() > bound:
            faults += 1
            print(f"{name}: {errors.max()} floats off at {x[errors.argmax()]}, stated {bound}")
    print(f"{len(found)} functions, {faults} beyond what {options.page.name} states")
    return faults != 0


if __name__ == "__main__":
    sys.exit(main())
