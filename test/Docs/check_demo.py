"""Runs the demo and compares what it prints with the README.

    check_demo.py ROOT BUILD

Times, hashes and small differences are compared as kinds, as run_console.py does.
"""

import difflib
import os
import pathlib
import subprocess
import sys

from run_console import fits

FIRST = "(a) all-MiniLM-L6-v2"

root, build = (pathlib.Path(word).resolve() for word in sys.argv[1:])
lines = (root / "README.md").read_text().splitlines()
start = next(number for number, line in enumerate(lines) if line.startswith(FIRST))
expected = lines[start:lines.index("```", start)]
folder = os.path.relpath(build, root)
done = subprocess.run([sys.executable, "tools/demo/demo.py", "--build", folder], cwd=root,
                      text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
printed = done.stdout.replace(folder, "build/dev").splitlines()
if done.returncode or not fits(expected, printed):
    print("\n".join(difflib.unified_diff(expected, printed, "README.md", "printed", lineterm="")))
    sys.exit(1)
