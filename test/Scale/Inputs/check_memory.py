"""Models of gigabytes of weights: what the compiler holds while it reads and packages them.

    check_memory.py SCRATCH

Weights are zeros but for the number of their layer, in files that take no room on disk; the package
takes 4 GiB. Without room for that nothing is tested. Peaks are those of the kernel, so mapped files
count as far as their pages are held.
"""

import os
import pathlib
import shutil
import sys

import onnx
from onnx import TensorProto, helper

GIB = 1 << 30
WIDTH, LAYERS = 16384, 4  # a layer is a matrix of 1 GiB, f32


def make_model(path, rows, layers, embedded):
    """x times a chain of [rows, WIDTH] matrices, each on its own."""
    nodes, outputs, weights = [], [], []
    size = rows * WIDTH * 4
    for layer in range(layers):
        nodes.append(helper.make_node("MatMul", ["x", f"w{layer}"], [f"y{layer}"]))
        outputs.append(helper.make_tensor_value_info(f"y{layer}", TensorProto.FLOAT, [1, WIDTH]))
        weight = TensorProto(name=f"w{layer}", data_type=TensorProto.FLOAT, dims=[rows, WIDTH])
        if not embedded:
            weight.data_location = TensorProto.EXTERNAL
            for key, value in (("location", "weights.bin"), ("offset", layer * size),
                               ("length", size)):
                weight.external_data.add(key=key, value=str(value))
        weights.append(weight)
    graph = helper.make_graph(nodes, "wide", [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, rows])], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=11)
    if not embedded:
        model.graph.initializer.extend(weights)
        path.write_bytes(model.SerializeToString())
        with open(path.parent / "weights.bin", "wb") as file:
            file.truncate(layers * size)
            for layer in range(layers):
                file.seek(layer * size)
                file.write(layer.to_bytes(4, "little"))
        return
    # By hand: Protobuf would hold the bytes. Fields: ModelProto.graph = 7,
    # GraphProto.initializer = 5, TensorProto.raw_data = 9.
    head = graph.SerializeToString()
    model.ClearField("graph")
    tensors = [weight.SerializeToString() for weight in weights]
    lengths = [len(text) + len(field(9, size)) + size for text in tensors]
    total = len(head) + sum(len(field(5, length)) + length for length in lengths)
    with open(path, "wb") as file:
        file.write(model.SerializeToString() + field(7, total) + head)
        for layer, (text, length) in enumerate(zip(tensors, lengths)):
            file.write(field(5, length) + text + field(9, size) + layer.to_bytes(4, "little"))
            file.seek(size - 4, os.SEEK_CUR)
        file.truncate()


def field(number, length):
    """Tag and length of a field of bytes."""
    text = b""
    for value in (number << 3 | 2, length):
        while value >= 0x80:
            text += bytes([value & 0x7f | 0x80])
            value >>= 7
        text += bytes([value])
    return text


def peak(*arguments):
    """Runs `dougong compile`; its peak memory in bytes."""
    command = ["dougong", "compile", *map(str, arguments)]
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed")
    return usage.ru_maxrss * 1024


def check(what, bytes, bound):
    good = bytes < bound
    print(f"{what}: {bytes / GIB:.2f} GiB, {'under' if good else 'NOT under'} {bound / GIB:.2f}")
    return good


def main():
    scratch = pathlib.Path(sys.argv[1])
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    if shutil.disk_usage(scratch).free < 10 * GIB:
        print("less than 10 GiB of disk: nothing tested")
        return
    try:
        model, embedded = scratch / "model.onnx", scratch / "embedded.onnx"
        make_model(model, WIDTH, LAYERS, embedded=False)
        make_model(embedded, WIDTH // 8, 15, embedded=True)
        good = [
            check("import of 4 GiB beside the model",
                  peak(model, "--stop-after=normalize", "-o", scratch / "ir.mlir"), 0.3 * GIB),
            check("import of 1.9 GiB in the model",
                  peak(embedded, "--stop-after=normalize", "-o", scratch / "ir.mlir"), 0.3 * GIB),
            # Halves of columns: of every row of the file a part.
            check("package of 4 GiB in shards of 0.5 GiB",
                  peak(model, "--quiet", "--parallel", "tp=2", "-o", scratch / "package"),
                  1.3 * GIB / 2)]
        sys.exit(not all(good))
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
