#!/usr/bin/env python3
"""Fits the parameters of the cost model to published measurements, and says how wrong it is.

    calibrate.py --data DIR [--out docs/planner/calibration.md]

DIR holds the tables (its README.md says what each is). Only rows that are left out of a fit count as out
of sample. Deterministic: a simplex search from fixed starting points. Needs numpy.
"""

import argparse
import csv
import pathlib
import re

import numpy as np


def read(data, name):
    with open(data / name, newline="") as file:
        return [{key: float(value) if re.fullmatch(r"-?[\d.]+", value) else value
                 for key, value in row.items()} for row in csv.DictReader(file)]


def read_chip(data, system):
    """Figures of `chips/*.yaml`: flat `key: number` lines are all that is used."""
    text = (data / "chips" / f"{system}.yaml").read_text()
    return {key: float(value)
            for key, value in re.findall(r"^\s+(\w+): ([\d.]+)(?:\s|$)", text, re.MULTILINE)}


def simplex(function, start, steps=700):
    """Nelder and Mead (1965), in the logarithms of the parameters."""
    points = [np.log(start)]
    for i in range(len(start)):
        points.append(points[0] + 0.4 * np.eye(len(start))[i])
    values = [function(np.exp(point)) for point in points]
    for _ in range(steps):
        order = np.argsort(values, kind="stable")
        points, values = [points[i] for i in order], [values[i] for i in order]
        center = np.mean(points[:-1], axis=0)

        def trial(factor):
            point = center + factor * (points[-1] - center)
            return point, function(np.exp(point))

        best, value = trial(-1)
        if value < values[0]:
            further, more = trial(-2)
            if more < value:
                best, value = further, more
        elif value >= values[-2]:
            best, value = trial(0.5 if value >= values[-1] else -0.5)
            if value >= values[-1]:
                points = [points[0]] + [(point + points[0]) / 2 for point in points[1:]]
                values = [values[0]] + [function(np.exp(point)) for point in points[1:]]
                continue
        points[-1], values[-1] = best, value
    return np.exp(points[int(np.argmin(values))])


class Model:
    """A prediction with parameters: (name, unit, start, low, high)."""

    def __init__(self, parameters, predict):
        self.parameters, self.predict = parameters, predict

    def errors(self, values, rows):
        return np.array([self.predict(values, row) / row["measured"] - 1 for row in rows])

    def fit(self, rows):
        low = np.array([parameter[3] for parameter in self.parameters])
        high = np.array([parameter[4] for parameter in self.parameters])

        def loss(values):
            clipped = np.clip(values, low, high)
            outside = np.sum(np.abs(np.log(values / clipped)))
            return np.mean(np.abs(self.errors(clipped, rows))) + outside

        start = np.array([parameter[2] for parameter in self.parameters], dtype=float)
        fits = [simplex(loss, np.clip(start * factor, low, high)) for factor in (1, 0.6, 1.6)]
        return np.clip(min(fits, key=loss), low, high)

    def leave_one_out(self, rows):
        return np.concatenate([self.errors(self.fit(rows[:i] + rows[i + 1:]), [rows[i]])
                               for i in range(len(rows))])


def percent(errors):
    return f"{100 * np.mean(np.abs(errors)):.1f}"


# --- training -------------------------------------------------------------------------------------------

