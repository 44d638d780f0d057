"""No operator on weights alone is left in a step.

    weight_ops.py        # `dougong` on the path

Normalizes every recorded model, and lists operators whose operands are all weights or constants, at
least one a weight: packaging must have taken them into a recipe. The last line says how many models
are free of such.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from cases import all_cases  # noqa: E402

OP = re.compile(r"^\s*(%[\w#, :]+?) = (onnx\.[\w.]+)(?:\(([^)]*)\))?")


def left_over(text):
    """(operator, node) of what is computed from weights alone."""
    kind, found = {}, []
    for line in text.splitlines():
        match = OP.match(line)
        if not match:
            continue
        results, operator, operands = match.groups()
        names = [name.split(":")[0].strip() for name in results.split(",")]
        if operator == "onnx.use":
            state = "weight"
        elif operator in ("onnx.Constant", "onnx.none", "onnx.dims_tensor"):
            state = "constant"
        else:
            values = [kind.get(name.strip().split("#")[0])
                      for name in (operands or "").split(",") if name.strip()]
            state = None
            # An extent of the step is no weight's.
            if values and "weight" in values and all(values) and "?" not in line.split("->")[-1]:
                state = "weight"
                found.append((operator, line.strip()[:150]))
        kind.update(dict.fromkeys(names, state))
    return found


def main():
    free = bad = 0
    for case in all_cases():
        with tempfile.TemporaryDirectory() as scratch:
            output = pathlib.Path(scratch) / "normalized.mlir"
            subprocess.run(["dougong", "compile", case.model,
                            "--stop-after=normalize", "-o", output], check=True)
            found = left_over(output.read_text())
        for operator, line in found:
            print(f"{case.name}: {operator} on weights: {line}")
        free, bad = free + (not found), bad + bool(found)
    print(f"{free} passed, {bad} failed, 0 skipped")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
