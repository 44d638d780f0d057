"""Writes tensor files of every element type with the onnx package and NumPy, or
compares files with what it would write. Used by TensorIOTest.cpp."""

import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHAPES = [(), (3,), (2, 3), (0, 4), (2, 1, 5)]
NUMPY_TYPES = "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 ?".split()
SMALL_TYPES = ["BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E5M2", "UINT4", "INT4", "FLOAT4E2M1", "UINT2",
               "INT2"]


def values(count):
    """A few numbers that every type can hold, and signs where it has them."""
    return np.array([(7 * i + 3) % 6 for i in range(count)])


def tensors():
    """(file stem, TensorProto, bytes in memory, type number, shape)"""
    for shape in SHAPES:
        count = int(np.prod(shape))
        for code in NUMPY_TYPES + ["c8", "c16"]:
            array = values(count).astype(code).reshape(shape)
            if code[0] in "fci":
                array = array - np.array(2).astype(code)
            dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
            raw = numpy_helper.from_array(array, "the name")
            stem = f"{array.dtype.name}_{'x'.join(map(str, shape))}"
            yield stem + "_raw", raw, array.tobytes(), dtype, shape
            typed = helper.make_tensor("the name", dtype, shape, array.flatten())
            yield stem + "_typed", typed, array.tobytes(), dtype, shape
        for name in SMALL_TYPES:
            dtype = getattr(TensorProto, name)
            numbers = values(count) % 2 if name == "INT2" else values(count)
            numbers = numbers % 4 if name == "UINT2" else numbers
            typed = helper.make_tensor("the name", dtype, shape, numbers.tolist())
            memory = packed(typed, name)
            yield f"{name}_{'x'.join(map(str, shape))}_typed", typed, memory, dtype, shape
            raw = TensorProto(name="the name", data_type=dtype, dims=shape, raw_data=memory)
            yield f"{name}_{'x'.join(map(str, shape))}_raw", raw, memory, dtype, shape
        texts = [f"text {i} \u6597\u62f1".encode() for i in range(count)]
        proto = helper.make_tensor("the name", TensorProto.STRING, shape, texts)
        memory = b"".join(text + b"\n" for text in texts)
        yield f"string_{'x'.join(map(str, shape))}", proto, memory, TensorProto.STRING, shape


def packed(proto, name):
    """The bytes in memory, from onnx's own reading of the values."""
    array = numpy_helper.to_array(proto).flatten()
    if name == "BFLOAT16" or name.startswith("FLOAT8"):
        return array.tobytes()
    bits = 2 if name.endswith("INT2") else 4
    codes = array.view(np.uint8) & (2**bits - 1)
    per_byte = 8 // bits
    codes = np.append(codes, np.zeros(-len(codes) % per_byte, np.uint8)).reshape(-1, per_byte)
    shifts = np.arange(per_byte, dtype=np.uint8) * bits
    return np.bitwise_or.reduce(codes << shifts, axis=1).astype(np.uint8).tobytes()


def arrays():
    """(file stem, array)"""
    for shape in SHAPES:
        for code in NUMPY_TYPES + ["c8", "c16"]:
            array = values(int(np.prod(shape))).astype(code).reshape(shape)
            stem = f"{array.dtype.name}_{'x'.join(map(str, shape))}"
            yield stem + "_c", array
            yield stem + "_fortran", np.asfortranarray(array)
            yield stem + "_big", array.astype(array.dtype.newbyteorder(">"))


def write_facts(path, memory, dtype, shape):
    with open(path + ".bytes", "wb") as file:
        file.write(memory)
    with open(path + ".facts", "w") as file:
        file.write(f"{int(dtype)} [{', '.join(map(str, shape))}]\n")


def write(folder):
    for stem, proto, memory, dtype, shape in tensors():
        path = os.path.join(folder, stem + ".pb")
        onnx.save_tensor(proto, path)
        write_facts(path, memory, dtype, shape)
    for stem, array in arrays():
        path = os.path.join(folder, stem + ".npy")
        np.save(path, array)
        native = array.astype(array.dtype.newbyteorder("="))
        dtype = helper.np_dtype_to_tensor_dtype(native.dtype)
        write_facts(path, native.tobytes(), dtype, array.shape)


def compare(folder):
    for stem, proto, _, _, shape in tensors():
        got = onnx.load_tensor(os.path.join(folder, stem + ".pb"))
        onnx.checker.check_tensor(got)
        assert got.name == "the name" and tuple(got.dims) == tuple(shape), stem
        mine, theirs = numpy_helper.to_array(proto), numpy_helper.to_array(got)
        assert mine.dtype == theirs.dtype and mine.tobytes() == theirs.tobytes() \
            if mine.dtype != object else mine.tolist() == theirs.tolist(), stem
    for stem, array in arrays():
        got = np.load(os.path.join(folder, stem + ".npy"))
        assert got.shape == array.shape and np.array_equal(got, array), stem
        assert got.dtype == array.dtype.newbyteorder("="), stem


if __name__ == "__main__":
    {"write": write, "compare": compare}[sys.argv[1]](sys.argv[2])
