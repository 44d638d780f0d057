#!/usr/bin/env python3
"""Runs single operators cut over 2 and 3 ranks, one factor of their sharding rules at a time.

    check_cuts.py [--all] [--only OPERATOR...] [--keep FOLDER]

The cases are those of the families of check_ops.py and of the ONNX suite. The rules are the
compiler's (`dougong-opt --dist-print-rules`); a strategy file asks for each cut. For every
operator and every way in which its rule lets dims be cut (told by the kind of the factor and
the first dim that it cuts) there is one case for each number of ranks, of an extent that the
ranks do not divide where there is one; with --all, every case is cut in every way. Many are one
model of three stages, on 1, 2 and 3 ranks.

What must hold: the local program of the node has the parts of the dims and no others are cut;
the outputs are those of one rank, and of ONNX Runtime, reference.py or the suite. What ranks hold
behind the end of a dim is NaN, or 77 where there is none: it must not be seen. Every operator of
cut_operators.txt is cut over 2 and over 3 ranks.
"""

import argparse
import collections
import dataclasses
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper, numpy_helper

import cases
import check_ops
import microsoft
import microsoft_others
import microsoft_quantized
import suite_cases

RANKS = (2, 3)
BATCH = 200  # cuts of one model
OPSET = 27
FAMILIES = {
    cases: "unary binary movement contraction quantized recurrent rows attention convolution",
    microsoft: "group_query_attention multi_head_attention packed_attention rotary_embedding "
               "normalization embeddings activations products block_products lookups experts "
               "quantized_experts",
    microsoft_others: "fused_products gates linear_attention paged_attention sparse_attention "
                      "few_bits",
    microsoft_quantized: "quantized_elementwise quantized_pools quantized_products "
                         "quantize_linear quantized_attention quantized_embeddings",
}


@dataclasses.dataclass(frozen=True)
class Cut:
    """One factor of one node cut over some ranks."""
    case: int
    node: str  # of the operator in the IR: that of the case, or a part of its body
    operator: str
    factor: int
    ranks: int

    @property
    def prefix(self):
        return f"{self.ranks}/{self.node.replace('/', '.')}.{self.factor}/"


def read_operators():
    """The operators of cut_operators.txt: the reason why there is none to cut, or ""."""
    lines = (pathlib.Path(__file__).parent / "cut_operators.txt").read_text().splitlines()
    parts = [line.partition(":") for line in lines if line and not line.startswith("#")]
    return {name: reason.strip() for name, _, reason in parts}


def find_cases():
    return [case for module, names in FAMILIES.items() for name in names.split()
            for case in getattr(module, name)()] + suite_cases.find_cases(OPSET, read_operators())


def run(*command):
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{' '.join(map(str, command[:3]))} failed: {result.stderr[-3000:]}")
    return result.stdout


def unnumbered(node):
    """The name of a node without the numbers that inlining gives to parts of bodies."""
    return re.sub(r"__\d+", "__", node)


def read_rules(module):
    """The lines of dist-print-rules, by node."""
    rules = collections.defaultdict(list)
    for line in run("dougong-opt", module, "--dist-print-rules", "-o", "/dev/null").splitlines():
        rule = json.loads(line)
        if rule["op"] != "Constant":
            rules[rule["node"]].append(rule)
    return rules


def read_parts(folder, phase):
    """The rules after a phase, by the names of nodes without numbers."""
    (module,) = folder.glob(f"*-{phase}.mlir")
    parts = collections.defaultdict(list)
    for node, lines in read_rules(module).items():
        parts[unnumbered(node)] += lines
    return parts


def places(rule, factor):
    """Where a factor runs: (list, number of the value, dim from the end, whether in units)."""
    return tuple((kind, number, index - len(dims), dim["unit"] > 1)
                 for kind in ("operands", "results")
                 for number, dims in enumerate(rule[kind]) if dims
                 for index, dim in enumerate(dims) if dim.get("factor") == factor)


def subjects(family, rules):
    """The nodes to cut with their cases: those of the cases, or the last parts of their bodies.
    What is made of constants alone is one for all stages."""
    last = {}
    for node, lines in rules.items():
        case = int(node.split("/")[0].rsplit("_", 1)[1])
        inputs = [i for i, array in enumerate(family[case].inputs) if array is not None]
        # A directive names a node: it must be one operator.
        if len(lines) == 1 and lines[0]["factors"] and not set(inputs) <= set(family[case].constants):
            last[case] = node
    return last.items()


