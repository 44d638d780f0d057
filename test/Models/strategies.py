"""The strategies of the matrix, and which case runs under which."""

import re

# Short forms, by name.
SHORT = {
    "tp2": "tp=2", "tp3": "tp=3", "tp4": "tp=4", "tp8": "tp=8", "dp2": "dp=2", "dp3": "dp=3",
    "pp2": "pp=2", "pp2 x tp2": "pp=2,tp=2", "pp2 x tp4": "pp=2,tp=4",
    "pp2 x tp2 x dp2": "pp=2,tp=2,dp=2",
    "cp2": "cp=2", "cp4": "cp=4", "tp2 + sp": "tp=2,sp=2", "tp4 + sp": "tp=4,sp=4",
    "cp2 x tp2": "cp=2,tp=2", "pp2 x cp2": "pp=2,cp=2",
    "pp2 mb3": "pp=2,mb=3", "pp2 mb4": "pp=2,mb=4", "pp2 mb5": "pp=2,mb=5",
    "pp2 x tp2 mb3": "pp=2,tp=2,mb=3", "pp2 x dp2 mb3": "pp=2,dp=2,mb=3",
    "pp2 x tp2 x dp2 mb4": "pp=2,tp=2,dp=2,mb=4", "mb4": "mb=4",
    "ep2": "ep=2", "ep3": "ep=3", "ep4": "ep=4", "ep2 x tp2": "ep=2,tp=2", "pp2 x ep2": "pp=2,ep=2",
    "ep2 x tp2 + sp": "ep=2,tp=2,sp=2", "dp2 x ep2": "dp=2,ep=2", "dp4 x ep4": "dp=4,ep=4", "cp2 x ep2": "cp=2,ep=2",
}
# Where experts are cut along an axis that cuts the rows, too.
EXPERT_AXIS = {"dp2 x ep2": "dp", "dp4 x ep4": "dp", "cp2 x ep2": "cp"}


def micro_batches(strategy):
    """How many micro-batches it has; 1 without."""
    match = re.search(r"\bmb(\d+)$", strategy)
    return int(match[1]) if match else 1


# Stages of different widths on two kinds of chips: a file for each way in which
# models name their layers, and the fleet.
MIXED = {
    "tp3 + tp2": ({"tp": 3}, {"tp": 2}),
    "tp3 + tp1": ({"tp": 3}, {}),
    "tp2 + dp2": ({"tp": 2}, {"dp": 2}),
}
MIXED_FLEET = "mixed-4x4.yaml"

# Micro-batches, with the cases of more rows (tiling.py).
MICRO = {"llama-gqa-f32": ["pp2 mb3", "pp2 mb4", "pp2 mb5", "pp2 x tp2 mb3", "pp2 x dp2 mb3",
                           "pp2 x tp2 x dp2 mb4", "mb4"],
         "gpt2-f32": ["pp2 mb3", "pp2 x dp2 mb3"],
         "llama-gqa-f32-ms": ["pp2 mb3"], "mixtral-moe-f32-ms": ["pp2 mb3"],
         "mixtral-moe-f32": ["pp2 mb3"], "llama-int4-ms": ["pp2 mb3"],
         "whisper-decoder-f32": ["pp2 mb4"], "deepseek-v3-mla-moe-f32": ["pp2 mb3"],
         "qwen3-next-hybrid-f32-fn": ["pp2 mb3"]}

# The first layer, by family: the first stage.
FIRST_LAYER = [("bert-", ["node_MatMul_[0-88]", "node_linear_[0-5]", "node_layer_norm_[0-2]"]),
               ("gpt2-", ["transformer/h.0/**"]),
               ("", ["model/layers.0/**"])]

CORE = ["llama-gqa-f32", "llama-gqa-f32-plain", "llama-tp-odd-f32", "gpt2-f32",
        "bert-f32-torch", "mixtral-moe-f32"]
EVERYWHERE = ["tp2", "pp2"]
ON_CORE = ["tp2", "tp3", "tp4", "tp8", "dp2", "pp2", "pp2 x tp2", "pp2 x tp4", "pp2 x tp2 x dp2"]
# Along the sequence: the tokens of the whole model (cp), or what tensor parallelism
# leaves whole (sp).
SEQUENCE = {"llama-gqa-f32": ["cp2", "cp4", "cp2 x tp2", "pp2 x cp2", "tp2 + sp", "tp4 + sp"],
            "llama-gqa-f32-plain": ["cp2", "tp2 + sp"], "gpt2-f32": ["cp2", "cp4", "tp2 + sp"],
            "mixtral-moe-f32": ["cp2", "tp2 + sp"], "bert-f32-torch": ["cp2", "tp2 + sp"],
            "llama-tp-odd-f32": ["cp2", "tp2 + sp"]}

# Where heads, blocks or rows run out, and other widths of stages.
MORE = {"llama-gqa-f32": ["dp3", "tp3 + tp1", "tp2 + dp2"],
        "llama-gqa-f32-ms": ["tp3", "dp2", "dp3"], "mixtral-moe-f32-ms": ["dp3"],
        "llama-int4-ms": ["tp3", "tp4", "dp3"], "moe-ms-f32": ["tp3"], "qmoe-int4-ms": ["tp3"],
        "qwen3-next-hybrid-f32-fn": ["dp2"], "deepseek-v3-mla-moe-f32": ["tp3"]}

