#!/usr/bin/env python3
"""Imports damaged copies of models: each must be read or refused, never crash.

    mutations.py --translate dougong-translate [--count N] FOLDER MODEL...

Every other copy is cut off or has bytes changed, removed or doubled; the others
have fields changed, so that they are well-formed but senseless. The seed is fixed.
"""

import argparse
import pathlib
import random
import subprocess
import sys

import onnx


def damage(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(data)) if data else 0
        kind = rng.randrange(4)
        if kind == 0 and data:
            data[at] = rng.choice((0, 1, 0x7f, 0x80, 0xff, rng.randrange(256)))
        elif kind == 1 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[at:at + rng.choice((1, 2, 8))]
        else:
            data[at:at] = data[at:at + rng.choice((1, 4, 40))]
    if rng.randrange(6) == 0:
        del data[rng.randrange(len(data) + 1):]
    return bytes(data)


def collect(message, fields, names):
    """All set fields of a message and its parts, and all strings in it."""
    for descriptor, value in message.ListFields():
        repeated = descriptor.is_repeated
        fields.append((message, descriptor))
        for part in value if repeated else [value]:
            if descriptor.type == descriptor.TYPE_MESSAGE:
                collect(part, fields, names)
            elif descriptor.type == descriptor.TYPE_STRING:
                names.append(part)


def change(value, descriptor, rng, names):
    if descriptor.type == descriptor.TYPE_STRING:
        return rng.choice(names + ["", "nothing"])
    if descriptor.type == descriptor.TYPE_BYTES:
        return value[:rng.randrange(len(value) + 1)]
    if descriptor.type in (descriptor.TYPE_FLOAT, descriptor.TYPE_DOUBLE):
        return rng.choice((0.0, -1.0, float("nan"), float("inf")))
    if descriptor.type in (descriptor.TYPE_INT32,):
        return rng.choice((0, 1, 2, 7, 8, 21, 27))
    return rng.choice((0, -1, 1, 2, 3, 1 << 31, (1 << 63) - 1, -(1 << 63), value ^ 1))


def confuse(data, rng):
    model = onnx.ModelProto.FromString(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        fields, names = [], []
        collect(model, fields, names)
        message, descriptor = rng.choice(fields)
        kind = rng.randrange(5)
        if descriptor.type == descriptor.TYPE_ENUM and kind != 0:
            continue  # Protobuf's Python does not set undefined values
        if kind == 0:
            message.ClearField(descriptor.name)
        elif descriptor.is_repeated:
            values = getattr(message, descriptor.name)
            at = rng.randrange(len(values))
            if kind == 1:
                del values[at]
            elif kind == 2:
                values.append(values[at])
            elif descriptor.type != descriptor.TYPE_MESSAGE:
                values[at] = change(values[at], descriptor, rng, names)
        elif descriptor.type != descriptor.TYPE_MESSAGE:
            value = change(getattr(message, descriptor.name), descriptor, rng, names)
            setattr(message, descriptor.name, value)
    return model.SerializeToString()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--translate", default="dougong-translate")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    paths = []
    for index in range(options.count):
        source = options.models[index % len(options.models)]
        path = options.folder / f"{index}-{source.stem}.onnx"
        data = source.read_bytes()
        path.write_bytes(confuse(data, rng) if index // len(options.models) % 2 else damage(data, rng))
        paths.append(path)
    crashed, read, rest = [], 0, paths
    while rest:
        done = subprocess.run([options.translate, "--check", *map(str, rest)], capture_output=True,
                              text=True, errors="replace")
        lines = [l for l in done.stdout.splitlines() if l.startswith(("ok ", "refused "))]
        read += sum(line.startswith("ok ") for line in lines)
        if done.returncode == 0:
            break
        crashed.append(rest[len(lines)])
        rest = rest[len(lines) + 1:]
    print(f"{len(paths)} damaged models: {read} read, {len(paths) - read - len(crashed)} refused, "
          f"{len(crashed)} crashed")
    for path in crashed:
        print(path)
    return 1 if crashed else 0


if __name__ == "__main__":
    sys.exit(main())
