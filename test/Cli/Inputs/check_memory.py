#!/usr/bin/env python3
"""Compares the memory proof of a package with what the runner takes.

    check_memory.py PACKAGE STEP... [--arena | --exact] [--state INPUT=OUTPUT]

STEP is a folder of inputs, or "x=4x8,cache=1x3x8": the shapes of the float inputs
that are given; several steps are one run. On every rank the weights must be what
the proof says, and the most bytes in use at one time within it. With --arena the
arena must be all of what the proof says; with --exact also the bytes in use,
but for the given inputs, which the runner does not copy where a rank takes them
whole, and the buffers of messages.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("package", type=pathlib.Path)
parser.add_argument("steps", nargs="+")
parser.add_argument("--arena", action="store_true")
parser.add_argument("--exact", action="store_true")
parser.add_argument("--state")
options = parser.parse_args()
plan = json.loads((options.package / "plan.json").read_text())
names = [value["name"] for value in plan["model"]["inputs"]]

with tempfile.TemporaryDirectory() as scratch:
    command = ["dougong-runner", str(options.package), "--json", "--profile"]
    given = 0  # bytes of the last step's inputs
    for number, step in enumerate(options.steps):
        folder = pathlib.Path(step)
        if "=" in step:
            folder = pathlib.Path(scratch) / str(number)
            folder.mkdir()
            given = 0
            for part in step.split(","):
                name, shape = part.split("=")
                tensor = np.ones([int(extent) for extent in shape.split("x")], np.float32)
                given += tensor.nbytes
                np.save(folder / f"input_{names.index(name)}.npy", tensor)
        command += ["--inputs", str(folder)]
    if options.state:
        command += ["--state", options.state]
    result = subprocess.run(command, capture_output=True, text=True, timeout=100)
    if result.returncode:
        sys.exit(result.stderr)

stages = {stage["name"]: stage for stage in plan["stages"]}
failed = False
for rank in json.loads(result.stdout)["profile"]:
    (taken,) = rank["stages"]
    (memory,) = stages[taken["stage"]]["memory"]
    part = lambda name: int(memory.get(name, 0))
    arena = part("activations") + part("workspace")
    rest = part("total") - part("weights")
    print(f"rank {rank['rank']}: arena {taken['arena_bytes']} of {arena}, weights "
          f"{taken['weight_bytes']} of {part('weights')}, in use {rank['peak_bytes']} of "
          f"{rest} ({memory['bound']})")
    failed |= taken["arena_bytes"] > arena or rank["peak_bytes"] > rest
    failed |= taken["weight_bytes"] != part("weights")
    if options.arena or options.exact:
        failed |= taken["arena_bytes"] != arena
    if options.exact:
        failed |= rank["peak_bytes"] != rest - part("collectives") - given
print("differs" if failed else "as proved")
sys.exit(failed)