# Mixtures of experts: written out, and as one operator.
EXPERTS = {
    **{case: ["ep2", "ep4", "ep2 x tp2", "pp2 x ep2", "dp2 x ep2"]
       for case in ["mixtral-moe-f32", "mixtral-moe-f32-ms", "deepseek-v3-mla-moe-f32",
                    "qwen3-next-hybrid-f32", "qwen3-next-hybrid-f32-fn"]},
    **{case: ["ep2", "ep3", "ep4", "ep2 x tp2", "pp2 x ep2", "dp2 x ep2", "dp4 x ep4"]
       for case in ["moe-ms-f32", "qmoe-int4-ms"]}}
# Its Scan has the states of the whole batch on every rank.
EXPERTS["qwen3-next-hybrid-f32"].remove("dp2 x ep2")
EXPERTS["mixtral-moe-f32"] += ["ep3", "cp2 x ep2", "ep2 x tp2 + sp"]

# Heads that can be told apart: key-value heads, with the queries that read them.
# (In the int4 model two of them: the output projection reads a block of 32 for each,
# and two blocks share a byte of zero points.)
HEADS = {"bert": 4, "deepseek-v3": 4, "gemma": 2, "gpt2": 4, "llama-int4": 2,
         "llama-tp-odd": 3, "llama": 4, "mixtral": 2, "qwen3": 2, "vit": 4, "whisper": 4}


# Blocks of the inner width of the feed-forward part, where the weights behind it are
# quantised in blocks along it: 256 in blocks of 32, of which two share a byte of
# zero points.
BLOCKS = {"llama-int4": 4}


def find_units(table, case):
    """The entry of a model; 0 if it has none."""
    return next((count for prefix, count in table.items() if case.startswith(prefix)), 0)


def mixed_text(case, name):
    """The strategy file of a mixed plan."""
    patterns = next(patterns for prefix, patterns in FIRST_LAYER if case.startswith(prefix))
    mesh = lambda axes: "{" + ", ".join(f"{axis}: {size}" for axis, size in axes.items()) + "}"
    first, second = MIXED[name]
    return ("stages:\n"
            f"  - {{nodes: [{', '.join(repr(p) for p in patterns)}], mesh: {mesh(first)}, on: ascend}}\n"
            f"  - {{nodes: rest, mesh: {mesh(second)}, on: metax}}\n")


def cells(cases):
    """All (case, strategy, how ranks run) of the matrix."""
    for case in cases:
        for strategy in [*(ON_CORE if case in CORE else EVERYWHERE), *MORE.get(case, [])]:
            yield case, strategy, "threads"
        for strategy in [*SEQUENCE.get(case, []), *MICRO.get(case, [])]:
            yield case, strategy, "threads"
        if case == "llama-gqa-f32":
            yield case, "pp2 x tp2 mb3", "mpi"
        for strategy in EXPERTS.get(case, []):
            yield case, strategy, "threads"
        if case in CORE:
            yield case, "tp3 + tp2", "mpi"
        if case == "mixtral-moe-f32":
            yield case, "dp2 x ep2", "mpi"


# Where a strategy has nothing to cut, by prefix of the case, and why: no cells.
NO_TOKENS = "no input is of integers [batch, tokens]"
NO_ROWS = "attention of queries whose number says what they see runs whole on every rank"
INAPPLICABLE = {"mb": {"bert": "rows are looked up by their number",
                       "qwen3-next-hybrid-f32": "loops take the whole batch"},
                "cp": {"vit": NO_TOKENS, "whisper-encoder": NO_TOKENS, "moe-ms": NO_TOKENS,
                       "qmoe-int4-ms": NO_TOKENS, "llama-gqa-f32-ms": NO_ROWS,
                       "llama-int4-ms": NO_ROWS, "qwen3-f32-ms": NO_ROWS,
                       "mixtral-moe-f32-ms": NO_ROWS, "llama-static-cache": NO_ROWS}}


# Cases that also run a prompt that is padded on the right (padded.py).
PADDED = ["llama-gqa-f32", "llama-gqa-f32-ms", "qwen3-f32-ms"]

# What `make test` runs: every kind of strategy, and every kind of product.
SAMPLE = [
    ("llama-gqa-f32", "cp2 x tp2", "threads"), ("gpt2-f32", "tp2 + sp", "threads"),
    ("llama-gqa-f32", "tp8", "threads"), ("llama-tp-odd-f32", "tp3 + tp2", "mpi"),
    ("gpt2-f32", "pp2 x tp2 x dp2", "threads"), ("llama-gqa-f32-ms", "tp3", "threads"),
    ("llama-int4-ms", "tp2", "threads"), ("qmoe-int4-ms", "tp3", "threads"),
    ("whisper-decoder-f32", "pp2", "threads"), ("llama-gqa-f32", "pp2 x dp2 mb3", "threads"),
    ("gpt2-f32", "pp2 mb3", "threads"),
    ("deepseek-v3-mla-moe-f32", "ep2", "threads"),
    ("qmoe-int4-ms", "dp2 x ep2", "threads"), ("mixtral-moe-f32", "dp2 x ep2", "threads"),
]
