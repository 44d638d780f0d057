#!/usr/bin/env python3
"""Runs all tests: unit tests, the lit suite, random graphs, changed models, and recorded
models end to end; with --only conformance a sample of the ONNX suite.

    run.py --build build/dev [--jobs N]

Prints a line for each part as it ends, the output of what failed, and at last
how many tests passed and failed.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = ROOT / "build" / "venv" / "bin" / "python"

# Model runs beside the one-rank run of every case: a strategy, how ranks run,
# and the cases.
DECODERS = ["llm/llama-gqa-f32/", "llm/llama-gqa-f32-plain/", "llm/llama-tp-odd-f32/",
            "llm/gpt2-f32/", "llm/bert-f32-torch/", "llm/mixtral-moe-f32/"]
PARTITIONED = [(strategy, "threads", "", ["llm/"]) for strategy in ("tp=2", "pp=2")]
PARTITIONED += [(strategy, "threads", "", DECODERS)
                for strategy in ("tp=3", "tp=4", "dp=2", "tp=2,pp=2")]
PARTITIONED += [("tp=2,pp=2", "mpi", "lab-2x2", ["llm/llama-gqa-f32/", "llm/bert-f32-torch/"])]
# Seeds of random graphs: some 30 s.
DIFFERENTIAL_SAMPLE = "2000:2030"
# Seeds of changed models: some 50 s.
MUTATION_SAMPLE = "0:2000"


class Tally:
    """Counts of passed, failed and skipped tests."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.start = time.monotonic()

    def add(self, name, passed, failed, skipped, output):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        seconds = time.monotonic() - self.start
        print(f"[{seconds:6.0f} s] {name}: {passed} passed, {failed} failed, {skipped} skipped",
              flush=True)
        if failed:
            print(output[-12000:], flush=True)


def run(command, timeout=1500, **options):
    try:
        return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=timeout, **options)
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"").decode(errors="replace")
        return subprocess.CompletedProcess(command, 124, output + f"\nno end after {timeout} s")


def run_unit_tests(build, tally):
    for program in sorted((build / "test" / "Unit").glob("*")):
        if not os.access(program, os.X_OK) or program.is_dir():
            continue
        result = run([program, "--gtest_brief=1"])
        count = lambda word: int((re.search(rf"\[  {word}  \] (\d+) test", result.stdout)
                                  or [0, 0])[1])
        passed, failed = count("PASSED"), count("FAILED")
        skipped = count("SKIPPED")
        if result.returncode and not failed:
            failed = 1  # it crashed
        tally.add(program.name, passed, failed, skipped, result.stdout)


def run_lit(build, jobs, tally):
    result = run([PYTHON.parent / "lit", "-v", "--no-progress-bar", f"-j{jobs}",
                  f"-Dbuild={build}", ROOT / "test"])
    count = lambda word: int((re.search(rf"^ *{word} *: +(\d+)", result.stdout, re.M) or [0, 0])[1])
    passed = count("Passed") + count("Expectedly Failed")
    failed = count("Failed") + count("Timed Out") + count("Unresolved") + count(
        "Unexpectedly Passed")
    skipped = count("Unsupported") + count("Excluded")
    if result.returncode and not failed:
        failed = 1
    tally.add("lit", passed, failed, skipped, result.stdout)


def run_models(build, tally, strategy="", ranks="threads", fleet="", cases=()):
    name = f"models {strategy or 'on one rank'} {fleet} {'under mpirun' if ranks == 'mpi' else ''}"
    expected = ROOT / "test" / "Models" / ("expected-failures-" + (strategy or "whole")
                                           .replace("=", "").replace(",", "-") + ".txt")
    command = [PYTHON, ROOT / "test" / "Models" / "run_cases.py", "--bin", build / "bin",
               "--ranks", ranks]
    if strategy:
        command.append(f"--parallel={strategy}")
    if fleet:
        command.append(f"--fleet={fleet}")
    if expected.exists():
        command.append(f"--expected={expected}")
    result = run(command + list(cases))
    last = re.search(r"(\d+) passed, (\d+) failed, (\d+) skipped\s*$", result.stdout)
    counts = [int(number) for number in last.groups()] if last else [0, 1, 0]
    tally.add(" ".join(name.split()), *counts, result.stdout)


def run_matrix(build, tally, arguments=(), timeout=1500):
    """Strategies with proof that the work was split: a sample of them, or all."""
    result = run([PYTHON, ROOT / "test" / "Models" / "matrix.py", "--bin", build / "bin",
                  *arguments], timeout)
    last = re.search(r"(\d+) passed, (\d+) failed, (\d+) skipped\s*$", result.stdout)
    counts = [int(number) for number in last.groups()] if last else [0, 1, 0]
    tally.add("strategies", *counts, result.stdout)


def run_exports(build, tally, arguments=(), timeout=1500):
    """Partitions as ONNX files, run with onnxruntime and read back."""
    result = run([PYTHON, ROOT / "test" / "Models" / "exports.py", "--bin", build / "bin",
                  *arguments], timeout)
    last = re.search(r"(\d+) passed, (\d+) failed, (\d+) skipped\s*$", result.stdout)
    counts = [int(number) for number in last.groups()] if last else [0, 1, 0]
    tally.add("exports", *counts, result.stdout)


