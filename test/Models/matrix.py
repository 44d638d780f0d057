#!/usr/bin/env python3
"""Runs recorded cases under every strategy, and proves that the work was split.

    matrix.py --bin BUILD/bin [--sample] [--only CASE:STRATEGY ...] [--write PAGE]

For each cell: compile; every recorded step equals the stored outputs; where a
case carries state, the steps also run as a chain with the state kept on the
ranks; the plan checks clean; and what the plan says of the work of its ranks is
counted again from the IR of the stages (counting.py) and must be equal. Then the
bounds of `Bounds` are asserted. Prints a row for each stage; the last line says
how many cells passed and failed.
"""

import argparse
import concurrent.futures
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from attention import attention_nodes  # noqa: E402
from cases import all_cases  # noqa: E402
from counting import Count, evaluate  # noqa: E402
from padded import PaddedPrompt  # noqa: E402
from simulate import Model, read_set  # noqa: E402
from tiling import ROWS, TiledCase  # noqa: E402
import strategies  # noqa: E402


# The operator of experts that are cut by their number.
EXPERTS = "onnx.part.Experts"


class Failure(Exception):
    """Why a cell failed."""


class Tools:
    """The programs under test."""

    def __init__(self, folder, timeout):
        self.folder, self.timeout = folder, timeout

    def run(self, name, *arguments):
        command = [str(self.folder / name), *map(str, arguments)]
        try:
            result = subprocess.run(command, capture_output=True, text=True,
                                    timeout=self.timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"{name} {arguments[0]}: no end after {self.timeout} s") from None
        if result.returncode:
            lines = (result.stderr + result.stdout).strip().splitlines()
            reason = [line for line in lines
                      if line.startswith("error") or re.search(r": [1-9]\d* of \d+ elements", line)]
            raise Failure(f"{name} {arguments[0]}: {(reason or lines or ['failed'])[0][:300]}")
        return result.stdout

    def read(self, stage_file):
        """The IR after the phase `stage`."""
        generic = stage_file.with_suffix(".generic.mlir")
        self.run("dougong-opt", stage_file, "--mlir-print-op-generic",
                 "--mlir-print-debuginfo", "-o", generic)
        return Model(generic)


class Whole:
    """A case on one rank: what there is to split."""

    def __init__(self, case, tools, scratch):
        stage_file = scratch / "whole.mlir"
        tools.run("dougong", "compile", case.model, "--stop-after", "stage", "-o", stage_file)
        self.count = Count(tools.read(stage_file), read_set(case.steps[0], "input"))
        self.attention = attention_nodes(case.model)
        # Of a decoder or encoder: dim 1 of the first input [batch, tokens].
        self.tokens = next((dims[1] for _, dims, text in self.count.stages[0].arguments
                            if len(dims) == 2 and re.search(r"i(32|64)\b", text)), 1)
        self.products = by_node(self.count.products)


def share(units, ranks):
    """The largest part of `units` that one of `ranks` must hold."""
    return math.ceil(units / ranks) / units


def by_node(products):
    """Products by their ONNX node: a packed product may be several."""
    nodes = {}
    for product in products:
        nodes.setdefault(product.node, []).append(product)
    return nodes


def total(products, attribute):
    return sum(getattr(product, attribute) for product in products)


