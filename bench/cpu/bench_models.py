#!/usr/bin/env python3
"""Times whole models against onnxruntime on this machine's CPU.

    bench_models.py --bin BUILD/bin [--threads 1,2] [--rounds 5] [CASE ...]

Each round starts one process of ours and one of onnxruntime for every model, in
turn, so that both see the same machine. A process runs its step for a second
after a warm-up, and counts as its median. The ratio is the median of ours over
the median of theirs: below 1 we are faster. The plain float32 MiniLM is made
from the recorded one with its int8 weights. NAME:qdq is the model quantised to the
QDQ form (quantize.py).
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "test" / "Models"))
from cases import DATA, all_cases  # noqa: E402

THEIRS = pathlib.Path(__file__).with_name("run_onnxruntime.py")
DEFAULT = ["minilm-f32", "models/crnn-text", "models/ultraface-rfb-320",
           "models/dnsmos-sig-bak-ovr"]


def run_json(command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError((result.stderr.strip().splitlines() or ["failed"])[-1])
    return json.loads(result.stdout)


def seconds_of_ours(options, package, step, threads):
    command = [options.bin / "dougong-runner", package, "--inputs", step, "--json",
               "--threads", threads, "--repeat"]
    once = run_json(command + [3])["steps"][0]["best_seconds"]
    repeat = max(5, min(20000, int(options.seconds / max(once, 1e-6))))
    return run_json(command + [repeat])["steps"][0]["median_seconds"]


def seconds_of_theirs(options, model, step, threads):
    return run_json([sys.executable, THEIRS, model, step, threads, options.seconds])["median"]


def make_minilm(scratch):
    model = scratch / "minilm-f32.onnx"
    fold = DATA / "generate" / "fold_minilm.py"
    subprocess.run([sys.executable, fold.name, model], cwd=fold.parent, check=True)
    return model


def make_quantized(name, cases, scratch):
    """The model file and a step of a model that is quantised here."""
    from quantize import quantize
    case = cases["models/minilm-l6-w8" if name == "minilm-f32" else name]
    source = make_minilm(scratch) if name == "minilm-f32" else case.model
    model = scratch / (name.replace("/", "-") + "-qdq.onnx")
    quantize(source, case.steps, model)
    return model, case.steps[0]


def find_models(options, scratch):
    """(name, model file, folder with the inputs of one step) of each wanted model."""
    wanted = options.cases or DEFAULT
    cases = {case.name: case for case in all_cases()}
    for name in wanted:
        if name.endswith(":qdq"):
            yield name, *make_quantized(name.removesuffix(":qdq"), cases, scratch)
            continue
        if name == "minilm-f32":
            yield name, make_minilm(scratch), cases["models/minilm-l6-w8"].steps[0]
            continue
        found = [case for key, case in cases.items() if name in key + "/"]
        if not found:
            sys.exit(f"no recorded case is called {name}")
        for case in found:
            yield case.name, case.model, case.steps[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of steps in each process")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("cases", nargs="*", help=f"default: {' '.join(DEFAULT)}; all: every case")
    options = parser.parse_args()
    if not DATA.is_dir():
        print("skipped: no shared test data beside the project")
        return
    if options.cases == ["all"]:
        options.cases = ["minilm-f32"] + [case.name + "/" for case in all_cases()]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        for number, (name, model, step) in enumerate(find_models(options, scratch)):
            package = scratch / f"package-{number}"
            subprocess.run([options.bin / "dougong", "compile", model, "-o", package, "--quiet"],
                           check=True)
            for threads in [int(text) for text in options.threads.split(",")]:
                ours, theirs = [], []
                try:
                    for _ in range(options.rounds):
                        ours.append(seconds_of_ours(options, package, step, threads))
                        theirs.append(seconds_of_theirs(options, model, step, threads))
                except RuntimeError as error:
                    print(f"{name:32} not compared: {error}", file=sys.stderr)
                    break
                row = {"model": name, "threads": threads,
                       "ours_ms": statistics.median(ours) * 1e3,
                       "onnxruntime_ms": statistics.median(theirs) * 1e3}
                row["ratio"] = row["ours_ms"] / row["onnxruntime_ms"]
                rows.append(row)
                if not options.json:
                    print(f"{name:32} {threads} thread{'s' if threads > 1 else ' '}  "
                          f"ours {row['ours_ms']:9.3f} ms  onnxruntime "
                          f"{row['onnxruntime_ms']:9.3f} ms  ratio {row['ratio']:.2f}", flush=True)
    if options.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
