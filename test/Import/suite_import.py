#!/usr/bin/env python3
"""Imports every model of the ONNX backend-test suite.

    suite_import.py --translate dougong-translate

Fails if the importer crashes, if the suite is not the one that is expected
(1,914 models in onnx 1.22.0), or if a model is refused that refused.list beside
this file does not list with its reason.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import onnx

EXPECTED_MODELS = 1914
BATCH = 200


def find_models():
    data = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data"
    models = []
    for part in ("node", "simple", "pytorch-operator", "pytorch-converted"):
        models += sorted((data / part).glob("*/model.onnx"))
    return models + sorted((data / "light").glob("*.onnx"))


def import_batch(translate, models):
    """Verdict lines of the batch, and the model that killed the tool, if any."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as paths:
        paths.write("\n".join(map(str, models)))
        paths.flush()
        done = subprocess.run([translate, "--check-list", paths.name], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    crashed = models[len(lines)] if done.returncode != 0 and len(lines) < len(models) else None
    return lines, crashed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--translate", default="dougong-translate")
    options = parser.parse_args()

    listed = set()
    for line in (pathlib.Path(__file__).parent / "refused.list").read_text().splitlines():
        if line and not line.startswith("#"):
            listed.add(line.split(":")[0])

    models = find_models()
    root = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data"
    imported, problems = 0, []
    for start in range(0, len(models), BATCH):
        rest = models[start:start + BATCH]
        while rest:
            lines, crashed = import_batch(options.translate, rest)
            for line, path in zip(lines, rest):
                name = str(path.relative_to(root))
                if line == f"ok {path}":
                    imported += 1
                    if name in listed:
                        problems.append(f"{name}: imported, but refused.list lists it")
                elif name not in listed:
                    problems.append(f"{name}: {line.split(': ', 1)[-1]}")
            rest = rest[len(lines):]
            if crashed:
                problems.append(f"{crashed.relative_to(root)}: the tool crashed")
                rest = rest[1:]
    if len(models) != EXPECTED_MODELS:
        problems.append(f"the suite has {len(models)} models, expected {EXPECTED_MODELS}")
    for problem in problems:
        print(problem)
    print(f"{imported} of {len(models)} imported, {len(models) - imported} refused or crashed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
