#!/usr/bin/env python3
"""Writes the small models that the tests of this folder import.

    models.py NAME FILE
    models.py --into FOLDER NAME...     as FOLDER/NAME.onnx
"""

import pathlib
import sys

import numpy as np
import onnx
import onnx.helper as oh
from onnx import TensorProto as T
from onnx.numpy_helper import from_array

MODELS = {}


def model(function):
    MODELS[function.__name__.replace("_", "-")] = function
    return function


def info(name, shape, kind=T.FLOAT):
    return oh.make_tensor_value_info(name, kind, shape)


def make(nodes, inputs, outputs, initializers=(), opset=27, ir=13, domains=(), functions=(), **graph):
    graph = oh.make_graph(nodes, "graph", inputs, outputs, list(initializers), **graph)
    opsets = [oh.make_opsetid("", opset)] + [oh.make_opsetid(d, 1) for d in domains]
    result = oh.make_model(graph, opset_imports=opsets, functions=list(functions))
    result.ir_version = ir
    return result


def set_metadata(proto, **entries):
    for key, value in entries.items():
        proto.metadata_props.add(key=key, value=value)
    return proto


@model
def dims():
    """One input for each kind of dim."""
    inputs = [info("a", ["past + seq", "batch", 64]), info("b", ["batch size", "2*3"]),
              info("c", [None, "seq", "seq + past"])]
    return make([oh.make_node("Shape", [i.name], [f"s{i.name}"]) for i in inputs], inputs,
                [info(f"s{i.name}", [len(i.type.tensor_type.shape.dim)], T.INT64) for i in inputs])


@model
def open_outputs():
    """Outputs whose shape, or type, is left to shape inference."""
    return make([oh.make_node("Shape", ["x"], ["s"]), oh.make_node("Relu", ["x"], ["y"])],
                [info("x", [2, "n"])],
                [info("y", None), oh.make_empty_tensor_value_info("s")])


@model
def weights():
    rng = np.arange(1024, dtype=np.float32).reshape(32, 32)
    raw = from_array(rng, "raw")
    packed = oh.make_tensor("packed", T.FLOAT, [32, 32], rng.flatten())
    small = from_array(np.array([1, 2], np.float32), "small")
    integers = oh.make_tensor("integers", T.INT64, [256], range(256))
    nodes = [oh.make_node("Constant", [], ["node"], "constant", value=raw),
             oh.make_node("Sum", ["raw", "packed", "node"], ["s"], "sum"),
             oh.make_node("Mul", ["x", "small"], ["y"], "mul")]
    return make(nodes, [info("x", [2])], [info("s", [32, 32]), info("y", [2]),
                                         info("integers", [256], T.INT64)],
                [raw, packed, small, integers])


@model
def old_inputs():
    weight = from_array(np.ones(300, np.float32), "w")
    return make([oh.make_node("Add", ["x", "w"], ["y"])], [info("x", [300]), info("w", [300])],
                [info("y", [300])], [weight], opset=7, ir=3)


@model
def element_types():
    tensors = [oh.make_tensor("f4", T.FLOAT4E2M1, [3], [0.5, -6, 1]),
               oh.make_tensor("e8", T.FLOAT8E8M0, [2], [1.0, 4.0]),
               oh.make_tensor("e4", T.FLOAT8E4M3FN, [2], [1.5, -448]),
               oh.make_tensor("i4", T.INT4, [3], [-8, 7, -1]),
               oh.make_tensor("u4", T.UINT4, [3], [15, 0, 9]),
               oh.make_tensor("i2", T.INT2, [5], [-2, -1, 0, 1, -2]),
               oh.make_tensor("u2", T.UINT2, [5], [3, 2, 1, 0, 3]),
               oh.make_tensor("b", T.BOOL, [3], [True, False, True]),
               oh.make_tensor("h", T.FLOAT16, [2], [0.5, -2]),
               oh.make_tensor("bf", T.BFLOAT16, [2], [0.5, -2]),
               oh.make_tensor("u64", T.UINT64, [1], [2**64 - 1]),
               oh.make_tensor("c", T.COMPLEX64, [1], [1 + 2j]),
               oh.make_tensor("str", T.STRING, [2], [b"one", b"two\xff"]),
               oh.make_tensor("none", T.FLOAT, [0, 3], [])]
    return make([], [], [info(t.name, list(t.dims), t.data_type) for t in tensors], tensors)


