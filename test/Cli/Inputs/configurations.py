#!/usr/bin/env python3
"""Models with device configurations (IR version 11), good and bad.

    configurations.py write FOLDER    writes FOLDER/<case>/model.onnx, and for the good ones
                                      test_data_set_0 with what NumPy computes
    configurations.py verify FOLDER   prints what `dougong verify` ends with, case by case
    configurations.py refuse FOLDER   prints how `dougong compile` refuses the bad ones

The model is Y = relu(X U + B) V unless a case says otherwise: X is 4 x 8, U 8 x 12, V 12 x 6.
"""

import pathlib
import subprocess
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

random = np.random.RandomState(3)
X, U, B, V = (random.rand(*shape).astype(np.float32) - .5 for shape in ((4, 8), (8, 12), (12,), (12, 6)))
ALL = {-1: [0, 1]}  # one group of two devices


def spec(tensor, device, *dims, groups=None):
    """dims: (axis, shards) or (axis, [(extent, shards), ...])."""
    made = onnx.ShardingSpecProto(tensor_name=tensor, device=device)
    for key, members in (groups or {}).items():
        made.index_to_device_group_map.add(key=key, value=members)
    for axis, shards in dims:
        dim = made.sharded_dim.add(axis=axis)
        for extent, count in shards if isinstance(shards, list) else [(None, shards)]:
            simple = dim.simple_sharding.add(num_shards=count)
            if isinstance(extent, str):
                simple.dim_param = extent
            elif extent is not None:
                simple.dim_value = extent
    return made


def make(specs, stages=None, devices=2, rows=4, ir_version=11, configuration="split"):
    """`specs` by the name of the node: up, bias, act or down."""
    nodes = [helper.make_node("MatMul", ["x", "u"], ["h"], "up"),
             helper.make_node("Add", ["h", "b"], ["s"], "bias"),
             helper.make_node("Relu", ["s"], ["r"], "act"),
             helper.make_node("MatMul", ["r", "v"], ["y"], "down")]
    for node in nodes:
        if node.name not in specs and node.name not in (stages or {}):
            continue
        entry = node.device_configurations.add(configuration_id=configuration)
        entry.sharding_spec.extend(specs.get(node.name, []))
        if stages:
            entry.pipeline_stage = stages[node.name]
    weights = [numpy_helper.from_array(array, name) for name, array in (("u", U), ("b", B), ("v", V))]
    graph = helper.make_graph(nodes, "mlp",
                              [helper.make_tensor_value_info("x", 1, [rows, 8])],
                              [helper.make_tensor_value_info("y", 1, [rows, 6])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)],
                              ir_version=ir_version)
    model.configuration.add(name="split", num_devices=devices)
    return model


COLUMN = {"up": [spec("u", [0, 1], (1, 2))]}
MEGATRON = {"up": [spec("u", [0, 1], (1, 2))], "down": [spec("v", [0, 1], (0, 2))]}
STAGES = {"up": 0, "bias": 0, "act": 1, "down": 1}


def two_configurations():
    model = make(COLUMN)
    model.configuration.add(name="other", num_devices=3)
    entry = model.graph.node[0].device_configurations.add(configuration_id="other")
    entry.sharding_spec.append(spec("x", [0, 1, 2], (1, 3)))
    return model


def in_function():
    """up and down are calls of a function whose MatMul says how its second input is cut."""
    model = make({})
    product = helper.make_node("MatMul", ["a", "w"], ["c"], "product")
    product.device_configurations.add(configuration_id="split").sharding_spec.append(
        spec("w", [0, 1], (1, 2)))
    model.functions.append(helper.make_function(
        "own", "Product", ["a", "w"], ["c"], [product], [helper.make_opsetid("", 21)]))
    model.opset_import.append(helper.make_opsetid("own", 1))
    for node in (model.graph.node[0], model.graph.node[3]):
        node.op_type, node.domain = "Product", "own"
    return model