class Bounds:
    """What must hold of a cell for its work to count as split."""

    def __init__(self, case_name, strategy, whole, count, axes, is_decoder):
        self.whole, self.count = whole, count
        self.heads = strategies.find_units(strategies.HEADS, case_name)
        self.blocks = strategies.find_units(strategies.BLOCKS, case_name)
        self.axes, self.is_decoder, self.strategy = axes, is_decoder, strategy
        self.expert_axis = strategies.EXPERT_AXIS.get(strategy, "ep")
        self.batch = "batch" if "batch" in count.symbols else "tokens"

    def check(self):
        self.check_complete()
        if any(axes.get(self.expert_axis, 1) > 1 for axes in self.axes) and "ep" in self.strategy:
            if not any(product.name == EXPERTS for product in self.count.products):
                raise Failure("no operator of experts is cut by their number")
        for stage, axes in zip(self.count.stages, self.axes):
            if stage.matmul_flops == 0:
                raise Failure(f"{stage.stage}: no matrix product: the stage has nothing to do")
            self.check_batch(stage, axes.get("dp", 1))
            self.check_context(stage, axes.get("cp", 1), axes.get("dp", 1))
            self.check_tensor(stage, axes.get("tp", 1),
                              self.rows(axes.get("dp", 1)) * self.tokens(axes.get("cp", 1)))
            self.check_experts(stage, axes)

    def wholes(self, node, products):
        """What one rank alone computes for these products of a stage: experts that are
        written out one by one become one operator, at the node that adds them up."""
        if node in self.whole.products or products[0].name != EXPERTS:
            return self.whole.products[node]
        return [product for name in self.written_experts(node)
                for product in self.whole.products[name]]

    def written_experts(self, node):
        prefix = node.rsplit("/", 1)[0] + "/experts."
        return [name for name in self.whole.products if name.startswith(prefix)]

    def check_experts(self, stage, axes):
        """No rank holds more than ceil(E / N) of E experts (of each, under tp, its share of
        the inner width), nor computes more than that part of their flop."""
        ways = axes.get(self.expert_axis, 1)
        for node, products in by_node(stage.products).items():
            if products[0].name != EXPERTS:
                continue
            wholes = self.wholes(node, products)
            if node in self.whole.products:
                experts, width, _ = next(weight.dims for weight in wholes[0].weights
                                         if len(weight.dims) == 3)
            else:
                width = wholes[0].weights[0].dims[-1]
                experts = len({name.split("/experts.")[1].split("/")[0]
                               for name in self.written_experts(node)})
            part = share(experts, ways) * share(width, axes.get("tp", 1)) + 0.02
            whole_bytes, whole_flops = total(wholes, "weight_bytes"), total(wholes, "flops")
            held, flops = total(products, "weight_bytes"), total(products, "flops")
            # Rows of other ranks are computed for them where their axis cuts the experts.
            rows = self.rows(axes.get("dp", 1)) * self.tokens(axes.get("cp", 1))
            if self.expert_axis in ("dp", "cp"):
                rows *= ways
            if held > part * whole_bytes:
                raise Failure(f"{stage.stage}: a rank holds {held} of {whole_bytes} bytes of the "
                              f"experts of {node}, more than {part:.3f}")
            if flops > part * rows * whole_flops:
                raise Failure(f"{stage.stage}: a rank computes {flops} of {whole_flops} flop of "
                              f"the experts of {node}, more than {part * rows:.3f}")

    def check_complete(self):
        """Every product of the model is in exactly one stage."""
        found = []
        for stage in self.count.stages:
            for node, products in by_node(stage.products).items():
                written = node not in self.whole.products and products[0].name == EXPERTS
                found += self.written_experts(node) if written else [node]
        if sorted(found) != sorted(self.whole.products):
            missing = sorted(set(self.whole.products) - set(found))
            raise Failure(f"products differ from the model's: missing {missing[:3]}, "
                          f"{len(found)} against {len(self.whole.products)}")

    def rows(self, ways):
        """The part of the rows that one of `ways` ranks may compute."""
        return share(self.count.symbols[self.batch], ways) if ways > 1 else 1

    def tokens(self, ways):
        """The part of the tokens that one of `ways` ranks may compute."""
        return share(self.whole.tokens, ways)

    def check_context(self, stage, ways, batch_ways):
        """No rank computes products for more than ceil(T / N) tokens; what is computed
        for all says why."""
        stage.replicated = 0
        if ways == 1:
            return
        flops_in_all = replicated = 0
        for node, products in by_node(stage.products).items():
            whole = total(self.wholes(node, products), "flops")
            flops_in_all += whole
            if products[0].replicated:
                replicated += whole
                continue
            most = self.tokens(ways) * self.rows(batch_ways) * whole
            if total(products, "flops") > most:
                raise Failure(f"{stage.stage}: a rank computes {total(products, 'flops')} flop of "
                              f"{node}, more than its tokens need: {most:.0f}")
        self.bound_replicated(stage, replicated / flops_in_all)

    def bound_replicated(self, stage, part):
        stage.replicated = part
        if self.is_decoder and part > 0.02:
            reasons = sorted({p.replicated for p in stage.products if p.replicated})
            raise Failure(f"{stage.stage}: {100 * part:.1f} % of the flop of matrix "
                          f"products are on every rank: {'; '.join(reasons)}")

    def check_batch(self, stage, ways):
        """No rank computes more than ceil(B / N) rows."""
        if ways == 1:
            return
        batch = self.count.symbols[self.batch]
        for name, dims, whole in stage.arguments:
            if (re.match(rf'tensor<\?x.*#onnx.dims<"{self.batch}"', whole)
                    and dims[0] > math.ceil(batch / ways)):
                raise Failure(f"{stage.stage}: input {name} has {dims[0]} rows of {batch} on a rank")
        for node, products in by_node(stage.products).items():
            most = self.rows(ways) * total(self.wholes(node, products), "flops")
            if total(products, "flops") > most:
                raise Failure(f"{stage.stage}: a rank computes {total(products, 'flops')} flop of "
                              f"{node}, more than its rows need: {most:.0f}")

    def units(self, node, products):
        """How many parts a product has: heads, blocks, or columns (rows) of its weight."""
        if node in self.whole.attention:
            return self.heads
        if self.blocks and "/mlp/" in node:
            return self.blocks
        for part, whole in zip(products[0].weights, self.whole.products[node][0].weights):
            for local, extent in zip(part.dims, whole.dims):
                if local != extent:
                    return extent
        return None

    def check_tensor(self, stage, ways, rows):
        """No rank holds more than its share of a split weight, nor computes more of a
        split product; what is not split says why, and is little."""
        if ways == 1:
            return
        flops_in_all = replicated = 0
        for node, products in by_node(stage.products).items():
            whole_flops = total(self.wholes(node, products), "flops")
            if products[0].name == EXPERTS:
                flops_in_all += whole_flops
                continue  # check_experts
            whole_bytes = total(self.whole.products[node], "weight_bytes")
            flops, held = total(products, "flops"), total(products, "weight_bytes")
            flops_in_all += whole_flops
            units = self.units(node, products)
            if products[0].replicated or units is None:
                if not products[0].replicated:
                    raise Failure(f"{stage.stage}: {node} is neither split nor said to be "
                                  f"replicated")
                replicated += whole_flops
                continue
            part = share(units, ways) + 0.02
            if held > part * whole_bytes:
                raise Failure(f"{stage.stage}: a rank holds {held} of {whole_bytes} weight bytes of "
                              f"{node}, more than {part:.3f}")
            if flops > part * rows * whole_flops:
                raise Failure(f"{stage.stage}: a rank computes {flops} of {whole_flops} flop of "
                              f"{node}, more than {part * rows:.3f}")
        self.bound_replicated(stage, replicated / flops_in_all)