@model
def regions():
    two = from_array(np.array([2], np.float32), "two")
    then = oh.make_graph([oh.make_node("Mul", ["x", "two"], ["t"], "double")], "then", [],
                         [info("t", ["n"])])
    other = oh.make_graph([oh.make_node("Neg", ["x"], ["e"], "negate")], "else", [],
                          [info("e", ["n"])])
    body = oh.make_graph(
        [oh.make_node("Identity", ["more"], ["again"]), oh.make_node("Add", ["sum", "x"], ["next"])],
        "body", [info("i", [], T.INT64), info("more", [], T.BOOL), info("sum", ["n"])],
        [info("again", [], T.BOOL), info("next", ["n"])])
    nodes = [oh.make_node("If", ["c"], ["y"], "if", then_branch=then, else_branch=other),
             oh.make_node("Loop", ["trips", ""], ["z"], "loop", body=body)]
    nodes[1].input.append("y")
    return make(nodes, [info("x", ["n"]), info("c", [], T.BOOL), info("trips", [], T.INT64)],
                [info("y", ["n"]), info("z", ["n"])], [two])


@model
def functions():
    """A function of another opset, with notes; and one that the dialect has."""
    square = set_metadata(oh.make_node("Squeeze", ["a"], ["b"], "squeeze", axes=[0]), scope="inner")
    mine = oh.make_function("my", "Drop", ["a"], ["b"], [square], [oh.make_opsetid("", 11)])
    gelu = oh.make_function("com.microsoft", "QuickGelu", ["x"], ["y"],
                            [oh.make_node("Relu", ["x"], ["y"])], [oh.make_opsetid("", 27)])
    call = set_metadata(oh.make_node("Drop", ["x"], ["d"], "drop", domain="my"), scope="outer",
                        call="yes")
    return make([call, oh.make_node("QuickGelu", ["d"], ["y"], "gelu", domain="com.microsoft")],
                [info("x", [1, 4])], [info("y", [4])], domains=["my", "com.microsoft"],
                functions=[mine, gelu])


@model
def custom():
    inner = oh.make_graph([oh.make_node("Relu", ["x"], ["r"])], "inner", [], [info("r", [4])])
    nodes = [oh.make_node("Foo", ["x", "", "x"], ["f", "", "g"], "foo", domain="other", alpha=1.5,
                          domain_=2, body=inner),
             oh.make_node("NoSuchOp", ["x"], ["h"], "nosuch", names=["a", "b"]),
             oh.make_node("QuickGelu", ["x"], ["q"], "gelu", domain="com.microsoft", beta=1.0),
             oh.make_node("SimplifiedLayerNormalization", ["x", "x"], ["n"], "norm", axis=-1)]
    next(a for a in nodes[0].attribute if a.name == "domain_").name = "domain"
    return make(nodes, [info("x", [4])], [info(n, [4]) for n in "fghqn"],
                domains=["other", "com.microsoft"])


@model
def upgrade():
    """Opset 11: axes are attributes; notes must survive the conversion."""
    squeeze = set_metadata(oh.make_node("Squeeze", ["x"], ["s"], "squeeze", axes=[0]), scope="layer0")
    squeeze.doc_string = "drops the batch"
    soft = set_metadata(oh.make_node("Softmax", ["s"], ["p"], "softmax", axis=0), scope="layer1")
    return make([squeeze, soft], [info("x", [1, 4])], [info("p", [4])], opset=11, ir=7)


@model
def old_broadcast():
    """Opset 6: the second operand lies along an axis of the first, or is not broadcast."""
    nodes = [oh.make_node("Add", ["x", "b"], ["s"], "add", broadcast=1, axis=1),
             oh.make_node("Mul", ["s", "v"], ["p"], "mul", broadcast=1, axis=0),
             oh.make_node("PRelu", ["p", "slope"], ["r"], "prelu"),
             oh.make_node("Sub", ["r", "x"], ["y"], "sub")]
    return make(nodes, [info("x", ["n", "c", "h", 7]), info("b", ["c", "h"]), info("v", ["n"]),
                        info("slope", ["c"])], [info("y", ["n", "c", "h", 7])], opset=6, ir=3)


