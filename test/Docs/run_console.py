"""Runs the examples of a documentation page and compares with what it prints.

    run_console.py ROOT SCRATCH PAGE [--update]

In ```console blocks a line "$ COMMAND" is run with bash, in the scratch folder,
where docs/ and build/ are those of ROOT; the lines after it must be what it
prints. "..." stands for any lines. Times, hashes, numbers with an exponent and
the panels of packed weights are compared as kinds, not as values; lines of progress, which a slow machine
prints more of, are left out. A block after a line "`FILE`:" is written to
that file first. With --update the page is rewritten with what was printed.
"""

import difflib
import os
import pathlib
import re
import subprocess
import sys

MASKS = [(re.compile(r"\b\d+(\.\d+)? (ms|us|s)\b"), "<time>"),
         (re.compile(r"\b[0-9a-f]{12,64}\b"), "<hash>"),
         (re.compile(r"\b\d(\.\d+)?e[-+]\d+\b"), "<small>"),
         # As wide as the vectors of the processor.
         (re.compile(r"\.pack\d+: (\w+) \[[\d, ]+\]"), r".pack<columns>: \1 <panels>")]

PROGRESS = re.compile(r"\[ *\d+\.\d s\] ")


def mask(line):
    for pattern, word in MASKS:
        line = pattern.sub(word, line)
    # Columns are as wide as their widest cell.
    return re.sub(r" {2,}", "  ", line.rstrip())


def fits(expected, printed):
    """Whether the lines are those, "..." in `expected` being any lines."""
    if not expected:
        return not printed
    if expected[0].strip() == "...":
        return any(fits(expected[1:], printed[at:]) for at in range(len(printed) + 1))
    return bool(printed) and mask(expected[0]) == mask(printed[0]) and fits(expected[1:],
                                                                            printed[1:])


def run(command, scratch):
    done = subprocess.run(["bash", "-c", command], cwd=scratch, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    return [line for line in done.stdout.splitlines() if not PROGRESS.match(line)]


def commands_of(block):
    """(command lines, output lines) of each command."""
    parts = []
    for line in block:
        if line.startswith("$ "):
            parts.append(([line], []))
        elif not parts[-1][1] and parts[-1][0][-1].endswith("\\"):
            parts[-1][0].append(line)
        else:
            parts[-1][1].append(line)
    return parts


def run_block(block, scratch, faults):
    lines = []
    for command, expected in commands_of(block):
        printed = run("\n".join(command)[2:], scratch)
        good = fits(expected, printed)
        if not good:
            faults.append("\n".join(command))
            print("\n".join(command))
            print("\n".join(difflib.unified_diff(expected, printed, "page", "printed",
                                                 lineterm="")))
        lines += command + (expected if good else printed)
    return lines


def main():
    root, scratch, page = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
    scratch.mkdir(parents=True)
    for name in ("docs", "build", "tools"):
        os.symlink(root / name, scratch / name)
    lines, output, faults, count = page.read_text().splitlines(), [], [], 0
    at = 0
    while at < len(lines):
        output.append(lines[at])
        fence = re.match(r"```(\w+)$", lines[at])
        at += 1
        if not fence:
            continue
        end = lines.index("```", at)
        block = lines[at:end]
        named = [line for line in output[-3:-1] if line]
        file = re.fullmatch(r"`([\w.-]+)`:", named[-1]) if named else None
        if fence[1] == "console":
            block = run_block(block, scratch, faults)
            count += 1
        elif file:
            (scratch / file[1]).write_text("\n".join(block) + "\n")
            (scratch / file[1]).chmod(0o755)
        output += block
        at = end
    if "--update" in sys.argv:
        page.write_text("\n".join(output) + "\n")
    print(f"{count} blocks, {len(faults)} differ")
    return 1 if faults or not count else 0


if __name__ == "__main__":
    sys.exit(main())