def possible_cuts(family, rules):
    """Every cut of every node, with the way in which it cuts and the factor's size."""
    for case, node in subjects(family, rules):
        (rule,) = rules[node]
        for number, factor in enumerate(rule["factors"]):
            where = places(rule, number)
            if factor["kind"] == "whole" or not where or not factor["size"].isdigit():
                continue
            size = int(factor["size"])
            for ranks in RANKS:
                if size < 2 or factor["even"] and size % ranks:
                    continue
                subject = node.split("/")[0].rsplit("_", 1)[0] if "/" in node else ""
                way = (subject, rule["op"], factor["kind"], factor["combine"], where[0], ranks)
                yield Cut(case, node, rule["op"], number, ranks), way, size


def choose_cuts(family, rules):
    """One cut for each way; one for each operator that has a body."""
    best = {}
    for cut, way, size in possible_cuts(family, rules):
        if way[0]:
            way = (way[0], cut.ranks)
        rank = (size % cut.ranks != 0 and size > cut.ranks, -cut.case)
        if way not in best or rank > best[way][0]:
            best[way] = rank, cut
    return [cut for _, cut in best.values()]


def add_junk(builder, case, cut, rule):
    """The case with its inputs through a Where each: true, but for what is no part of them."""
    prefix, names = cut.prefix, {}
    if "/" in cut.node:
        return names
    for kind, number, _, _ in places(rule, cut.factor):
        array = case.inputs[number] if kind == "operands" and number < len(case.inputs) else None
        if array is None or number in case.constants or number in names:
            continue
        junk = np.full((), np.nan if array.dtype.kind == "f" else 77).astype(array.dtype)
        if array.dtype.kind not in "fiub":
            continue
        keep, name = f"{prefix}keep{number}", f"{prefix}junk{number}"
        builder.add_input(keep, np.ones(array.shape, bool))
        builder.add_initializer(name, junk)
        names[number] = f"{prefix}in{number}"
        builder.nodes.append(helper.make_node("Where", [keep, f"{prefix}i{number}", name],
                                              [names[number]], name=f"{prefix}where{number}"))
    return names


def directive(cut, rule):
    """The entry of the strategy file for a cut."""
    kind, number, dim, _ = places(rule, cut.factor)[0]
    dims = ["_"] * len(rule[kind][number])
    dims[dim] = "tp"
    node = re.sub(r"__\d+", "__*", cut.prefix + cut.node)
    return f"  - {{node: \"{node}\", {kind[:-1]}: {number}, dims: [{', '.join(dims)}]}}\n"


def expected_extents(rule, cut, kind, number):
    """Extents of a rank's part of an operand or result."""
    size = int(rule["factors"][cut.factor]["size"])
    return [str(dim["unit"] * math.ceil(size / cut.ranks)) if dim.get("factor") == cut.factor
            else dim["extent"] for dim in rule[kind][number]]


def check_local(cut, planned, local):
    """What is wrong with the local operator of a cut: a list of at most one text."""
    name = unnumbered(cut.prefix + cut.node)
    whole, part = ([line for line in lines[name] if line["op"] == cut.operator]
                   for lines in (planned, local))
    if not whole or not part:
        return ["there is no local operator"]
    for kind in ("operands", "results"):
        for number, dims in enumerate(whole[0][kind]):
            if not dims or all(dim.get("factor") != cut.factor for dim in dims):
                continue
            want = expected_extents(whole[0], cut, kind, number)
            got = [[dim["extent"] for dim in line[kind][number] or []] for line in part]
            if want not in got:
                return [f"{kind[:-1]} {number} is {got} on a rank, expected {want}"]
    return []


def write_inputs(folder, model, feeds):
    folder.mkdir()
    for number, value in enumerate(model.graph.input):
        proto = numpy_helper.from_array(feeds[value.name], value.name)
        (folder / f"input_{number}.pb").write_bytes(proto.SerializeToString())


def read_outputs(folder, model):
    arrays = {}
    for number, value in enumerate(model.graph.output):
        proto = onnx.TensorProto()
        proto.ParseFromString((folder / f"output_{number}.pb").read_bytes())
        arrays[value.name] = numpy_helper.to_array(proto)
    return arrays


def discover(family, expected, folder):
    """The rules of all cases, each a node of one model."""
    builder = check_ops.Builder()
    for number, case in enumerate(family):
        builder.add(case, f"c{number}_", f"{case.op}_{number}")
    model = builder.build(OPSET)
    check_ops.declare_outputs(model, [array for arrays in expected for array in arrays], False)
    onnx.save(model, str(folder / "rules.onnx"))
    run("dougong", "compile", folder / "rules.onnx", "--stop-after=normalize", "-o",
        folder / "rules.mlir", "--quiet")
    return read_rules(folder / "rules.mlir")


