"""Models whose stages pass on what is not known before they run, and what numpy says
of them. Whole numbers only, so that all is exact.

    between_stages.py make FOLDER
    between_stages.py compare GOT EXPECTED    every output_0.pb below EXPECTED
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

random = np.random.default_rng(3)


def whole(*shape):
    return random.integers(-2, 3, shape).astype(np.float32)


def save(folder, nodes, inputs, output, weights):
    def declare(name, dims, kind=TensorProto.FLOAT):
        return helper.make_tensor_value_info(name, kind, dims)

    graph = helper.make_graph(nodes, folder.name, [declare(*i) for i in inputs], [declare(*output)],
                              [numpy_helper.from_array(w, name) for name, w in weights.items()])
    folder.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9),
              folder / "model.onnx")


def save_step(folder, inputs, output):
    folder.mkdir()
    for index, value in enumerate(inputs):
        onnx.save_tensor(numpy_helper.from_array(value), folder / f"input_{index}.pb")
    onnx.save_tensor(numpy_helper.from_array(output), folder / "output_0.pb")


def make(root):
    node = helper.make_node
    w, x = whole(4, 4), whole(3, 4)
    # The positions that the last stage finds go to rank 0, which is not in it.
    folder = root / "last"
    save(folder, [node("MatMul", ["x", "w"], ["h"], "first"), node("Relu", ["h"], ["r"], "relu"),
                  node("MatMul", ["r", "w"], ["y"], "second"), node("NonZero", ["y"], ["z"], "find")],
         [("x", ["b", 4])], ("z", [2, "n"], TensorProto.INT64), {"w": w})
    save_step(folder / "data", [x], np.array(np.nonzero(np.maximum(x @ w, 0) @ w)))

    # The positions that the first stage finds go to the second one.
    folder = root / "cross"
    save(folder, [node("MatMul", ["x", "w"], ["h"], "first"), node("NonZero", ["h"], ["z"], "find"),
                  node("Transpose", ["z"], ["t"], "turn", perm=[1, 0]),
                  node("GatherND", ["h", "t"], ["g"], "gather"),
                  node("MatMul", ["h", "w"], ["k"], "second"),
                  node("ReduceSum", ["k"], ["s"], "sum", keepdims=0),
                  node("Add", ["g", "s"], ["y"], "add")],
         [("x", ["b", 4])], ("y", ["n"]), {"w": w})
    h = x @ w
    save_step(folder / "data", [x], (h[np.nonzero(h)] + (h @ w).sum()).astype(np.float32))

    # The last stage makes the state that the first one reads.
    folder = root / "state"
    a, b = whole(8, 4), whole(4, 4)
    save(folder, [node("Concat", ["x", "past"], ["both"], "join", axis=1),
                  node("MatMul", ["both", "a"], ["h"], "first"), node("Relu", ["h"], ["r"], "relu"),
                  node("MatMul", ["r", "b"], ["present"], "second")],
         [("x", ["b", 4]), ("past", ["b", 4])], ("present", ["b", 4]), {"a": a, "b": b})
    past = whole(3, 4)
    for step in range(3):
        x = whole(3, 4)
        present = np.maximum(np.concatenate([x, past], 1) @ a, 0) @ b
        save_step(folder / f"step_{step}", [x] if step else [x, past], present)
        past = present


def compare(got, expected):
    files = sorted(expected.rglob("output_0.pb"))
    assert files, f"no outputs in {expected}"
    for file in files:
        wanted = numpy_helper.to_array(onnx.load_tensor(file))
        place = got / file.relative_to(expected)
        np.testing.assert_array_equal(numpy_helper.to_array(onnx.load_tensor(place)), wanted,
                                      err_msg=str(place), strict=True)
    print(f"{len(files)} equal")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(pathlib.Path(sys.argv[2]))
    else:
        compare(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