class Cell:
    """One case under one strategy."""

    def __init__(self, case, strategy, ranks, tools, whole, scratch):
        self.case, self.strategy, self.ranks = case, strategy, ranks
        self.tools, self.whole, self.scratch = tools, whole, scratch
        self.package = scratch / "package"
        self.rows = []

    def run(self):
        self.compile()
        self.verify()
        self.verify_padded()
        self.check_timeline()
        self.count_work()

    def compile(self):
        arguments = ["compile", self.case.model, "-o", self.package, "--quiet",
                     "--dump-phases", self.scratch / "phases"]
        if self.strategy in strategies.SHORT:
            arguments += ["--parallel", strategies.SHORT[self.strategy]]
            if self.ranks == "mpi":
                arguments += ["--fleet", HERE / "Inputs" / strategies.MIXED_FLEET]
        else:
            file = self.scratch / "strategy.yaml"
            file.write_text(strategies.mixed_text(self.case.folder.name, self.strategy))
            arguments += ["--strategy", file, "--fleet",
                          HERE / "Inputs" / strategies.MIXED_FLEET]
        for output, input_ in self.case.carried.items():
            arguments += ["--state", f"{input_}={output}"]
        self.tools.run("dougong", *arguments)

    def verify(self):
        tolerance = ["--against", "data", "--ranks", self.ranks, "--rtol", self.case.rtol,
                     "--atol", self.case.atol]
        for step in self.case.steps:
            self.tools.run("dougong", "verify", self.package, "--inputs", step, *tolerance)
        if not self.case.carried:
            return
        # The chain: later steps are not given what earlier ones left.
        chain = []
        for number, step in enumerate(self.case.steps):
            folder = shutil.copytree(step, self.scratch / f"chain_{number}")
            for index, name in enumerate(read_set(step, "input")):
                if number and name in self.case.carried.values():
                    (folder / f"input_{index}.pb").unlink()
            chain += ["--inputs", folder]
        self.tools.run("dougong", "verify", self.package, *chain, *tolerance)

    def verify_padded(self):
        if self.case.folder.name not in strategies.PADDED:
            return
        prompt = PaddedPrompt(self.case, self.scratch / "padded")
        outputs = self.scratch / "padded_outputs"
        self.tools.run("dougong", "run", self.package, "--inputs", prompt.folder, "--outputs",
                       outputs, "--ranks", self.ranks)
        if difference := prompt.difference(outputs):
            raise Failure(f"prompt padded on the right: {difference}")

    def check_timeline(self):
        """With micro-batches: every stage takes each once, in order, and none before the
        stage in front is through with it."""
        count = strategies.micro_batches(self.strategy)
        if count == 1:
            return
        parts = math.ceil(ROWS / math.ceil(ROWS / count))
        report = json.loads(self.tools.run(
            "dougong-runner", self.package, "--profile", "--json", "--inputs", self.case.steps[0]))
        ended = None
        plan = json.loads((self.package / "plan.json").read_text())
        for stage in range(len(plan["stages"])):
            runs = [entry["timeline"] for rank in report["profile"] for entry in rank["stages"]
                    if entry["stage"] == f"stage{stage}"]
            for timeline in runs:
                order = [run["micro_batch"] for run in timeline]
                if order != list(range(parts)):
                    raise Failure(f"stage{stage}: the micro-batches ran in the order {order}")
                for run, front in zip(timeline, ended or [0] * parts):
                    if run["begin"] < front:
                        raise Failure(f"stage{stage}: micro-batch {run['micro_batch']} began "
                                      "before the stage in front was through with it")
            ended = [min(run["end"] for run in column) for column in zip(*runs)]

    def count_work(self):
        """The plan's numbers, counted again; and the bounds."""
        ranks = json.loads(self.tools.run("dougong", "check", "--json", self.package))["ranks"]
        plan = json.loads((self.package / "plan.json").read_text())
        programs = {program["id"]: program for program in plan["programs"]}
        meshes = {mesh["id"]: {axis["name"]: int(axis["size"]) for axis in mesh.get("axes", [])}
                  for mesh in plan["meshes"]}
        axes = [meshes[stage["mesh"]] for stage in plan["stages"]]
        (stage_file,) = (self.scratch / "phases").glob("*-stage.mlir")
        model = self.tools.read(stage_file)
        for number, step in enumerate(self.case.steps):
            count = Count(model, read_set(step, "input"))
            for stage, counted in zip(plan["stages"], count.stages, strict=True):
                work = programs[stage["program"]]["work"]
                self.compare(stage, work, counted, count.symbols)
            if number == 0:
                self.compare_ranks(ranks, count)
                Bounds(self.case.folder.name, self.strategy, self.whole, count, axes,
                       bool(self.case.carried)).check()
                self.add_rows(plan, programs, count)

    def compare(self, stage, work, counted, symbols):
        said = {"matrix_weight_bytes": counted.matrix_weight_bytes,
                "matmul_flops": counted.matmul_flops, "sent_bytes": counted.sent}
        for name, expected in said.items():
            got = evaluate(str(work.get(name, "0")), symbols)
            if got != expected:
                raise Failure(f"{stage['name']}: the plan says {name} = {got}, its program has "
                              f"{expected}")

    def compare_ranks(self, ranks, count):
        """What `dougong check --json` says of each rank."""
        said = [(row["stage"], row["matrix_weight_bytes"]) for row in ranks]
        expected = [(stage.stage, stage.matrix_weight_bytes)
                    for stage in count.stages for _ in range(stage.ranks)]
        if said != expected:
            raise Failure(f"check --json says {said}, the programs have {expected}")

    def add_rows(self, plan, programs, count):
        (whole,) = self.whole.count.stages
        weights, flops = whole.matrix_weight_bytes, whole.matmul_flops
        for stage, counted in zip(plan["stages"], count.stages):
            work = programs[stage["program"]]["work"]
            first = next(s.get("first", 0) for s in plan["rank_sets"] if s["stage"] == stage["name"])
            self.rows.append({
                "case": self.case.folder.name,
                "strategy": self.strategy + (" (mpirun)" if self.ranks == "mpi" else ""),
                "ranks": f"{first}-{first + counted.ranks - 1}" if counted.ranks > 1 else str(first),
                "weights": counted.matrix_weight_bytes,
                "weights_share": counted.matrix_weight_bytes / weights if weights else 0,
                "matmul": counted.matmul_flops, "matmul_share": counted.matmul_flops / flops,
                "flops": evaluate(str(work.get("flops", "0")), count.symbols),
                "sent": counted.sent, "replicated": getattr(counted, "replicated", 0),
                "reasons": sorted({p.replicated for p in counted.products if p.replicated})})