def train_model(chip, recompute, is_modern):
    """TFLOP/s per chip of a 1F1B step of a GPT with tensor, pipeline and data parallelism.

    matrix products  flops / (peak * e)
    the rest         activation bytes of a layer (Korthikanti et al. 2022, table 2: 10 + 24 / t, and
                     5 * heads * seq / hidden / t without fused attention), read or written `traffic`
                     times a pass, at the memory's bandwidth; heads of 128
    all-reduce       2 (t - 1) / t * bytes / link, two a pass, the exposed share of it
    step             (m + p - 1) micro-batches; gradients reduced over the network once a step, the
                     exposed share of it

    The 2021 runs overlap nothing: both shares are 1, and gradients have 2 bytes.
    """
    def predict(values, row):
        efficiency, traffic, exposed_tensor, exposed_data = values if is_modern else (*values, 1, 1)
        t, p = row["tensor"], row["pipeline"]
        d = row["gpus"] / (t * p)
        h, layers, seq, vocab = row["hidden"], row["layers"], row["seq"], row["vocab"]
        rate = chip["bfloat16_tc_flops"] * efficiency
        micro_batches = row["global_batch"] / d
        forward = 24 * seq * h * h + 4 * seq * seq * h
        passes = 4 if recompute else 3
        layer = passes * forward / t / rate
        activations = seq * h * (34 / t if is_modern else 10 + (24 + 5 * seq / 128) / t)
        layer += traffic * passes * activations / chip["mem_bw"]
        reduces = 6 if recompute else 4
        layer += exposed_tensor * reduces * 2 * (t - 1) / t * seq * h * 2 / chip["intra_node_bw"]
        head = 6 * seq * h * vocab / t / rate
        step = (micro_batches + p - 1) * (layer * layers + head) / p
        weights = 12 * layers * h * h / (t * p)
        step += exposed_data * 2 * (d - 1) / d * (4 if is_modern else 2) * weights / chip["inter_node_bw"]
        counted = 24 * passes * row["global_batch"] * seq * layers * h * h * (
            1 + seq / (6 * h) + vocab / ((16 if recompute else 12) * layers * h))
        return counted / step / row["gpus"] / 1e12

    parameters = [("matrix efficiency", "of peak", 0.65, 0.3, 1), ("traffic", "times", 1, 0.01, 10)]
    if is_modern:
        parameters += [("exposed share of all-reduces", "", 0.5, 0.01, 2),
                       ("exposed share of the gradients", "", 0.5, 0.01, 2)]
    return Model(parameters, predict)


def calibrate_training(data, out):
    for name, table, chip, recompute, bar in (
            ("Megatron-LM, A100, full recompute", "megatron_a100_2021.csv", "a100_sxm", True, 6),
            ("Megatron-Core, H100", "megatron_core_h100.csv", "h100_sxm", False, 10)):
        rows, figures = read(data, table), read_chip(data, chip)
        for row in rows:
            row["measured"] = row["tflops_per_gpu"]
        model = train_model(figures, recompute, is_modern=not recompute)
        values = model.fit(rows)
        errors, outside = model.errors(values, rows), model.leave_one_out(rows)
        out.append(f"## {name}\n\n{len(rows)} rows of `{table}`; leave one out. "
                   f"Micro-batches of 1, no interleaving (neither is published).\n")
        describe(out, model, values)
        out.append("| model | T x P | measured TFLOP/s | predicted | error % | left out % |\n"
                   "|---|---|---|---|---|---|")
        for row, error, left in zip(rows, errors, outside):
            out.append(f"| {row['model']} | {row['tensor']:.0f} x {row['pipeline']:.0f} "
                       f"| {row['measured']:.1f} | {row['measured'] * (1 + error):.1f} "
                       f"| {100 * error:+.1f} | {100 * left:+.1f} |")
        out.append(f"\nMean error in sample {percent(errors)} %, **out of sample {percent(outside)} %** "
                   f"(bar: {bar} %), worst {100 * np.max(np.abs(outside)):.1f} %.\n")


# --- decoding -------------------------------------------------------------------------------------------

LLAMA = {"weights": 70.6e9, "layers": 80, "hidden": 8192, "kv": 80 * 8 * 128 * 2}


