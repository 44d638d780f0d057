"""Which cases are expected not to pass, and the tables made from that."""

import pathlib
import re

from suite import FORMS, operator_of

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LISTS = ROOT / "test" / "Conformance"
TABLES = ROOT / "docs" / "conformance" / "onnx-suite.md"


def read_list(form):
    """Reason by case name, from lines `case: reason`."""
    expected = {}
    path = LISTS / f"{form}.txt"
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, colon, reason = line.partition(":")
        if not colon or not reason.strip() or name in expected:
            raise SystemExit(f"error: {path.name}:{number}: expected 'case: reason', once for "
                             f"each case, got '{line}'")
        expected[name.strip()] = reason.strip()
    return expected


def generalize(reason):
    """A reason without what differs from run to run or from case to case."""
    reason = re.sub(r"^error: ", "", reason)
    reason = re.sub(r"\S*/(model|light_\w+)\.onnx: ", "", reason)
    reason = re.sub(r"node '[^']*': ", "", reason)
    return " ".join(reason.split())[:200]


def write_list(form, failures):
    """`failures`: reason by case name. Cases of one reason stand together."""
    lines = [f"# Cases of the ONNX suite that do not pass in form '{form}': case: reason.",
             "# Written by `dougong-conformance --write-expected`."]
    groups = {}
    for name, reason in failures.items():
        groups.setdefault(generalize(reason), []).append(name)
    for reason, names in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        lines.append("")
        lines += [f"{name}: {reason}" for name in sorted(names)]
    LISTS.mkdir(parents=True, exist_ok=True)
    (LISTS / f"{form}.txt").write_text("\n".join(lines) + "\n")


def measured_forms():
    """The forms that the whole suite was run in: those with a list."""
    return [form for form in FORMS if (LISTS / f"{form}.txt").exists()]


def make_tables(cases):
    """The page of passed and total cases for each operator and measured form."""
    forms = measured_forms()
    expected = {form: read_list(form) for form in forms}
    operators, rows, sums = {}, {}, {form: 0 for form in forms}
    for case in cases:
        row = rows.setdefault((case.kind != "node", operator_of(case, operators)),
                              {"total": 0, **{form: 0 for form in forms}})
        row["total"] += 1
        for form in forms:
            passes = case.name not in expected[form]
            row[form] += passes
            sums[form] += passes
    total = len(cases)
    heading = [f"| {{}} | total | {' | '.join(forms)} |", "|---|---:" + "|---:" * len(forms) + "|"]
    lines = [
        "# The ONNX backend suite",
        "",
        "<!-- Written by `dougong-conformance --write-tables`; do not edit. -->",
        "",
        f"The {total:,} cases of onnx 1.22.0, compiled for one rank of the host CPU, run, and "
        "compared with the stored",
        "outputs within the suite's own tolerances (integers, strings and bools exactly). Three forms:",
        "*given* is the model as it is; in *dynamic* every extent of every input is a symbol and no",
        "shape behind the inputs is known; in *constant* the inputs are initializers. Measured so far:",
        f"{', '.join(forms) or 'none'}.",
        "What does not pass is listed, with its reason, in `test/Conformance/`.",
        "",
        heading[0].format(""),
        heading[1],
        f"| **passed** | {total} | " + " | ".join(str(sums[form]) for form in forms) + " |",
        "| **share** | | " + " | ".join(f"{100 * sums[form] / total:.1f} %" for form in forms) + " |",
        "",
        "Cases of an operator count its `_expanded` ones too: the operator written out as its "
        "function body.",
        "",
        heading[0].format("operator"),
        heading[1],
    ]
    for (_, name), row in sorted(rows.items(), key=lambda item: (item[0][0], item[0][1].lower())):
        lines.append(f"| {name} | {row['total']} | " +
                     " | ".join(str(row[form]) for form in forms) + " |")
    return "\n".join(lines) + "\n"
