"""Damages models and packages at random and sees that all are refused or run.

    fuzz.py models DOUGONG SCRATCH MODEL...
    fuzz.py packages DOUGONG SCRATCH PACKAGE INPUTS

The damage is truncation and changed bytes, from a fixed seed. Every command must
end by itself, with an exit code that the documentation has for bad input, without
a stack trace; what is refused leaves no output behind.
"""

import pathlib
import random
import shutil
import subprocess
import sys

TRACES = ("Stack dump", "PLEASE submit", "Assertion", "terminate called", "LLVM ERROR")
# 5: a program may stop on its checks; 6 and signals are defects.
ALLOWED = {0, 2, 3, 4, 5}
ROUNDS = 12


def damage(data, rng):
    data = bytearray(data)
    kind = rng.randrange(3)
    if kind == 0:
        return bytes(data[:rng.randrange(len(data))])
    for _ in range(1 if kind == 1 else 8):
        # Structure is at both ends of a file more often than in its weights.
        at = min(int(rng.expovariate(1 / 400)), len(data) - 1)
        if rng.randrange(2):
            at = len(data) - 1 - at
        data[at] ^= 1 << rng.randrange(8)
    return bytes(data)


def run(command, faults, what):
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
    except subprocess.TimeoutExpired:
        faults.append(f"{what}: no end after 60 s")
        return None
    trace = next((trace for trace in TRACES if trace in done.stderr), None)
    if done.returncode not in ALLOWED or trace:
        faults.append(f"{what}: exit code {done.returncode}: {done.stderr[-300:]}")
    elif done.returncode and "error: " not in done.stderr + done.stdout:
        faults.append(f"{what}: exit code {done.returncode} without a message")
    return done.returncode


def fuzz_models(dougong, scratch, models):
    faults, codes = [], []
    for model in models:
        data = pathlib.Path(model).read_bytes()
        rng = random.Random(f"{len(data)}")
        for number in range(ROUNDS):
            what = f"{pathlib.Path(model).name} {number}"
            file, output = scratch / "model.onnx", scratch / "out"
            file.write_bytes(damage(data, rng))
            stop = [] if number % 4 == 0 else ["--stop-after", "stage"]
            code = run([dougong, "compile", file, "-o", output, "--quiet", *stop], faults, what)
            codes.append(code)
            if code and output.exists():
                faults.append(f"{what}: exit code {code}, but there is an output")
            if output.is_dir():
                shutil.rmtree(output)
            elif output.exists():
                output.unlink()
    return faults, codes


def fuzz_packages(dougong, scratch, package, inputs):
    faults, codes = [], []
    files = [file for file in sorted(pathlib.Path(package).rglob("*"))
             if file.is_file() and file.suffix != ".html" and file.stat().st_size]
    rng = random.Random("packages")
    for number in range(ROUNDS):
        copy = scratch / "package"
        shutil.copytree(package, copy)
        file = copy / files[number % len(files)].relative_to(package)
        file.write_bytes(damage(file.read_bytes(), rng))
        what = f"{file.name} {number}"
        for command in (["check", copy], ["explain", copy, "rank 0"],
                        ["run", copy, "--inputs", inputs, "--outputs", scratch / "out"]):
            codes.append(run([dougong, *command], faults, f"{what}: {command[0]}"))
        shutil.rmtree(copy)
    return faults, codes


def main():
    what, dougong, scratch = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    scratch.mkdir(parents=True)
    faults, codes = (fuzz_models(dougong, scratch, sys.argv[4:]) if what == "models" else
                     fuzz_packages(dougong, scratch, sys.argv[4], sys.argv[5]))
    for fault in faults:
        print(fault)
    refused = sum(1 for code in codes if code)
    print(f"{len(codes)} commands, {'some' if refused else 'none'} refused, {len(faults)} faults")
    return 1 if faults or not refused else 0


if __name__ == "__main__":
    sys.exit(main())
