"""Part (b): a small Llama that decodes with its cache split over four ranks."""

import shutil

import numpy as np

from common import FLEET, ROOT, DemoError, fresh_folder, read_tensors, say, short

CASE = ROOT.parent / "shared/data/llm/llama-gqa-f32"
STATE = ["--state", "past_key_values.*=present.*"]
RTOL, ATOL = 1e-3, 1e-4  # of the case


def copy_step(source, target, keep_cache):
    """Copies the inputs of a recorded step; later steps get no cache from the files."""
    target.mkdir(parents=True)
    for index, name in enumerate(read_tensors(source, "input")):
        if keep_cache or not name.startswith("past_key_values."):
            shutil.copy(source / f"input_{index}.pb", target / f"input_{index}.pb")


def run_decoder(dougong, folder):
    say("(b) a small Llama (grouped-query attention, 2 layers, generated weights): prefill, then two decode steps")
    if not CASE.exists():
        say(f"    skipped: {CASE} is not there (the test data is not part of the repository)")
        return
    folder = fresh_folder(folder)
    package, outputs = folder / "package", folder / "outputs"
    steps = sorted(CASE.glob("test_data_set_*"))
    for number, step in enumerate(steps):
        copy_step(step, folder / f"step{number}", keep_cache=number == 0)

    say("\n  compile")
    dougong("compile", CASE / "model.onnx", *FLEET, *STATE, "-o", package, "--quiet")

    say("\n  run; each rank keeps its part of the cache between the steps")
    inputs = [word for number in range(len(steps)) for word in ("--inputs", folder / f"step{number}")]
    dougong("run", package, "--ranks", "mpi", *inputs, "--outputs", outputs)

    say("\n  compare with the recorded outputs of onnxruntime")
    for number, step in enumerate(steps):
        got = read_tensors(outputs / f"step_{number}", "output")
        expected = read_tensors(step, "output")
        if got.keys() != expected.keys():
            raise DemoError(f"step {number}: got outputs {sorted(got)}, expected {sorted(expected)}")
        for name, reference in expected.items():
            if got[name].shape != reference.shape or not np.allclose(got[name], reference, RTOL, ATOL):
                raise DemoError(f"step {number}: {name} differs from the recorded output")
        largest = max(float(np.abs(got[n] - expected[n]).max(initial=0)) for n in expected)
        cache = got["present.0.key"].shape[2]
        tokens = got["logits"][:, -1].argmax(-1).tolist()
        say(f"    step {number}: {len(got)} outputs agree, largest difference {largest:.1e};"
            f" cache holds {cache} tokens; next token of the two sequences: {tokens}")
    say(f"\n  plan   {short(package / 'plan.json')}\n  report {short(package / 'report.html')}")
