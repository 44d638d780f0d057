#!/usr/bin/env python3
"""Runs recorded cases through `dougong verify` and compares with their outputs.

    run_cases.py --bin BUILD/bin [--parallel tp=2] [--ranks threads|mpi] [CASE ...]

Cases that are expected not to pass, with the reason, are lines of the file
--expected; one that passes all the same fails the run. The last line says how
many passed and failed.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from cases import all_cases  # noqa: E402


def run(command, timeout):
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return False, f"no end after {timeout} s"
    text = (result.stderr + result.stdout).strip().splitlines()
    reason = next((line for line in text if line.startswith("error") or "differ;" in line
                   and not " 0 of " in line and not ": 0 of" in line), text[-1] if text else "")
    return result.returncode == 0, reason if result.returncode else ""


def run_case(case, options):
    """Compiles once, then runs every recorded step by itself."""
    with tempfile.TemporaryDirectory() as scratch:
        package = pathlib.Path(scratch) / "package"
        command = [options.bin / "dougong", "compile", case.model, "-o", package, "--quiet"]
        if options.parallel:
            command += ["--parallel", options.parallel]
        if options.fleet:
            command += ["--fleet", options.fleet]
        good, reason = run(command, options.timeout)
        if not good:
            return False, f"compile: {reason}"
        for step in case.steps:
            good, reason = run([options.bin / "dougong", "verify", package, "--inputs", step,
                                "--against", "data", "--ranks", options.ranks,
                                "--rtol", str(case.rtol), "--atol", str(case.atol)],
                               options.timeout)
            if not good:
                return False, f"{step.name}: {reason}"
    return True, ""


def read_expected(path):
    expected = {}
    if path:
        for line in pathlib.Path(path).read_text().splitlines():
            line = line.split("#")[0].strip()
            if line:
                name, _, reason = line.partition(":")
                expected[name.strip()] = reason.strip()
    return expected


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--parallel", default="")
    parser.add_argument("--fleet", default="")
    parser.add_argument("--ranks", default="threads")
    parser.add_argument("--expected", help="file of CASE: REASON lines, not to pass")
    parser.add_argument("--timeout", type=int, default=120)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    expected = read_expected(options.expected)
    passed = failed = skipped = 0
    for case in all_cases():
        if options.cases and not any(part in case.name + "/" for part in options.cases):
            continue
        good, reason = run_case(case, options)
        if case.name in expected:
            if good:
                failed += 1
                print(f"FAIL {case.name}: passes, but is listed as: {expected[case.name]}")
            else:
                skipped += 1
                print(f"XFAIL {case.name}: {reason[:200]}")
        elif good:
            passed += 1
            print(f"PASS {case.name}")
        else:
            failed += 1
            print(f"FAIL {case.name}: {reason[:300]}")
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
