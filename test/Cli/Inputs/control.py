"""Gives the driver names with control characters, which lit's shell cannot write, and
prints what it says."""

import subprocess

for command in (["compile", "new\nline\x1b[31m.onnx", "-o", "out"], ["fleet", "show", "new\nline"]):
    done = subprocess.run(["dougong", *command], capture_output=True, text=True, timeout=120)
    print(done.stderr, end="")
