#!/usr/bin/env python3
"""What size costs: full-size graphs, deep models, gigabytes of weights.

    bench_scale.py --bin BUILD/bin [--only graphs|layers|packing] [--shapes DIR]

graphs   import, normalize, plan, shard and stage of full-size graphs without weights: CPU seconds,
         peak memory, and the distinct blocks that their layers and experts collapse to
layers   compilation of small llamas of 2, 8, 32 and 100 layers, by part
packing  packaging of 4 GiB of weights, beside a plain copy of the file
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(pathlib.Path(__file__).parent), str(ROOT / "test" / "Scale" / "Inputs")]
import check_memory  # noqa: E402
import check_shapes  # noqa: E402
from llama import make_llama  # noqa: E402

PART = re.compile(r"timing: (\S+) +([\d.]+) s +([\d.]+) s CPU +(\d+) MB")


def compile_timed(model, *arguments):
    """(part -> CPU seconds, peak MB, wall seconds of `weights`)."""
    result = subprocess.run(["dougong", "compile", str(model), "--timing", *map(str, arguments)],
                            capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{model}: {result.stderr}")
    seconds, wall, peak = {}, {}, 0
    for part, elapsed, cpu, memory in PART.findall(result.stderr):
        seconds[part] = seconds.get(part, 0) + float(cpu)
        wall[part] = wall.get(part, 0) + float(elapsed)
        peak = max(peak, int(memory))
    return seconds, peak, wall


def bench_graphs(shapes, scratch):
    print(f"{'graph':<18} {'import':>7} {'normal.':>7} {'MB':>5} {'blocks':>6} |"
          f" {'plan':>6} {'shard':>6} {'stage':>6} {'MB':>5}   (CPU s; tp=8,pp=4)")
    for folder in sorted(path for path in shapes.iterdir() if path.is_dir()):
        model, output = check_shapes.unpack(folder, scratch), scratch / "out.mlir"
        read, peak, _ = compile_timed(model, "--stop-after=normalize", "-o", output)
        blocks = check_shapes.count_blocks(output)
        cut, most, _ = compile_timed(model, "--stop-after=stage", "--parallel=tp=8,pp=4", "-o",
                                     output)
        print(f"{folder.name:<18} {read['import']:7.2f} {read['normalize']:7.2f} {peak:5} "
              f"{blocks:6} | {cut['plan']:6.2f} {cut['shard']:6.2f} {cut['stage']:6.2f} {most:5}",
              flush=True)


def bench_layers(scratch):
    first = None
    for layers in (2, 8, 32, 100):
        model = scratch / f"llama{layers}.onnx"
        make_llama(model, layers)
        seconds, peak, _ = compile_timed(model, "--quiet", "-o", scratch / "package")
        total = sum(seconds.values())
        first = first or total
        parts = ", ".join(f"{part} {value:.2f}" for part, value in seconds.items())
        print(f"{layers:3} layers: {total:6.2f} s CPU ({total / first:.1f} x), {peak} MB: {parts}",
              flush=True)


def bench_packing(scratch):
    model = scratch / "model.onnx"
    check_memory.make_model(model, check_memory.WIDTH, check_memory.LAYERS, embedded=False)
    size = (scratch / "weights.bin").stat().st_size
    start = time.monotonic()
    with open(scratch / "weights.bin", "rb") as source, open(scratch / "copy.bin", "wb") as target:
        while block := source.read(1 << 24):
            target.write(block)
    seconds = time.monotonic() - start
    print(f"plain copy of {size / 1e9:.1f} GB: {size / seconds / 1e9:.2f} GB/s", flush=True)
    os.remove(scratch / "copy.bin")
    for strategy in ((), ("--parallel=tp=2",), ("--parallel=tp=8",)):
        _, peak, wall = compile_timed(model, "--quiet", *strategy, "-o", scratch / "package")
        print(f"panels {' '.join(strategy) or 'on one rank'}: {size / wall['weights'] / 1e9:.2f} GB/s, "
              f"peak {peak} MB", flush=True)
        shutil.rmtree(scratch / "package")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--only", choices=["graphs", "layers", "packing"])
    parser.add_argument("--shapes", type=pathlib.Path,
                        default=ROOT.parent / "shared" / "data" / "llm-shapes")
    options = parser.parse_args()
    os.environ["PATH"] = f"{options.bin.resolve()}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        if options.only in (None, "graphs"):
            bench_graphs(options.shapes, scratch)
        if options.only in (None, "layers"):
            bench_layers(scratch)
        if options.only in (None, "packing"):
            bench_packing(scratch)


if __name__ == "__main__":
    main()
