#!/usr/bin/env python3
"""Writes steps of random inputs: random_steps.py FOLDER x=4x8,cache=1x3x8 x=4x8

Each step is the folder FOLDER/<number>; its inputs are numbered as they stand.
"""

import pathlib
import sys

import numpy as np

random = np.random.default_rng(8)
for number, step in enumerate(sys.argv[2:]):
    folder = pathlib.Path(sys.argv[1]) / str(number)
    folder.mkdir(parents=True)
    for index, part in enumerate(step.split(",")):
        shape = [int(extent) for extent in part.split("=")[1].split("x")]
        np.save(folder / f"input_{index}.npy", random.standard_normal(shape).astype(np.float32))
