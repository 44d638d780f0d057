#!/usr/bin/env python3
"""Runs a network of convolutions and of operators around them through
`dougong run` and compares with ONNX Runtime: the pass assign-layouts moves the
whole of it to channels last, up to what reads the model's order.

    check_layouts.py [--dynamic]
"""

import argparse
import pathlib
import sys
import tempfile

import numpy as np
from onnx import helper, numpy_helper

import check_ops

random = np.random.RandomState(11)


class Network:
    def __init__(self):
        self.nodes, self.weights = [], []

    def weight(self, *shape, dtype=np.float32, values=None):
        array = random.uniform(-.5, .5, shape).astype(dtype) if values is None else \
            np.array(values, dtype)
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def __call__(self, op, *inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"{op}_{name}", **attributes))
        return name

    def conv(self, x, inputs, outputs, kernel=3, group=1, **attributes):
        return self("Conv", x, self.weight(outputs, inputs // group, kernel, kernel),
                    self.weight(outputs), group=group, pads=[kernel // 2] * 4, **attributes)


def build():
    """The model and the names of its outputs; x is [n, 3, 21, 26]."""
    net = Network()
    a = net("Relu", net.conv("x", 3, 12, strides=[2, 1]))
    # A scale and shift for each channel, as constants of the program and as weights.
    a = net("Add", net("Mul", a, net.weight(12, 1, 1)), net.weight(1, 12, 1, 1))
    a = net("Mul", a, net.weight(1, 1, 1, 26))
    a = net("Sub", net.weight(), a)
    pooled = net("MaxPool", a, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 0, 1], ceil_mode=1)
    average = net("AveragePool", a, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0])
    depthwise = net("Clip", net.conv(pooled, 12, 12, group=12), net.weight(values=-.2),
                    net.weight(values=.3))
    # Residual, a branch in the model's order, and concatenations of channels and rows.
    both = net("Add", depthwise, pooled)
    joined = net("Concat", both, net.conv(average, 12, 5, kernel=1), depthwise, axis=1)
    tall = net("Concat", joined, net("Neg", joined), axis=-2)
    # Squeeze and excitation: one factor for each image and channel.
    mean = net("GlobalAveragePool", tall)
    gate = net("Sigmoid", net.conv(net("Relu", net.conv(mean, 29, 7, kernel=1)), 7, 29, kernel=1))
    gated = net("Mul", tall, gate)
    flat = net("Flatten", net("GlobalAveragePool", gated))
    last = net("Transpose", net.conv(gated, 29, 6, kernel=1), perm=[0, 2, 3, 1])
    turned = net("Transpose", gated, perm=[3, 0, 1, 2])
    reversed_ = net("Transpose", gated)
    rows = net("Softmax", net.conv(gated, 29, 4), axis=-1)
    return net, [a, tall, flat, last, turned, reversed_, rows, "x_twice"], \
        [helper.make_node("Add", ["x", "x"], ["x_twice"], name="Add_x")]


def main():
    parser = argparse.ArgumentParser(description="Runs a network of convolutions.")
    parser.add_argument("--dynamic", action="store_true")
    options = parser.parse_args()
    net, outputs, more = build()
    feeds = {"x": random.uniform(-1, 1, (2, 3, 21, 26)).astype(np.float32)}
    shape = ["n", 3, "h", 26] if options.dynamic else feeds["x"].shape
    graph = helper.make_graph(
        net.nodes + more, "network", [helper.make_tensor_value_info("x", 1, shape)],
        [helper.make_empty_tensor_value_info(name) for name in outputs], net.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", check_ops.OPSET)],
                              ir_version=10)
    expected = check_ops.run_reference(model, feeds)
    check_ops.declare_outputs(model, expected, options.dynamic)
    with tempfile.TemporaryDirectory() as folder:
        got = check_ops.run_compiled(model, feeds, pathlib.Path(folder))
    case = check_ops.cases.Case("network", [])
    failures = 0
    for name, actual, wanted in zip(outputs, got, expected):
        if difference := check_ops.differences(case, actual, wanted):
            failures += 1
            print(f"{name}: {difference}")
    print(f"{len(outputs) - failures} outputs as expected, {failures} not")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
