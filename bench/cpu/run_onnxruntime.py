#!/usr/bin/env python3
"""Runs a model in onnxruntime for a while and prints the median time of a step.

    run_onnxruntime.py MODEL INPUT_FOLDER THREADS SECONDS
"""

import json
import pathlib
import statistics
import sys
import time

import onnx
import onnxruntime


def main():
    model, folder, threads, seconds = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feeds = {}
    for index, value in enumerate(session.get_inputs()):
        tensor = onnx.load_tensor(pathlib.Path(folder) / f"input_{index}.pb")
        feeds[value.name] = onnx.numpy_helper.to_array(tensor)
    for _ in range(3):
        session.run(None, feeds)
    times = []
    end = time.perf_counter() + float(seconds)
    while time.perf_counter() < end or len(times) < 5:
        begin = time.perf_counter()
        session.run(None, feeds)
        times.append(time.perf_counter() - begin)
    print(json.dumps({"median": statistics.median(times), "best": min(times)}))


if __name__ == "__main__":
    main()
