"""Full-size graphs without weights: time, memory and distinct blocks of import and normalize.

    check_shapes.py SHAPES SCRATCH

Prints a line for each graph; fails if one takes more than its bound. Seconds are CPU seconds, so
that what else the machine does counts little.
"""

import lzma
import pathlib
import re
import subprocess
import sys

# CPU seconds of import and normalize, peak MB, distinct blocks.
SMALL, DEEPSEEK = (3, 1074, 6), (40, 4295, 12)


def unpack(folder, scratch):
    target = scratch / folder.name / "model.onnx"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        packed = folder / "model.onnx.xz"
        data = lzma.decompress(packed.read_bytes()) if packed.exists() else (
            folder / "model.onnx").read_bytes()
        target.write_bytes(data)
    return target


def run(*command):
    """What a command wrote."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{command}: exit code {result.returncode}\n{result.stderr}")
    return result.stdout + result.stderr


def count_blocks(normalized):
    """The distinct blocks that layers and experts collapse to."""
    text = run("dougong-opt", normalized, "--onnx-outline-blocks=statistics", "-o", "/dev/null")
    return int(re.search(r"(\d+) distinct repeated blocks", text)[1])


def measure(model, output):
    """CPU seconds, peak MB and blocks."""
    text = run("dougong", "compile", model, "--stop-after=normalize", "--timing", "-o", output)
    parts = re.findall(r"timing: (\w+) +[\d.]+ s +([\d.]+) s CPU +(\d+) MB", text)
    return (sum(float(part[1]) for part in parts), max(int(part[2]) for part in parts),
            count_blocks(output))


def main():
    shapes, scratch = map(pathlib.Path, sys.argv[1:])
    scratch.mkdir(parents=True, exist_ok=True)
    failed = False
    for folder in sorted(path for path in shapes.iterdir() if path.is_dir()):
        got = measure(unpack(folder, scratch), scratch / "normalized.mlir")
        bounds = DEEPSEEK if folder.name.startswith("deepseek") else SMALL
        good = got[0] < bounds[0] and got[1] < bounds[1] and 0 < got[2] <= bounds[2]
        failed |= not good
        print(f"{folder.name}: {got[0]:.2f} s CPU, {got[1]} MB, {got[2]} distinct blocks"
              + ("" if good else f": more than {bounds[0]} s, {bounds[1]} MB or {bounds[2]} blocks, "
                                 "or none"))
    sys.exit(failed)


if __name__ == "__main__":
    main()
