"""Runs an ONNX model with onnxruntime, for `dougong verify --against onnxruntime`.

    run_onnxruntime.py REQUEST.json

The request: {"model": file, "values": [names of inner values that are wanted
too], "states": [[input, output], ...], "folder": where tensors are written,
"steps": [[tensor, ...], ...]}. A tensor is {"name", "type" (ONNX number),
"dims", "file" (raw little-endian elements)}, or "strings" instead of "file".
Writes folder/result.json: for each step its tensors in the same form; inner
values that the model's graph does not have are left out.

Exit codes: 0; 3 with one line on stderr; 10 if a module is missing.
"""

import ctypes
import json
import pathlib
import sys

try:
    import numpy
    import onnxruntime
except ImportError as error:
    print(error.name or error, file=sys.stderr)
    sys.exit(10)

STRING = 8
# NumPy types by number of onnx.TensorProto.DataType. The others (bfloat16, 8-bit
# floats) are given as integers of their size.
TYPES = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2",
         11: "f8", 12: "u4", 13: "u8", 14: "c8", 15: "c16"}
SMALL = {16: "u2", 17: "u1", 18: "u1", 19: "u1", 20: "u1"}


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """(number, bytes) of each length-delimited field of a Protobuf message."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            _, at = read_varint(data, at)
        elif kind == 2:
            size, at = read_varint(data, at)
            yield key >> 3, data[at:at + size]
            at += size
        else:
            at += 8 if kind == 1 else 4


def node_outputs(model):
    """Names of the outputs of the nodes of the main graph."""
    # ModelProto.graph = 7, GraphProto.node = 1, NodeProto.output = 2.
    return {bytes(output).decode() for number, graph in fields(model) if number == 7
            for number, node in fields(graph) if number == 1
            for number, output in fields(node) if number == 2}


def delimited(number, payload):
    def varint(value):
        out = bytearray()
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
        return bytes(out)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def with_outputs(model, names):
    """The model with more outputs. Protobuf merges what is appended: the bytes of
    a model with nothing but ValueInfoProtos (GraphProto.output = 12)."""
    outputs = b"".join(delimited(12, delimited(1, name.encode())) for name in names)
    return model + delimited(7, outputs)


def open_session(request):
    options = onnxruntime.SessionOptions()
    # The reference is the model as it is written, operator by operator.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    path = pathlib.Path(request["model"]).resolve()
    if not request["values"]:
        return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    options.add_session_config_entry("session.model_external_initializers_file_folder_path",
                                     str(path.parent))
    model = path.read_bytes()
    known = node_outputs(memoryview(model))
    return onnxruntime.InferenceSession(
        with_outputs(model, [name for name in request["values"] if name in known]), options,
        ["CPUExecutionProvider"])


def read_tensor(tensor):
    number, dims = tensor["type"], tensor["dims"]
    if number == STRING:
        return onnxruntime.OrtValue.ortvalue_from_numpy(
            numpy.array(tensor["strings"], dtype=object).reshape(dims))
    kind = TYPES.get(number) or SMALL.get(number)
    if not kind:
        raise ValueError(f"input '{tensor['name']}' is of a type that cannot be given to onnxruntime")
    array = numpy.fromfile(tensor["file"], dtype=kind).reshape(dims)
    if number in SMALL:
        return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(array, number)
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)


def write_tensor(name, value, path):
    number, dims = value.element_type(), list(value.shape())
    tensor = {"name": name, "type": number, "dims": dims}
    if number == STRING:
        tensor["strings"] = [str(text) for text in value.numpy().ravel()]
        return tensor
    count = 1
    for dim in dims:
        count *= dim
    size = count * numpy.dtype(TYPES.get(number) or SMALL[number]).itemsize
    path.write_bytes(ctypes.string_at(value.data_ptr(), size) if size else b"")
    tensor["file"] = str(path)
    return tensor


def run(request):
    session = open_session(request)
    folder = pathlib.Path(request["folder"])
    names = [output.name for output in session.get_outputs()]
    state, steps = {}, []
    for number, tensors in enumerate(request["steps"]):
        # A state that is kept goes before one that is given, as in the runner.
        feeds = {tensor["name"]: read_tensor(tensor) for tensor in tensors} | state
        values = dict(zip(names, session.run_with_ort_values(names, feeds)))
        state = {source: values[target] for source, target in request["states"]}
        steps.append([
            write_tensor(name, value, folder / f"{number}-{index}.bin")
            for index, (name, value) in enumerate(values.items())
            if value.is_tensor() and value.element_type() in {STRING, *TYPES, *SMALL}])
    (folder / "result.json").write_text(json.dumps(steps))


def main():
    try:
        run(json.loads(pathlib.Path(sys.argv[1]).read_text()))
    except Exception as error:  # whatever onnxruntime raises is the model's or the input's
        lines = str(error).strip().splitlines() or [type(error).__name__]
        print(lines[0], file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
