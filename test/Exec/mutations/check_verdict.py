#!/usr/bin/env python3
"""What verdict.py says of messages: names may hold anything, the rest may not."""

from verdict import judge

GOOD = ("error: m.onnx: node 'a\\nb': axis is 3, expected 0 to 1",
        "error: m.onnx: node 'a': it has no value 'x.cc:12'")
BAD = {"error: m.onnx: node 'a': axis is 3\\nexpected 0": "the message is the library's",
       "error: m.onnx: node 'a': [ShapeInferenceError] of 'a'": "the message is the library's",
       "error: m.onnx: node 'a': Axis is 3": "the message begins with a capital",
       "error: axis is 3": "the message names no file, node or stage"}

for line in GOOD:
    assert judge(("exit", "3"), line, "m.onnx") == "", line
for line, fault in BAD.items():
    assert judge(("exit", "3"), line, "m.onnx") == fault, line