HEAD = ("| case | strategy | ranks | matrix weights of a rank | MatMul flop of a rank | all flop | "
        "bytes sent | replicated MatMul flop |")


def format_row(row):
    return (f"| {row['case']} | {row['strategy']} | {row['ranks']} "
            f"| {row['weights']:,} ({100 * row['weights_share']:.0f} %) "
            f"| {row['matmul']:,} ({100 * row['matmul_share']:.0f} %) "
            f"| {row['flops']:,} | {row['sent']:,} "
            f"| {100 * row['replicated']:.1f} % |")


class Results:
    """What came of the cells: printed, and kept in a file of JSON lines if there is
    one, so that a long run can be taken up again."""

    def __init__(self, path):
        self.path, self.lock, self.cells = path, threading.Lock(), {}
        if path and path.exists():
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                if not entry["failure"]:
                    self.cells[tuple(entry["cell"])] = entry

    def add(self, cell, rows, failure, seconds):
        with self.lock:
            print(f"{'FAIL' if failure else 'PASS'} {cell[0]} {cell[1]} ({cell[2]}), "
                  f"{seconds:.0f} s{': ' + failure if failure else ''}", flush=True)
            self.cells[cell] = {"cell": cell, "rows": rows, "failure": failure}
            if self.path:
                with self.path.open("a") as file:
                    file.write(json.dumps(self.cells[cell]) + "\n")


