#!/usr/bin/env python3
"""The sharding solver on the instances of the ASPLOS 2025 contest (intra-operator parallelism).

    bench_contest.py --tool BUILD/bin/contest-bench --data DIR [--seconds 60] [A B ...]

DIR holds asplos-2025-iopddl-*.json.gz and best_known.csv. Each instance runs on one core. Columns: our
cost; the proven lower bound and gap; the best cost submitted to the contest and ours over it. A cost is
that of the instance as read, not what the solver says of itself. CPU s counts reading too; where it is
much less than the seconds, the machine was busy with other things.
"""

import argparse
import csv
import gzip
import json
import pathlib
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    with open(options.data / "best_known.csv", newline="") as file:
        best = {row["instance"]: row["best_submitted_cost"] for row in csv.DictReader(file)}

    print("| instance | cost | lower bound | gap % | best known | above best % | seconds | CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.names or sorted(best):
        with gzip.open(options.data / f"asplos-2025-iopddl-{name}.json.gz") as file:
            text = file.read()
        result = subprocess.run([options.tool, str(options.seconds)], input=text,
                                capture_output=True)
        if result.returncode:
            sys.exit(f"{name}: {result.stderr.decode()}")
        found = json.loads(result.stdout)
        cost, bound, known = found["cost"], found["lower_bound"], best.get(name)
        above = f"{100 * (cost / int(known) - 1):.4f}" if known and found["feasible"] else ""
        gap = f"{100 * (cost - bound) / cost:.3f}" if found["feasible"] else ""
        print(f"| {name} | {cost if found['feasible'] else 'none found'} | {bound} | {gap} "
              f"| {known or ''} | {above} | {found['seconds']:.1f} "
              f"| {found['cpu_seconds']:.1f} |", flush=True)


if __name__ == "__main__":
    main()