def run_differential(build, tally, arguments, timeout=1500):
    """Random graphs against ONNX Runtime."""
    result = run([PYTHON, ROOT / "test" / "Exec" / "differential" / "differential.py", "--bin",
                  build / "bin", *arguments], timeout)
    last = re.search(r"(\d+) passed, (\d+) failed, (\d+) skipped\s*$", result.stdout)
    counts = [int(number) for number in last.groups()] if last else [0, 1, 0]
    tally.add("random graphs", *counts, result.stdout)


def run_mutations(build, jobs, tally, arguments, timeout=1500):
    """Damaged and changed models of the ONNX suite: compiled, or refused in form."""
    result = run([PYTHON, ROOT / "test" / "Exec" / "mutations" / "mutations.py", "--bin",
                  build / "bin", "--jobs", jobs, *arguments], timeout)
    last = re.search(r"(\d+) passed, (\d+) failed, (\d+) skipped\s*$", result.stdout)
    counts = [int(number) for number in last.groups()] if last else [0, 1, 0]
    tally.add("changed models", *counts, result.stdout)


def run_cuts(build, tally):
    """Every case of an operator with a sharding rule, cut in every way over 2 and 3 ranks."""
    result = run([PYTHON, ROOT / "test" / "Exec" / "ops" / "check_cuts.py", "--all"], timeout=7200,
                 env=os.environ | {"PATH": f"{build / 'bin'}:{os.environ['PATH']}"})
    last = re.search(r"(\d+) cuts of \d+ operators, (\d+) failures\s*$", result.stdout)
    cuts, failed = map(int, last.groups()) if last else (1, 1)
    tally.add("cut operators", max(cuts - failed, 0), failed, 0, result.stdout)


def run_reshard(build, tally):
    """Thousands of ways between shardings: cheapest by an exhaustive search, and right."""
    result = run([build / "test" / "Unit" / "DistTests", "--gtest_filter=Route.*",
                  "--gtest_also_run_disabled_tests"], timeout=7200)
    tally.add("ways between shardings", int(not result.returncode), int(bool(result.returncode)), 0,
              result.stdout)
    result = run([PYTHON, ROOT / "test" / "Exec" / "reshard" / "check_reshard.py", "--cases",
                  "3000"], timeout=7200,
                 env=os.environ | {"PATH": f"{build / 'bin'}:{os.environ['PATH']}"})
    last = re.search(r"(\d+) cases, 0 failures\s*$", result.stdout)
    tally.add("resharded values", int(last[1]) if last else 0, int(not last), 0, result.stdout)


def run_conformance(build, jobs, tally):
    """A fixed choice of the ONNX suite in each measured form, and whether its table is
    fresh."""
    tool = build / "bin" / "dougong-conformance"
    result = run([tool, "--check-tables"])
    tally.add("conformance tables", int(not result.returncode), int(bool(result.returncode)), 0,
              result.stdout)
    for form in sorted(path.stem for path in (ROOT / "test" / "Conformance").glob("*.txt")):
        result = run([tool, "--form", form, "--sample", "40", "--jobs", jobs])
        last = re.search(r"(\d+) passed, (\d+) failed, (\d+) skipped\s*$", result.stdout)
        counts = [int(number) for number in last.groups()] if last else [0, 1, 0]
        tally.add(f"conformance sample, {form}", *counts, result.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", choices=["unit", "lit", "conformance", "models", "matrix",
                                           "differential", "mutations", "cuts",
                                           "reshard", "exports"],
                        help="one part; matrix: all strategies of all cases; differential: "
                             "thousands of random graphs; mutations: thousands of changed models; "
                             "cuts: every operator in every way; reshard: thousands of ways "
                             "between shardings; exports: all cases as ONNX files")
    options = parser.parse_args()
    build = options.build.resolve()
    tally = Tally()
    if options.only in (None, "unit"):
        run_unit_tests(build, tally)
    if options.only in (None, "lit"):
        run_lit(build, options.jobs, tally)
    if options.only is None:
        run_differential(build, tally, ["--seeds", DIFFERENTIAL_SAMPLE])
    if options.only == "differential":
        run_differential(build, tally, ["--seeds", "1000:6000", "--failures",
                                        build / "differential"], timeout=7200)
    if options.only is None:
        run_mutations(build, options.jobs, tally, ["--seeds", MUTATION_SAMPLE])
    if options.only == "mutations":
        run_mutations(build, options.jobs, tally, ["--seeds", "0:6000", "--failures",
                                                   build / "mutations"], timeout=7200)
    if options.only == "cuts":
        run_cuts(build, tally)
    if options.only == "reshard":
        run_reshard(build, tally)
    if options.only in (None, "conformance"):
        run_conformance(build, options.jobs, tally)
    if options.only in (None, "models"):
        run_models(build, tally)
        for strategy, ranks, fleet, cases in PARTITIONED:
            run_models(build, tally, strategy, ranks, fleet, cases)
        run_matrix(build, tally, ["--sample"])
        run_exports(build, tally, ["--sample"])
    if options.only == "exports":
        run_exports(build, tally, timeout=7200)
    if options.only == "matrix":
        run_matrix(build, tally, timeout=7200)
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
