"""Writes strict.onnx and folders of recorded data, right and wrong, for verify.

    make_strict.py FOLDER

The model adds zero to x and to k, casts z to int4 and tells where k is above
zero. Each folder but same/ and none/ has one output that is wrong or missing.
"""

import pathlib
import sys

import numpy
from onnx import TensorProto, helper, numpy_helper

INF, NAN = numpy.inf, numpy.nan
INPUTS = {"x": numpy.float32([INF, -INF, NAN, 1]),
          "k": numpy.int64([1500, 2**53 + 1, -1, 0]),
          "z": numpy.float32([1, -2, 3])}
INT4 = TensorProto.INT4
OUTPUTS = {"y": (TensorProto.FLOAT, [INF, -INF, NAN, 1]),
           "n": (TensorProto.INT64, [1500, 2**53 + 1, -1, 0]),
           "q": (INT4, [1, -2, 3]),
           "p": (TensorProto.BOOL, [True, True, False, False])}
WRONG = {"same": {},
         "infinite": {"y": [INF, -INF, NAN, INF]},
         "finite": {"y": [2, -INF, NAN, 1]},
         "opposite": {"y": [INF, INF, NAN, 1]},
         "no-nan": {"y": [INF, -INF, 0, 1]},
         "nan": {"y": [INF, -INF, NAN, NAN]},
         "one-off": {"n": [1501, 2**53 + 1, -1, 0]},
         "large": {"n": [1500, 2**53, -1, 0]},
         "packed": {"q": [2, -3, 3]},
         "bool": {"p": [True, False, False, False]},
         "missing": {"y": None},
         "none": dict.fromkeys(OUTPUTS)}


def write_model(folder):
    zeros = {"x0": numpy.float32([0]), "k0": numpy.int64([0])}
    nodes = [helper.make_node("Add", ["x", "x0"], ["y"]),
             helper.make_node("Add", ["k", "k0"], ["n"]),
             helper.make_node("Cast", ["z"], ["q"], to=INT4),
             helper.make_node("Greater", ["k", "k0"], ["p"])]
    inputs = [helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in INPUTS.items()]
    outputs = [helper.make_tensor_value_info(name, kind, [len(values)])
               for name, (kind, values) in OUTPUTS.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs,
                              [numpy_helper.from_array(v, name) for name, v in zeros.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    (folder / "strict.onnx").write_bytes(model.SerializeToString())


def write_data(folder, wrong):
    folder.mkdir()
    for index, (name, value) in enumerate(INPUTS.items()):
        tensor = numpy_helper.from_array(value, name)
        (folder / f"input_{index}.pb").write_bytes(tensor.SerializeToString())
    for index, (name, (kind, values)) in enumerate(OUTPUTS.items()):
        values = wrong.get(name, values)
        if values is not None:
            tensor = helper.make_tensor(name, kind, [len(values)], values)
            (folder / f"output_{index}.pb").write_bytes(tensor.SerializeToString())


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True)
    write_model(folder)
    for name, wrong in WRONG.items():
        write_data(folder / name, wrong)


if __name__ == "__main__":
    main()
