"""Runs a command that must be refused, and prints what it said for FileCheck.

    refused.py EXIT_CODE COMMAND...

Fails unless the command ends with just that exit code, with one line that is an
error (a fleet file and a package may have several), and without a stack trace.
"""

import re
import subprocess
import sys

TRACES = ("Stack dump", "PLEASE submit", "Assertion", "terminate called", "Traceback", "LLVM ERROR")


def main():
    wanted, command = int(sys.argv[1]), sys.argv[2:]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120)
    print(done.stdout + done.stderr, end="")
    errors = [line for line in (done.stdout + done.stderr).splitlines() if re.match(r"error: |\S+:\d+:\d+: error: ", line)]
    faults = [f"a trace: {trace}" for trace in TRACES if trace in done.stderr]
    if done.returncode != wanted:
        faults.append(f"exit code {done.returncode}, expected {wanted}")
    if len(errors) != 1 and not (errors and {"--fleet", "fleet", "check"} & set(command)):
        faults.append(f"{len(errors)} errors, expected 1")
    for fault in faults:
        print(f"refused.py: {' '.join(command)}: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