GOOD = {
    "rows": make({"up": [spec("x", [0, 1], (0, 2))]}),
    "columns": make(COLUMN),
    "negative-axis": make({"up": [spec("u", [0, 1], (-1, 2))]}),
    "both": make({"up": [spec("x", [0, 0 + 1, 2, 3], (0, 2), (1, 2))]}, devices=4),
    "replicated": make({"up": [spec("u", [-1], groups=ALL)]}),
    "mixed": make({"up": [spec("u", [-1, -2], (1, 2), groups={-1: [0, 1], -2: [2, 3]})],
                   "down": [spec("r", [-1, -2], (0, 2), groups={-1: [0, 2], -2: [1, 3]})]}, devices=4),
    # A key of the map is a group whatever its number, not the device of that number.
    "groups-by-number": make({"up": [spec("u", [7], groups={7: [0, 1]})]}),
    "groups-as-devices": make({"up": [spec("u", [2, 1], (1, 2), groups={2: [0, 1], 1: [2, 3]})]}, devices=4),
    "symbolic": make({"up": [spec("x", [0, 1], (0, [("rows", 2)]))]}, rows="rows"),
    "column-row": make(MEGATRON),
    "uneven": make({"down": [spec("v", [0, 1, 2, 3], (1, 4))]}, devices=4),
    "reshard": make({"up": [spec("x", [0, 1], (0, 2)), spec("h", [0, 1], (1, 2))]}),
    "reshard-uneven": make({"up": [spec("x", [0, 1, 2], (0, 3)), spec("h", [0, 1, 2], (1, 3))]}, devices=3),
    "reshard-back": make({"act": [spec("s", [0, 1, 2], (1, 3)), spec("r", [0, 1, 2], (0, 3))]}, devices=3),
    "result": make({"act": [spec("r", [0, 1], (1, 2))]}),
    "fused-axis": make({"up": [spec("u", [0, 1], (1, [(3, 2), (4, 1)]))]}),
    "pipeline": make({}, STAGES),
    "pipeline-tensor": make({"up": [spec("u", [0, 1], (1, 2))], "down": [spec("v", [2, 3, 4], (0, 3))]},
                            STAGES, devices=5),
    "two": two_configurations(),
    "function": in_function(),
}
BAD = {
    "unknown-id": make(COLUMN, configuration="nowhere"),
    "foreign-tensor": make({"up": [spec("v", [0, 1], (1, 2))]}),
    "axis-range": make({"up": [spec("u", [0, 1], (2, 2))]}),
    "axis-twice": make({"up": [spec("u", [0, 1, 2, 3], (1, 2), (1, 2))]}, devices=4),
    "axis-twice-negative": make({"up": [spec("u", [0, 1, 2, 3], (1, 2), (-1, 2))]}, devices=4),
    "no-shards": make({"up": [spec("u", [0, 1], (1, 0))]}),
    "device-range": make({"up": [spec("u", [0, 2], (1, 2))]}),
    "no-group": make({"up": [spec("u", [0, -5], (1, 2), groups=ALL)]}),
    "block-count": make({"up": [spec("u", [0, 1, 2], (1, 2))]}, devices=3),
    "no-block": make({"up": [spec("u", [0, 1], (1, 2))]}, devices=3),
    "two-blocks": make({"up": [spec("u", [0, 0], (1, 2))]}),
    "old-version": make(COLUMN, ir_version=10),
    "no-grid": make({"up": [spec("u", [1, 0], (1, 2))]}),
    "inner-part": make({"up": [spec("u", [0, 1], (1, [(3, 1), (4, 2)]))]}),
    "contradiction": make({"up": [spec("x", [0, 1], (1, 2)), spec("u", [0, 1], (1, 2))]}),
    "most-devices": make({"up": [spec("u", [0, 1], (1, 2))]}, devices=2**20 + 1),
    "back": make({}, {"up": 1, "bias": 0, "act": 0, "down": 1}),
}


def write(folder):
    for name, model in {**GOOD, **BAD}.items():
        data = folder / name / "test_data_set_0"
        data.mkdir(parents=True)
        onnx.save(model, str(folder / name / "model.onnx"))
        y = np.maximum(X @ U + B, 0) @ V
        for path, array in (("input_0.pb", X), ("output_0.pb", y)):
            (data / path).write_bytes(numpy_helper.from_array(array).SerializeToString())


def dougong(folder, *words):
    return subprocess.run(["dougong", *words, "--configuration", "split"], cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def main():
    action, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    if action == "write":
        write(folder)
    elif action == "verify":
        for name in GOOD:
            result = dougong(folder, "verify", f"{name}/model.onnx", "--inputs",
                             f"{name}/test_data_set_0", "--against", "data", "--rtol", "1e-5",
                             "--atol", "1e-6")
            print(f"{name}: {result.stdout.splitlines()[-1]}, exit code {result.returncode}")
    else:
        for name in BAD:
            result = dougong(folder, "compile", f"{name}/model.onnx", "-o", "out")
            print(f"exit code {result.returncode}, {'a' if (folder / 'out').exists() else 'no'} package")
            print(result.stdout)


if __name__ == "__main__":
    main()