def decode_model():
    """Milliseconds per token of Llama-3.1-70B in FP8, served with prefill in the same steps.

    step = launch + (weights + cache) / (t * bandwidth * e) + batch * (1 + in / out) * flops / (t * peak * e)
           + batch * sequence + all-reduces
    """
    def predict(values, row):
        memory, launch, matrix, latency, cache, sequence = values
        chip, t, batch = row["chip"], row["tp_size"], row["batch_size"]
        context = row["isl"] + row["osl"] / 2
        bytes_read = LLAMA["weights"] + cache * LLAMA["kv"] * batch * context
        seconds = launch * 1e-3 + bytes_read / t / (chip["mem_bw"] * memory)
        tokens = batch * (1 + row["isl"] / row["osl"])
        flops = 2 * LLAMA["weights"] + 2 * row["isl"] * LLAMA["hidden"] * LLAMA["layers"]
        seconds += flops * tokens / t / (chip["fp8_tc_flops"] * matrix) + batch * sequence * 1e-6
        if t > 1:
            seconds += 2 * LLAMA["layers"] * (latency * 1e-6 + 2 * (t - 1) / t * tokens *
                                              LLAMA["hidden"] * 2 / chip["intra_node_bw"])
        return seconds * 1e3

    return Model([("memory efficiency", "of peak", 0.8, 0.3, 1), ("launch", "ms a step", 2, 0.01, 20),
                  ("matrix efficiency", "of FP8 peak", 0.5, 0.05, 1),
                  ("latency of an all-reduce", "us", 8, 0.1, 100),
                  ("cache traffic", "bytes an element", 1, 0.3, 4),
                  ("sequence", "us a step", 5, 0.01, 200)], predict)


def has_room(row):
    """Whether weights and cache (2 bytes an element in vLLM, 1 in TensorRT-LLM) fit, with 4.2 GB off."""
    element = 2 if row["backend"] == "vllm" else 1
    need = (LLAMA["weights"] + element * LLAMA["kv"] * row["batch_size"] * (row["isl"] + row["osl"]))
    return (need / row["tp_size"] <= row["chip"]["mem_capacity"] - 4.2e9
            and row["silicon_ttft_ms"] < 10_000)


def calibrate_decoding(data, out):
    rows = read(data, "llama31_70b_tpot.csv")
    for row in rows:
        row["chip"], row["measured"] = read_chip(data, row["system"]), row["silicon_tpot_ms"]
    kept = [row for row in rows if has_room(row)]
    out.append(f"## Llama-3.1-70B FP8, time per output token\n\n{len(kept)} of {len(rows)} rows of "
               "`llama31_70b_tpot.csv`: those where weights and cache fit the chip and the first token "
               "came within 10 s (no queueing). Out of sample per system: five folds, every fifth row "
               "left out. From chip to chip: fitted on one, errors on another with the same serving "
               "system.\n")
    model, groups = decode_model(), {}
    for row in kept:
        groups.setdefault((row["backend"], row["system"]), []).append(row)
    out.append("| serving system | chip | rows | "
               + " | ".join(f"{name} ({unit})" for name, unit, *_ in model.parameters)
               + " | in sample % | out of sample % |")
    out.append("|" + "---|" * (5 + len(model.parameters)))
    fits = {}
    for (backend, system), group in sorted(groups.items()):
        fits[backend, system] = values = model.fit(group)
        folds = [model.errors(model.fit([r for i, r in enumerate(group) if i % 5 != fold]),
                              group[fold::5]) for fold in range(5)]
        out.append(f"| {backend} | {system} | {len(group)} | "
                   + " | ".join(f"{value:.3g}" for value in values)
                   + f" | {percent(model.errors(values, group))} | **{percent(np.concatenate(folds))}** |")
    out.append("\nBar: 8 % per system.\n\n| serving system | fitted on | predicts | mean error % |\n"
               "|---|---|---|---|")
    for (backend, system), values in sorted(fits.items()):
        for (other_backend, other), group in sorted(groups.items()):
            if backend == other_backend and system != other:
                out.append(f"| {backend} | {system} | {other} "
                           f"| **{percent(model.errors(values, group))}** |")
    out.append("\nBar: 12 % from one chip to another.\n")


# --- mixed clusters -------------------------------------------------------------------------------------

# Forward ms of a layer at batch 1 by tensor width, from AMP's profiles (chips T4 and V100).
FORWARD = {"T4": {1: 4.9, 2: 6.0, 4: 5.6}, "V100": {1: 4.0, 2: 5.24, 4: 4.5}}