def run_case(case, wanted, tools, results):
    """All cells of a case that have no result yet."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        wholes, tiled = {}, None
        for number, (strategy, ranks) in enumerate(wanted):
            key = (case.folder.name, strategy, ranks)
            if key in results.cells:
                continue
            begin, rows, failure = time.monotonic(), [], None
            try:
                used = case
                if strategies.micro_batches(strategy) > 1:
                    used = tiled = tiled or TiledCase(case, folder / "tiled")
                if used not in wholes:
                    wholes[used] = Whole(used, tools, folder)
                scratch = folder / f"cell_{number}"
                scratch.mkdir()
                cell = Cell(used, strategy, ranks, tools, wholes[used], scratch)
                cell.run()
                rows = cell.rows
                shutil.rmtree(scratch)
            except Failure as error:
                failure = str(error)
            except Exception as error:  # a fault of the test itself must not end the run
                failure = f"{type(error).__name__}: {error}"
            results.add(key, rows, failure, time.monotonic() - begin)


def write_page(page, rows, reasons):
    """Puts the table and the list of reasons between the marks of the page."""
    text = page.read_text()
    for mark, lines in (("table", rows), ("replicated", reasons)):
        text = re.sub(rf"(<!-- begin {mark} -->\n).*?(<!-- end {mark} -->)",
                      lambda m: m[1] + "\n".join(lines) + "\n" + m[2], text, flags=re.S)
    page.write_text(text)


def list_others(chosen, cells):
    """What the table has no row for: cells that failed, that were not run, and
    strategies that do not apply."""
    name = lambda cell: f"{cell[0]} {cell[1]} ({cell[2]})"
    failed = [f"{name(cell)}: {cells[cell]['failure']}" for cell in chosen
              if cell in cells and cells[cell]["failure"]]
    missing = [name(cell) for cell in chosen if cell not in cells]
    lines = [f"Failed: {'; '.join(failed) or 'none'}.", "",
             f"Not run: {', '.join(missing) or 'none'}.", ""]
    for axis, cases in strategies.INAPPLICABLE.items():
        for reason in sorted(set(cases.values())):
            prefixes = ", ".join(sorted(case for case, why in cases.items() if why == reason))
            lines.append(f"Inapplicable: `{axis}`, {reason}: {prefixes}.")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--sample", action="store_true", help="the few cells of `make test`")
    parser.add_argument("--only", nargs="*", default=[], help="CASE, or CASE:STRATEGY")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=int, default=120)
    parser.add_argument("--results", type=pathlib.Path,
                        help="file of results; cells that passed there are not run again")
    parser.add_argument("--report", action="store_true", help="run nothing: report --results")
    parser.add_argument("--write", type=pathlib.Path, help="page to write the table into")
    options = parser.parse_args()
    by_name = {case.folder.name: case for case in all_cases() if case.folder.parent.name == "llm"}
    chosen = strategies.SAMPLE if options.sample else list(strategies.cells(by_name))
    if options.only:
        chosen = [cell for cell in strategies.cells(by_name)
                  if cell[0] in options.only or f"{cell[0]}:{cell[1]}" in options.only]
    wanted = {}
    for case, strategy, ranks in chosen:
        wanted.setdefault(case, []).append((strategy, ranks))
    tools = Tools(options.bin, options.timeout)
    results = Results(options.results)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        if options.report:
            wanted = {}
        list(pool.map(lambda case: run_case(by_name[case], wanted[case], tools, results),
                      [case for case in wanted if case in by_name]))
    entries = [results.cells[cell] for cell in chosen if cell in results.cells]
    rows = [row for entry in entries for row in entry["rows"]]
    reasons = {}
    for row in rows:
        for reason in row["reasons"]:
            reasons.setdefault(reason, set()).add(row["case"])
    lines = [HEAD, "|---" * (HEAD.count("|") - 1) + "|", *map(format_row, rows)]
    lines += ["", *list_others(chosen, results.cells)]
    print("\n".join(lines))
    if options.write:
        write_page(options.write, lines,
                   [f"- {reason}: {', '.join(sorted(cases))}" for reason, cases in sorted(reasons.items())])
    failed = sum(entry["failure"] is not None for entry in entries)
    print(f"{len(entries) - failed} passed, {failed} failed, {len(chosen) - len(entries)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
