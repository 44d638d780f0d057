#!/usr/bin/env python3
"""Random values go from one random sharding to another on thread ranks; the results are
compared with NumPy's.

    check_reshard.py [--cases N] [--seed S]

A model holds many chains at once: a value, or a sum of which each rank has a term, under one
sharding, then an operator under another one. Shapes have 1 to 3 dims of 1 to 13 elements,
meshes 1 to 3 axes and up to 8 ranks. All numbers are small integers: results must be equal. At
the end every kind of communication must have been used.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MESHES = [{"a": 8}, {"a": 3}, {"a": 2, "b": 2}, {"a": 2, "b": 3}, {"a": 4, "b": 2},
          {"a": 2, "b": 2, "c": 2}]
KINDS = {"all_reduce", "all_gather", "reduce_scatter", "all_to_all", "permute"}
CHAINS = 20  # of a model


def choose_cuts(chooser, axes, shape):
    """Axes of each dim, in random order; some axes are left out. An extent of 1 stands for a
    broadcast, which no operator cuts."""
    cuts = [[] for _ in shape]
    places = [dim for dim, extent in enumerate(shape) if extent > 1]
    for axis in chooser.sample(axes, len(axes)):
        if chooser.randrange(4) and places:
            cuts[chooser.choice(places)].append(axis)
    return cuts


def directive(node, cuts):
    dims = ", ".join("+".join(axes) or "_" for axes in cuts)
    return f'- {{node: "{node}", operand: 0, dims: [{dims}]}}'


class Model:
    """Chains of one mesh, their inputs and what NumPy makes of them."""

    def __init__(self, chooser, mesh):
        self.nodes, self.inputs, self.outputs, self.values, self.expected = [], [], [], [], []
        self.lines = ["mesh: {" + ", ".join(f"{axis}: {size}" for axis, size in mesh.items()) + "}",
                      "shard:"]
        self.constants = [numpy_helper.from_array(np.array([0], np.int64), "first")]
        self.mesh = mesh
        for chain in range(CHAINS):
            self.add_chain(chooser, f"c{chain}")
        graph = helper.make_graph(self.nodes, "chains", self.inputs, self.outputs, self.constants)
        self.model = helper.make_model(graph, ir_version=10,
                                       opset_imports=[helper.make_opsetid("", 23)])

    def add_chain(self, chooser, name):
        axes = list(self.mesh)
        shape = [chooser.randint(1, 13) for _ in range(chooser.randint(1, 3))]
        source = choose_cuts(chooser, axes, shape)
        target = choose_cuts(chooser, axes, shape)
        used = {axis for dim in source for axis in dim}
        partial = [axis for axis in axes if axis not in used and chooser.randrange(2)]
        numbers = np.random.default_rng(chooser.randrange(2**32))
        if partial:
            # A term for each rank along these axes.
            terms = int(np.prod([self.mesh[axis] for axis in partial]))
            value = numbers.integers(-99, 99, [terms, *shape]).astype(np.float32)
            self.nodes.append(helper.make_node("ReduceSum", [f"{name}.x", "first"], [f"{name}.s"],
                                               f"{name}/source", keepdims=0))
            self.lines.append(directive(f"{name}/source", [partial, *source]))
            made = value.sum(axis=0)
        else:
            value = numbers.integers(-99, 99, shape).astype(np.float32)
            self.nodes.append(helper.make_node("Neg", [f"{name}.x"], [f"{name}.s"],
                                               f"{name}/source"))
            self.lines.append(directive(f"{name}/source", source))
            made = -value
        self.nodes.append(helper.make_node("Abs", [f"{name}.s"], [f"{name}.y"], f"{name}/target"))
        self.lines.append(directive(f"{name}/target", target))
        self.inputs.append(helper.make_tensor_value_info(f"{name}.x", TensorProto.FLOAT,
                                                         value.shape))
        self.outputs.append(helper.make_tensor_value_info(f"{name}.y", TensorProto.FLOAT, shape))
        self.values.append(value)
        self.expected.append(np.abs(made))


def run(arguments):
    result = subprocess.run([str(argument) for argument in arguments], capture_output=True,
                            text=True, check=False)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}:\n{result.stdout}{result.stderr}")


def check(model, folder):
    """Compiles and runs a model; gives the kinds of communication of its program."""
    onnx.save(model.model, folder / "model.onnx")
    (folder / "strategy.yaml").write_text("\n".join(model.lines) + "\n")
    (folder / "in").mkdir()
    for index, (info, value) in enumerate(zip(model.inputs, model.values)):
        tensor = numpy_helper.from_array(value, info.name)
        (folder / "in" / f"input_{index}.pb").write_bytes(tensor.SerializeToString())
    run(["dougong", "compile", folder / "model.onnx", "--strategy", folder / "strategy.yaml",
         "-o", folder / "out"])
    run(["dougong", "run", folder / "out", "--ranks", "threads", "--inputs", folder / "in",
         "--outputs", folder / "got"])
    for index, (info, expected) in enumerate(zip(model.outputs, model.expected)):
        tensor = onnx.TensorProto()
        tensor.ParseFromString((folder / "got" / f"output_{index}.pb").read_bytes())
        got = numpy_helper.to_array(tensor)
        if got.shape != expected.shape or not np.array_equal(got, expected):
            lines = [line for line in model.lines if info.name.split(".")[0] + "/" in line]
            sys.exit(f"{info.name} differs from NumPy's on mesh {model.mesh}, shape "
                     f"{expected.shape}:\n" + "\n".join(lines))
    plan = json.loads((folder / "out" / "plan.json").read_text())
    return {call["kind"] for program in plan["programs"] for call in program.get("calls", [])}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, default=3 * CHAINS)
    options.add_argument("--seed", type=int, default=0)
    options = options.parse_args()
    used, models = set(), -(-options.cases // CHAINS)
    for index in range(models):
        chooser = random.Random(f"{options.seed} {index}")
        # The first models are of several axes, where there is most to go wrong.
        model = Model(chooser, MESHES[-1 - index % len(MESHES)])
        with tempfile.TemporaryDirectory() as folder:
            used |= check(model, pathlib.Path(folder))
    if used != KINDS:
        sys.exit(f"no case used {', '.join(sorted(KINDS - used))}")
    print(f"{models * CHAINS} cases, 0 failures")


if __name__ == "__main__":
    main()
