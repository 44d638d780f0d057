#!/usr/bin/env python3
"""Runs the graphs of graphs.py through `dougong run` and compares with ONNX Runtime."""

import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnx.parser

from check_ops import run_compiled, run_reference
import graphs


def main():
    failures = 0
    for name, text, inputs in graphs.CASES:
        model = onnx.parser.parse_model(text)
        feeds = {value.name: np.asarray(array) for value, array in zip(model.graph.input, inputs, strict=True)}
        expected = run_reference(model, feeds)
        with tempfile.TemporaryDirectory() as folder:
            got = run_compiled(model, feeds, pathlib.Path(folder))
        for output, actual, wanted in zip(model.graph.output, got, expected, strict=True):
            if actual.dtype != wanted.dtype or not np.array_equal(actual, wanted):
                failures += 1
                print(f"{name}, {output.name}: got {actual}, expected {wanted}")
    print(f"{len(graphs.CASES)} graphs, {failures} outputs wrong")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
