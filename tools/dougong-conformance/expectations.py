"""Which cases are expected not to pass, and the tables made from that."""

import pathlib
import re

from suite import FORMS, is_numeric, operator_of

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


def _count(cases, key, expected):
    """Totals and passes of each form by what `key` gives for a case."""
    rows = {}
    for case in cases:
        row = rows.setdefault(key(case), {"total": 0, **{form: 0 for form in expected}})
        row["total"] += 1
        for form in expected:
            row[form] += case.name not in expected[form]
    return rows


def _table(title, rows, forms):
    """Rows by name, in order; those of whole models, in brackets, last."""
    lines = [f"| {title} | total | {' | '.join(forms)} |", "|---|---:" + "|---:" * len(forms) + "|"]
    for name, row in sorted(rows.items(), key=lambda item: (item[0][0] == "(", item[0].lower())):
        lines.append(f"| {name} | {row['total']} | " +
                     " | ".join(str(row[form]) for form in forms) + " |")
    return lines


def _shares(rows, forms):
    """Two lines: passes, and their share."""
    total = rows["total"]
    return [f"{rows[form]} of {total} ({100 * rows[form] / total:.1f} %)" for form in forms]


def _gaps(cases, expected):
    """Cases that do not pass, by reason."""
    lines = []
    for form, reasons in expected.items():
        groups = {}
        for case in cases:
            if case.name in reasons:
                groups.setdefault(reasons[case.name], []).append(case.name)
        lines += ["", f"### {form}", ""]
        if not groups:
            lines.append("None.")
            continue
        lines += ["| reason | cases |", "|---|---|"]
        for reason, names in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
            reason = reason.replace("|", "\\|")
            names = ", ".join(name.removeprefix("test_") for name in names)
            lines.append(f"| {reason} | {names} |")
    return lines


def make_tables(cases):
    """The page of passed and total cases for each form, domain and operator."""
    forms = measured_forms()
    expected = {form: read_list(form) for form in forms}
    operators = {}
    subjects = {case.name: operator_of(case, operators) for case in cases}

    def domain_of(case):
        subject = subjects[case.name]
        return "(models)" if subject[0] == "(" else subject.rpartition(".")[0] or "ai.onnx"

    everything = _count(cases, lambda case: "all", expected)["all"]
    numeric = _count(cases, lambda case: is_numeric(case), expected)[True]
    lines = [
        "# The ONNX backend suite",
        "",
        "<!-- Written by `dougong-conformance --write-tables`; do not edit. -->",
        "",
        f"The {len(cases):,} cases of onnx 1.22.0, compiled for one rank of the host CPU, run, and "
        "compared with the stored",
        "outputs within the suite's own tolerances (integers, strings and bools exactly). Three forms:",
        "*given* is the model as it is; in *dynamic* every extent of every input is a symbol and no",
        "shape behind the inputs is known; in *constant* the inputs are initializers. Measured so far:",
        f"{', '.join(forms) or 'none'}. Numeric cases take and give tensors of numbers and bools alone.",
        "",
        f"| passed | {' | '.join(forms)} |",
        "|---" + "|---:" * len(forms) + "|",
        "| **all cases** | " + " | ".join(_shares(everything, forms)) + " |",
        "| **numeric cases** | " + " | ".join(_shares(numeric, forms)) + " |",
        "",
        "## Domains",
        "",
        *_table("domain", _count(cases, domain_of, expected), forms),
        "",
        "## What does not pass",
        "",
        "With the reason that the compiler gives, or what differs (lists in `test/Conformance/`).",
        *_gaps(cases, expected),
        "",
        "## Operators",
        "",
        "Cases of an operator count its `_expanded` ones too: the operator written out as its "
        "function body.",
        "",
        *_table("operator", _count(cases, lambda case: subjects[case.name], expected), forms),
    ]
    return "\n".join(lines) + "\n"
