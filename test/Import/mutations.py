#!/usr/bin/env python3
"""Imports damaged copies of models: each must be read or refused, never crash.

    mutations.py --translate dougong-translate [--count N] FOLDER MODEL...

Copies are cut off, have bytes changed, removed or doubled, from a fixed seed.
"""

import argparse
import pathlib
import random
import subprocess
import sys


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
        path.write_bytes(damage(source.read_bytes(), rng))
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