@model
def devices():
    """IR 11 placement, on a node that stays and on one that is converted."""
    nodes = [oh.make_node("MatMul", ["x", "w"], ["m"], "matmul"),
             oh.make_node("Squeeze", ["m"], ["y"], "squeeze", axes=[0])]
    result = make(nodes, [info("x", [1, 4]), info("w", [4, 8])], [info("y", [8])], opset=11, ir=11)
    result.configuration.add(name="two", num_devices=2, device=["left", "right"])
    for node, tensor, axis in ((result.graph.node[0], "w", 1), (result.graph.node[1], "y", 0)):
        placed = node.device_configurations.add(configuration_id="two", pipeline_stage=0)
        spec = placed.sharding_spec.add(tensor_name=tensor, device=[0, -1])
        spec.index_to_device_group_map.add(key=-1, value=[0, 1])
        dim = spec.sharded_dim.add(axis=axis)
        dim.simple_sharding.add(dim_value=8, num_shards=2)
        dim.simple_sharding.add(dim_param="n", num_shards=1)
    return result


@model
def notes():
    """Everything that people write beside a graph."""
    node = set_metadata(oh.make_node("Add", ["x", "w"], ["y"], "model/layers.0/add"),
                        namespace="model.layers.0")
    node.doc_string = "adds"
    unnamed = oh.make_node("Relu", ["y"], ["z"])
    weight = set_metadata(from_array(np.ones(2, np.float32), "w"), role="bias")
    result = make([node, unnamed], [info("x", [2])], [info("z", [2])], [weight])
    result.producer_name, result.producer_version, result.model_version = "me", "1.0", 3
    result.doc_string, result.domain = "a model", "here"
    set_metadata(result, licence="none")
    set_metadata(result.graph, stage="all")
    result.graph.doc_string = "a graph"
    result.graph.input[0].doc_string = "the input"
    annotation = result.graph.quantization_annotation.add(tensor_name="x")
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="w")
    return result


# Models that are refused.


@model
def cycle():
    return make([oh.make_node("Add", ["x", "b"], ["a"], "first"),
                 oh.make_node("Relu", ["a"], ["b"], "second")], [info("x", [2])], [info("b", [2])])


@model
def experimental():
    return make([oh.make_node("ATen", ["x"], ["y"], "aten", operator="foo")], [info("x", [2])],
                [info("y", [2])], opset=9, ir=6)