def build(family, expected, cuts, rules):
    """The model of some cuts, its strategy, and the names of the outputs of each case and cut."""
    builder, outputs, strategy = check_ops.Builder(), {}, "stages:\n"
    for ranks in (1, *RANKS):
        if ranks == 1 or any(cut.ranks == ranks for cut in cuts):
            strategy += f"  - {{nodes: \"{ranks}/**\", mesh: {{tp: {ranks}}}}}\n"
    strategy += "shard:\n"
    wanted = []
    for number in sorted({cut.case for cut in cuts}):
        outputs[number] = builder.add(family[number], f"1/{number}/",
                                      f"1/{family[number].op}_{number}")
        wanted += expected[number]
    for cut in cuts:
        case, rule = family[cut.case], rules[cut.node][0]
        renamed = add_junk(builder, case, cut, rule)
        outputs[cut] = builder.add(case, cut.prefix, f"{cut.prefix}{case.op}_{cut.case}", renamed)
        wanted += expected[cut.case]
        strategy += directive(cut, rule)
    model = builder.build(OPSET)
    check_ops.declare_outputs(model, wanted, False)
    return model, builder.feeds, strategy, outputs


def check(family, expected, cuts, rules, folder):
    """Compiles and runs some cuts; the failures, and what was cut as it should."""
    folder.mkdir(parents=True, exist_ok=True)
    model, feeds, strategy, outputs = build(family, expected, cuts, rules)
    onnx.save(model, str(folder / "model.onnx"))
    (folder / "strategy.yaml").write_text(strategy)
    write_inputs(folder / "in", model, feeds)
    run("dougong", "compile", folder / "model.onnx", "--strategy", folder / "strategy.yaml", "-o",
        folder / "package", "--quiet", "--dump-phases", folder / "phases")
    run("dougong", "run", folder / "package", "--inputs", folder / "in", "--outputs",
        folder / "out", "--ranks", "threads")
    got = read_outputs(folder / "out", model)
    # Before and after the partition: where query, key and value are one tensor, planning takes
    # them apart.
    planned, local = (read_parts(folder / "phases", phase) for phase in ("plan", "stage"))
    failures, passed = [], set()

    def compare(case, names, wanted, against):
        found = [check_ops.differences(case, got[name], array) for name, array in zip(names, wanted)]
        return [against + difference for difference in found if difference]

    for number in sorted({cut.case for cut in cuts}):
        failures += compare(family[number], outputs[number], expected[number],
                            f"{family[number].op}_{number} on one rank: ")
    for cut in cuts:
        case, one = family[cut.case], [got[name] for name in outputs[cut.case]]
        reasons = check_local(cut, planned, local)
        reasons += compare(case, outputs[cut], expected[cut.case], "")
        reasons += compare(case, outputs[cut], one, "against one rank: ")
        if reasons:
            failures.append(f"{cut.prefix}{cut.node} {case.attributes} factor {cut.factor} over "
                            f"{cut.ranks}: {'; '.join(reasons)}")
        else:
            passed.add((cut.operator, cut.ranks))
    return failures, passed


def check_all(family, expected, cuts, rules, folder):
    """The same of many cuts, in batches: a model of all would have thousands of inputs."""
    cuts = sorted(cuts, key=lambda cut: cut.case)
    failures, passed = [], set()
    for start in range(0, len(cuts), BATCH):
        batch = cuts[start:start + BATCH]
        try:
            some, operators = check(family, expected, batch, rules, folder / f"batch{start // BATCH}")
        except RuntimeError as error:
            failures.append(str(error))
            continue
        failures += some
        passed |= operators
    return failures, passed


def check_coverage(passed):
    """Operators of cut_operators.txt that were not cut, or were against what it says."""
    failures = []
    for name, reason in read_operators().items():
        missing = [ranks for ranks in RANKS if (name, ranks) not in passed]
        if missing and not reason:
            failures.append(f"{name}: not cut over {missing} ranks")
        if not missing and reason:
            failures.append(f"{name}: was cut, although \"{reason}\"")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every case in every way")
    parser.add_argument("--only", nargs="+", metavar="OPERATOR", help="operators of the IR or cases")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="for what was made")
    options = parser.parse_args()
    family = find_cases()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or pathlib.Path(scratch)
        folder.mkdir(exist_ok=True)
        expected = suite_cases.compute_expected(family)
        rules = discover(family, expected, folder)
        cuts = ([cut for cut, _, _ in possible_cuts(family, rules)] if options.all
                else choose_cuts(family, rules))
        if options.only:
            cuts = [cut for cut in cuts if cut.operator in options.only
                    or family[cut.case].op in options.only]
        failures, passed = check_all(family, expected, cuts, rules, folder)
    if not options.only:
        failures += check_coverage(passed)
    print(*failures, sep="\n")
    operators = {operator for operator, _ in passed}
    print(f"{len(cuts)} cuts of {len(operators)} operators, {len(failures)} failures")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