def mixed_model():
    """Seconds of a step of GPT-2 (24 layers) on 16 chips: 1F1B, the slowest chip sets each stage.

    Stages are filled in order, T4 last. A backward pass takes twice a forward pass. Activations of 4
    bytes: four all-reduces a layer over the node's link, one message a micro-batch each way over the
    network; gradients go over the slowest link of the ring.
    """
    def predict(values, row):
        growth, network, link, rest = values
        t, d, p, micro = (int(row[key]) for key in ("tensor", "data", "pipeline", "micro_batch"))
        chips = ["T4"] * 16 if row["cluster"] == "homogeneous" else ["V100"] * 12 + ["T4"] * 4
        width = t * d
        activations = micro * 1024 * 1024 * 4
        stages = []
        for stage in range(p):
            used = chips[stage * width:(stage + 1) * width]
            layer = 3 * max(FORWARD[chip][t] for chip in used) * 1e-3 * (1 + growth * (micro - 1))
            layer += 4 * 2 * (t - 1) / t * activations / (link * 1e9)
            stages.append(24 / p * layer + (2 * activations / (network * 1e9) if p > 1 else 0))
        step = sum(stages) + (32 / (d * micro) - 1) * max(stages) + rest
        weights = 12 * 24 * 1024 ** 2 / (t * p) + 50257 * 1024 / t
        return step + (2 * (d - 1) / d * weights * 4 / (network * 1e9) if d > 1 else 0)

    return Model([("growth with the batch", "an item", 0.5, 0.02, 1.2),
                  ("network", "GB/s", 3, 0.2, 6.25), ("link in a node", "GB/s", 6, 0.5, 30),
                  ("rest", "s", 0.1, 0.001, 1)], predict)


def rank_correlation(a, b):
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return np.corrcoef(*ranks)[0, 1]


def calibrate_mixed(data, out):
    rows = read(data, "amp_t4_v100.csv")
    for row in rows:
        row["measured"] = row["seconds"]
    alike = [row for row in rows if row["cluster"] == "homogeneous"]
    mixed = [row for row in rows if row["cluster"] == "mixed"]
    model = mixed_model()
    values = model.fit(alike)
    out.append(f"## Mixed cluster (T4 and V100)\n\nFitted on the {len(alike)} homogeneous rows of "
               f"`amp_t4_v100.csv`; the {len(mixed)} mixed rows are all out of sample. Layer times are "
               "AMP's own profiles.\n")
    describe(out, model, values)
    out.append("| cluster | micro-batch | T, D, P | measured s | predicted s | error % |\n"
               "|---|---|---|---|---|---|")
    for row in rows:
        guess = model.predict(values, row)
        out.append(f"| {row['cluster']} | {row['micro_batch']:.0f} | {row['tensor']:.0f}, "
                   f"{row['data']:.0f}, {row['pipeline']:.0f} | {row['measured']:.2f} | {guess:.2f} "
                   f"| {100 * (guess / row['measured'] - 1):+.0f} |")
    guesses = [model.predict(values, row) for row in mixed]
    correlation = rank_correlation(guesses, [row["measured"] for row in mixed])
    out.append(f"\nRank correlation (Spearman) on the mixed rows **{correlation:.2f}** (bar: 0.8; only "
               f"{len(mixed)} rows); mean error {percent(model.errors(values, mixed))} %.\n")


def describe(out, model, values):
    out.append("Parameters: " + "; ".join(
        f"{name} {value:.3g}{' ' + unit if unit else ''}"
        for (name, unit, *_), value in zip(model.parameters, values)) + ".\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    out = ["# Calibration of the cost model\n",
           "Made by `bench/planner/calibrate.py --data DIR --out docs/planner/calibration.md`; do not "
           "edit. Predictions are those of the formulas in that script, which are the cost model's over the "
           "shapes of whole models; \"measured\" is what others published. A row that is left out has no "
           "part in the parameters that predict it, but the forms of the formulas were chosen with all "
           "rows in view.\n"]
    calibrate_training(options.data, out)
    calibrate_decoding(options.data, out)
    calibrate_mixed(options.data, out)
    text = "\n".join(out).rstrip() + "\n"
    print(text, end="")
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