def external(location, offset=0, length=None, shape=(16, 16), data_type=T.FLOAT):
    tensor = T(name="w", data_type=data_type, dims=shape, data_location=T.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    tensor.external_data.add(key="offset", value=str(offset))
    if length is not None:
        tensor.external_data.add(key="length", value=str(length))
    return make([oh.make_node("Identity", ["w"], ["y"], "use")], [], [info("y", list(shape))],
                [tensor])


@model
def missing_file():
    return external("nowhere.bin")


@model
def outside():
    return external("../outside.bin")


@model
def link():
    return external("link.bin")


@model
def short_file():
    return external("short.bin", offset=8)


@model
def wrong_length():
    return external("short.bin", length=12)


@model
def overflow():
    return external("short.bin", shape=(1 << 40, 1 << 40))


@model
def negative_dim():
    return external("short.bin", shape=(-1, 16))


@model
def element_type():
    return external("short.bin", data_type=99)


@model
def new_opset():
    result = make([oh.make_node("Relu", ["x"], ["y"])], [info("x", [2])], [info("y", [2])])
    result.opset_import[0].version = 99
    return result


@model
def bomb():
    """30 functions that call the one before twice: 2^30 nodes when inlined."""
    functions = []
    for depth in range(30):
        kind, domain = ("Relu", "") if depth == 0 else (f"F{depth - 1}", "my")
        nodes = [oh.make_node(kind, ["a"], ["b"], domain=domain),
                 oh.make_node(kind, ["b"], ["c"], domain=domain)]
        functions.append(oh.make_function("my", f"F{depth}", ["a"], ["c"], nodes,
                                          [oh.make_opsetid("", 27), oh.make_opsetid("my", 1)]))
    return make([oh.make_node("F29", ["x"], ["y"], domain="my")], [info("x", [2])],
                [info("y", [2])], domains=["my"], functions=functions)


@model
def zero_heads():
    """The library's shape inference would divide by it."""
    node = oh.make_node("Attention", ["q", "q", "q"], ["y"], "attention", q_num_heads=1,
                        kv_num_heads=0)
    return make([node], [info("q", [1, 2, 8])], [info("y", [1, 2, 8])])


@model
def wide_axis():
    """The library casts it to int, and writes there."""
    node = oh.make_node("LayerNormalization", ["x", "s"], ["y", "m"], "norm", axis=2**63 - 1)
    return make([node], [info("x", [2, 3]), info("s", [3])], [info("y", [2, 3]), info("m", None)])


@model
def wide_blocks():
    """Their square wraps to 0, by which the library divides."""
    node = oh.make_node("DepthToSpace", ["x"], ["y"], "blocks", blocksize=2**62)
    return make([node], [info("x", [1, 4, 2, 2])], [info("y", None)])


@model
def many_parts():
    """The library makes a list of so many, and reads as many as there are outputs."""
    node = oh.make_node("Split", ["x"], ["y", "z"], "split", num_outputs=2**30)
    return make([node], [info("x", [4])], [info("y", None), info("z", None)])


@model
def empty_function():
    """The library follows a null pointer to the output that nobody makes."""
    function = oh.make_function("my", "Nothing", ["a"], ["b"], [], [oh.make_opsetid("", 11)])
    return make([oh.make_node("Nothing", ["x"], ["y"], "call", domain="my")], [info("x", [2])],
                [info("y", [2])], domains=["my"], functions=[function])


@model
def no_parts():
    """The library would divide by it; the operator gives parts of nothing."""
    node = oh.make_node("SplitToSequence", ["x", "s"], ["y"], "split")
    return make([node], [info("x", [4])], [oh.make_tensor_sequence_value_info("y", T.FLOAT, None)],
                [from_array(np.array(0), "s")])


@model
def long_shapes():
    """The library would make a list of 2^60 extents, of the shape and in its sum."""
    nodes = [oh.make_node("Add", ["s", "s"], ["t"], "sum"),
             oh.make_node("Reshape", ["x", "t"], ["y"], "reshape")]
    return make(nodes, [info("x", [1]), info("s", [2**60], T.INT64)], [info("y", None)])


@model
def no_target():
    """A message of the checker, with its node."""
    return make([oh.make_node("Cast", ["x"], ["y"], "cast")], [info("x", [2])], [info("y", [2])])


@model
def new_ir():
    return make([oh.make_node("Relu", ["x"], ["y"])], [info("x", [2])], [info("y", [2])], ir=99)


@model
def no_version():
    return make([oh.make_node("Relu", ["x"], ["y"])], [info("x", [2])], [info("y", [2])], opset=0)


@model
def wrong_type():
    return make([oh.make_node("Add", ["x", "h"], ["y"], "mixed")],
                [info("x", [2]), info("h", [2], T.FLOAT16)], [info("y", [2])])


@model
def quoted_text():
    """Replaced by a body, in which the attribute stands as text."""
    node = oh.make_node("LinearAttention", ["q", "k", "v"], ["y", "s"], "recurrence",
                        domain="com.microsoft", q_num_heads=2, kv_num_heads=2, state_window=1,
                        update_rule='li"near\\')
    return make([node], [info("q", [1, 3, 8]), info("k", [1, 3, 8]), info("v", [1, 3, 8])],
                [info("y", [1, 3, 8])], opset=23, ir=10, domains=["com.microsoft"])


@model
def unnamed_part():
    """Of a list, the first result has no name."""
    return make([oh.make_node("Split", ["x"], ["", "y"], "parts", num_outputs=2)],
                [info("x", [4])], [info("y", [2])], opset=23, ir=10)


def make_gradient(op, dims, of="y", copies=1):
    """The gradient of a node of x and w by x and w."""
    nodes = [oh.make_node(op, ["x", "w"], ["y"], "product"),
             oh.make_node("Gradient", ["x", "w"] * copies, ["d"], "gradient", xs=["x", "w"], y=of,
                          domain="ai.onnx.preview.training")]
    return make(nodes, [info("x", dims[0]), info("w", dims[1])], [info("d", dims[0])], opset=23,
                ir=10, domains=["ai.onnx.preview.training"])


@model
def gradient():
    """d = w, summed over the rows to which x is repeated; the other gradient is not asked for."""
    return make_gradient("Mul", ([3], ["n", 3]))


@model
def gradient_of_conv():
    return make_gradient("Conv", ([1, 1, 4, 4], [1, 1, 4, 4]))


@model
def gradient_of_nothing():
    return make_gradient("Mul", ([3], [3]), of="z")


@model
def gradient_inputs():
    return make_gradient("Mul", ([3], [3]), copies=2)


@model
def gradient_repeated():
    return make_gradient("Add", (["n", 3], ["m", 3]))


def differentiate(**names):
    return oh.make_node("Gradient", ["x"], ["d"], "gradient", xs=["x"],
                        domain="ai.onnx.preview.training", **names)


def make_around(nodes, *functions):
    """A model of x, w and a condition with the output d."""
    built = make(nodes, [info("x", [3]), info("w", [3]), info("on", [], T.BOOL)], [info("d", [3])],
                 opset=23, ir=10, domains=["ai.onnx.preview.training", "own"])
    built.functions.extend(functions)
    return built


def branch(node):
    return oh.make_graph([node], "branch", [], [info(node.output[0], [3])])


@model
def gradient_of_if():
    """y is made of x on two ways; one is seen only inside the branches."""
    choice = oh.make_node(
        "If", ["on"], ["c"], "choice", then_branch=branch(oh.make_node("Exp", ["x"], ["t"], "then")),
        else_branch=branch(oh.make_node("Neg", ["x"], ["e"], "else")))
    return make_around([choice, oh.make_node("Add", ["x", "c"], ["y"], "sum"), differentiate(y="y")])


@model
def gradient_of_loop():
    body = oh.make_graph(
        [oh.make_node("Identity", ["go"], ["on_"]), oh.make_node("Mul", ["v", "x"], ["v_"])], "body",
        [info("i", [], T.INT64), info("go", [], T.BOOL), info("v", [3])],
        [info("on_", [], T.BOOL), info("v_", [3])])
    return make_around([oh.make_node("Constant", [], ["n"], "three", value_int=3),
                        oh.make_node("Loop", ["n", "", "w"], ["y"], "repeat", body=body),
                        differentiate(y="y")])


@model
def gradient_in_branch():
    """y and x are of the graph around the operator's."""
    choice = oh.make_node(
        "If", ["on"], ["d"], "choice",
        then_branch=oh.make_graph([oh.make_node(
            "Gradient", ["x"], ["t"], "gradient", xs=["x"], y="y",
            domain="ai.onnx.preview.training")], "then", [], [info("t", [3])]),
        else_branch=branch(oh.make_node("Neg", ["x"], ["e"], "else")))
    return make_around([oh.make_node("Mul", ["x", "x"], ["y"], "square"), choice])


@model
def gradient_before():
    return make_around([differentiate(y="y"), oh.make_node("Mul", ["x", "x"], ["y"], "square")])


@model
def gradient_elsewhere():
    """x has 3 elements; the value that the gradient is wanted at has one."""
    nodes = [oh.make_node("Mul", ["x", "w"], ["y"], "product"),
             oh.make_node("Gradient", ["o"], ["d"], "gradient", xs=["x"], y="y",
                          domain="ai.onnx.preview.training")]
    return make(nodes, [info("x", [3]), info("w", [3]), info("o", [1])], [info("d", [1])], opset=23,
                ir=10, domains=["ai.onnx.preview.training"])


@model
def gradient_in_function():
    """y is a value of the caller, not of the function."""
    function = oh.make_function(
        "own", "Differentiate", ["x"], ["d"], [differentiate(y="y")],
        [oh.make_opsetid("", 23), oh.make_opsetid("ai.onnx.preview.training", 1)])
    return make_around([oh.make_node("Mul", ["x", "x"], ["y"], "square"),
                        oh.make_node("Differentiate", ["x"], ["d"], "call", domain="own")], function)


def write(name, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(MODELS[name]().SerializeToString())


def main():
    if sys.argv[1] == "--into":
        for name in sys.argv[3:]:
            write(name, pathlib.Path(sys.argv[2]) / f"{name}.onnx")
    else:
        write(sys.argv[1], pathlib.Path(sys.argv[2]))


if __name__ == "__main__":
    main()
