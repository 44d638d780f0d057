"""Cases of com.microsoft's operators, by family, in the form of cases.py.

Types that ONNX Runtime's CPU provider has no kernel for are computed by its float32 one
(`widened`); forms that it lacks altogether by reference.py.
"""

import dataclasses

import ml_dtypes
import numpy as np

import reference
from cases import Case, integers, reals

MS = "com.microsoft"
HALF, BFLOAT = np.float16, ml_dtypes.bfloat16


def ms(op, inputs, attributes=None, outputs=(0,), **more):
    return Case(op, inputs, attributes or {}, outputs, domain=MS, **more)


def in_type(case, dtype, rtol, keep=()):
    """The case with its floats in another type, but for the inputs `keep`; what is expected is
    computed in float32."""
    inputs = [array.astype(dtype) if array is not None and array.dtype == np.float32
              and position not in keep else array for position, array in enumerate(case.inputs)]
    return dataclasses.replace(case, inputs=inputs, widened=True, rtol=rtol, atol=rtol)


def with_narrow(cases):
    """The cases, and the first of them in f16 and bf16."""
    return [*cases, in_type(cases[0], HALF, 4e-3), in_type(cases[0], BFLOAT, 3e-2)]


# Attention ------------------------------------------------------------------------------------

BATCH, HEADS, KV, SIZE, PROMPT, PAST, POSITIONS = 3, 4, 2, 16, 5, 7, 23
STATIC = (1, 2, 4, 8, 16, 32, 64, 128)


def group_query(length=PROMPT, past=None, batch=BATCH, packed=False, bias=None, sink=False,
                positions=None, norms=False, lengths=None, buffer=None, expected=None, outputs=None,
                rotary_size=SIZE, **attributes):
    """`past`: places in use, for all rows of the batch; `lengths`: for each; `buffer`: of the cache."""
    width = HEADS * SIZE
    used = lengths if lengths is not None else [past or 0] * batch
    total = max(used) + length
    query = reals(batch, length, width + 2 * KV * SIZE if packed else width)
    fresh = [None, None] if packed else [reals(batch, length, KV * SIZE) for _ in range(2)]
    cache = [None, None]
    if past is not None or lengths is not None:
        room = buffer or max(used)
        cache = [reals(batch, KV, room, SIZE) for _ in range(2)]
    rotary = [None, None]
    if attributes.get("do_rotary"):
        rotary = [reals(POSITIONS, rotary_size // 2) for _ in range(2)]
    position_ids = None
    if positions:
        position_ids = np.array([[used[row] + place for place in range(length)]
                                 for row in range(batch)], np.int64)
    scores = None if bias is None else reals(*bias, length, total)
    inputs = [query, *fresh, *cache, np.int32([u + length - 1 for u in used]), np.int32(total),
              *rotary, position_ids, scores, reals(HEADS) if sink else None, None, None,
              *([reals(SIZE, low=.5), reals(SIZE, low=.5)] if norms else [None, None])]
    # A cache that is a buffer keeps its length only where the total is known.
    return ms("GroupQueryAttention", inputs, {"num_heads": HEADS, "kv_num_heads": KV, **attributes},
              outputs or (0, 1, 2), static=STATIC, constants=(6,) if buffer else (),
              dynamic=not buffer, expected=expected)


def group_query_attention():
    rotary = {"do_rotary": 1}
    cases = []
    for form in ({}, {"past": PAST, "length": 1}, {"past": PAST, "length": PROMPT, "batch": 1},
                 {"lengths": [7, 3, 6], "length": 1}):
        batch = form.get("batch", BATCH)
        cases += [group_query(**form, **more) for more in (
            {}, {"packed": True}, rotary, rotary | {"rotary_interleaved": 1},
            rotary | {"packed": True}, {"scale": .4},
            {"softcap": 1.5}, {"smooth_softmax": 1}, {"sink": True}, {"local_window_size": 3},
            {"bias": (1, 1)}, {"bias": (1, HEADS)}, {"bias": (batch, 1)}, {"bias": (batch, HEADS)},
            rotary | {"positions": True},
            rotary | {"packed": True, "bias": (1, HEADS), "sink": True, "softcap": 2.,
                      "local_window_size": 4, "scale": .3})]
    cases += [group_query(past=PAST, length=1, buffer=11, **more)
              for more in ({}, rotary, {"local_window_size": 3}, {"packed": True})]
    cases += [group_query(**form, qk_output=mode, outputs=(0, 1, 2, 3), **more)
              for form in ({}, {"past": PAST, "length": 1}) for mode in (1, 2)
              for more in ({}, {"softcap": 1.5})]
    cases += [group_query(**form, **more, norms=True, expected=reference.group_query_attention)
              for form in ({}, {"past": PAST, "length": 1})
              for more in (rotary, {"qk_norm_epsilon": .1}, {"packed": True})]
    cases += [group_query(**form, **rotary, rotary_size=SIZE // 2,
                          expected=reference.group_query_attention)
              for form in ({}, {"past": PAST, "length": 1})]
    for number, case in enumerate(cases):  # (kernels of dynamic extents take seconds to compile)
        case.dynamic = number in (0, 3, 16)
    return with_narrow(cases)


def key_mask(*shape):
    """Of 0 and 1. A row that sees no key is left to rounding: its scores are all the filter's."""
    mask = integers(0, 2, *shape, dtype=np.int32)
    mask[..., 0] = 1
    return mask


def multi_head(length=PROMPT, keys=PAST, batch=BATCH, form="flat", bias=False, mask=None,
               scores=None, past=None, value_size=SIZE, outputs=None, **attributes):
    """`form`: how query, key and value come."""
    width, vwidth = HEADS * SIZE, HEADS * value_size
    if form == "packed":
        query, key, value, keys = reals(batch, length, HEADS, 3, SIZE), None, None, length
    elif form == "kv":
        query, key, value = reals(batch, length, width), reals(batch, keys, HEADS, 2, SIZE), None
    elif form == "heads":
        query = reals(batch, length, width)
        key, value = reals(batch, HEADS, keys, SIZE), reals(batch, HEADS, keys, value_size)
    else:
        query, key, value = (reals(batch, length, width), reals(batch, keys, width),
                             reals(batch, keys, vwidth))
    total = keys + (past or 0)
    padding = {None: lambda: None, "lengths": lambda: np.int32([3, 5, 4][:batch]),
               "keys": lambda: key_mask(batch, total),
               "rows": lambda: key_mask(batch, length, total)}[mask]()
    cache = [reals(batch, HEADS, past, SIZE) for _ in range(2)] if past else [None, None]
    inputs = [query, key, value, reals(2 * width + vwidth) if bias else None, padding,
              None if scores is None else reals(*scores, length, total), *cache]
    return ms("MultiHeadAttention", inputs, {"num_heads": HEADS, **attributes},
              outputs or ((0, 1, 2) if past else (0,)), static=STATIC + (3,), float_outputs=True,
              expected=reference.unpacked if form in ("packed", "kv") else None)


def multi_head_attention():
    cases = [multi_head(**more) for more in (
        {}, {"bias": True}, {"value_size": 8}, {"value_size": 8, "bias": True}, {"scale": .3},
        {"mask": "lengths"}, {"mask": "keys"}, {"mask": "rows"}, {"mask_filter_value": -3.,
                                                                   "mask": "keys"},
        {"scores": (1, 1)}, {"scores": (1, HEADS)}, {"scores": (BATCH, 1)},
        {"scores": (BATCH, HEADS)}, {"scores": (BATCH, HEADS), "mask": "keys"},
        {"scores": (1, 1), "mask": "rows"}, {"keys": PROMPT, "unidirectional": 1},
        {"outputs": (0, 1, 2)}, {"outputs": (0, 1, 2), "bias": True}, {"outputs": (0, 3)},
        {"outputs": (0, 1, 2, 3), "mask": "keys"},
        {"form": "packed"}, {"form": "packed", "mask": "keys"}, {"form": "packed", "unidirectional": 1},
        {"form": "kv"}, {"form": "kv", "mask": "keys"}, {"form": "heads"},
        {"form": "heads", "mask": "keys"}, {"form": "heads", "scores": (1, HEADS)})]
    cases += [multi_head(keys=length, length=length, past=PAST, **more) for length in (1, PROMPT)
              for more in ({}, {"bias": True}, {"mask": "keys"}, {"scores": (1, HEADS)},
                           {"unidirectional": 1}, {"outputs": (0, 1, 2, 3)})]
    return [*cases, in_type(cases[0], HALF, 4e-3)]


def projected(length=PROMPT, batch=BATCH, bias=True, mask=None, scores=None, past=None,
              outputs=None, sizes=None, **attributes):
    hidden, width = 24, HEADS * SIZE
    columns = sum(sizes) if sizes else 3 * width
    total = length + (past or 0)
    padding = {None: lambda: None, "ends": lambda: np.int32([3, 5, 4][:batch]),
               "ends, starts": lambda: np.int32([5, 4, 5, 1, 0, 2]),
               "keys": lambda: key_mask(batch, total),
               "rows": lambda: key_mask(batch, length, total)}[mask]()
    inputs = [reals(batch, length, hidden), reals(hidden, columns, low=-.4, high=.4),
              reals(columns) if bias else None, padding,
              reals(2, batch, HEADS, past, SIZE) if past else None,
              None if scores is None else reals(*scores, length, total)]
    if sizes:
        attributes["qkv_hidden_sizes"] = sizes
    return ms("Attention", inputs, {"num_heads": HEADS, **attributes},
              outputs or ((0, 1) if past else (0,)), static=STATIC + (24, 160, 192, 224),
              constants=(1, 2), dynamic=mask != "ends, starts")


def packed_attention():
    cases = [projected(**more) for more in (
        {}, {"bias": False}, {"mask": "ends"}, {"mask": "ends, starts"}, {"mask": "keys"},
        {"mask": "rows"}, {"unidirectional": 1}, {"unidirectional": 1, "mask": "keys"},
        {"scale": .3}, {"mask": "keys", "mask_filter_value": -2.}, {"sizes": [64, 64, 32]},
        {"scores": (1, 1)}, {"scores": (1, HEADS)}, {"scores": (BATCH, HEADS)},
        {"scores": (BATCH, 1), "mask": "keys"}, {"outputs": (0, 1)},
        {"outputs": (0, 1), "unidirectional": 1})]
    cases += [projected(length=length, past=PAST, **more) for length in (1, PROMPT)
              for more in ({}, {"mask": "keys"}, {"mask": "rows"}, {"unidirectional": 1})]
    return [*cases, in_type(cases[0], HALF, 4e-3)]


def rotary_embedding():
    cases = []
    for interleaved in (0, 1):
        for positions in (np.int64([4]), integers(0, POSITIONS, BATCH, PROMPT)):
            cases += [ms("RotaryEmbedding", [x, positions, reals(POSITIONS, half), reals(POSITIONS, half)],
                         {"interleaved": interleaved, **more}, static=STATIC)
                      for x, half, more in (
                          (reals(BATCH, PROMPT, HEADS * SIZE), SIZE // 2, {}),
                          (reals(BATCH, HEADS, PROMPT, SIZE), SIZE // 2, {}),
                          (reals(BATCH, PROMPT, HEADS * SIZE), 4,
                           {"num_heads": HEADS, "rotary_embedding_dim": 8}))]
    return with_narrow(cases)


# Rows -----------------------------------------------------------------------------------------

def normalization():
    x, skip, gamma, beta, bias = (reals(*shape) for shape in ((3, 5, 16), (3, 5, 16), (16,), (16,),
                                                              (16,)))
    cases = []
    for op, extra in (("SkipLayerNormalization", [None]), ("SkipLayerNormalization", [beta]),
                      ("SkipSimplifiedLayerNormalization", [])):
        for term in (None, bias):
            for residual in (skip, skip[:1], skip[0]):
                for outputs in ((0,), (0, 3)):
                    cases.append(ms(op, [x, residual, gamma, *extra, term], {"epsilon": 1e-3},
                                    outputs, static=(16,)))
        cases.append(ms(op, [x[0], skip[0], gamma, *extra], {}, (0, 3), static=(16,)))
    cases += [Case("SimplifiedLayerNormalization", [x, scale], {"axis": axis, "epsilon": 1e-3,
                                                                "stash_type": 1}, outputs,
                   static=(16,))
              for axis, scale in ((-1, gamma), (2, gamma), (1, reals(5, 16)))
              for outputs in ((0,), (0, 1))]
    narrow = [in_type(case, dtype, tolerance) for case in (cases[3], cases[15], cases[27], cases[-2])
              for dtype, tolerance in ((HALF, 6e-3), (BFLOAT, 5e-2))]
    return cases + narrow


def embeddings():
    batch, length, hidden = 3, 5, 16
    ids, segments = (integers(0, high, batch, length, dtype=np.int32) for high in (11, 2))
    tables = [reals(rows, hidden) for rows in (11, 13, 2)]
    mask = np.int32([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])
    cases = []
    for with_segments in (True, False):
        for places in (None, integers(0, 13, batch, length, dtype=np.int32),
                       integers(0, 13, 1, length, dtype=np.int32)):
            for given, outputs in ((None, (0,)), (mask, (0, 1)), (None, (0, 1, 2))):
                cases.append(ms("EmbedLayerNormalization",
                                [ids, segments if with_segments else None, tables[0], tables[1],
                                 tables[2] if with_segments else None, reals(hidden),
                                 reals(hidden), given, places],
                                {"epsilon": 1e-3, "mask_index_type": int(len(outputs) > 1)}, outputs, static=(16, 2)))
    return cases + [in_type(cases[0], HALF, 6e-3)]


def activations():
    x, bias = reals(3, 5, 17), reals(17)
    cases = [ms("FastGelu", [x]), ms("FastGelu", [x, bias]), ms("BiasGelu", [x, bias]),
             ms("Gelu", [x]), ms("QuickGelu", [x]), ms("QuickGelu", [x], {"alpha": .5}),
             ms("QuickGelu", [x], {"alpha": 1.})]
    narrow = [in_type(case, dtype, tolerance) for case in cases
              for dtype, tolerance in ((HALF, 4e-3), (BFLOAT, 3e-2))]
    return cases + narrow


# Products -------------------------------------------------------------------------------------

def products():
    cases = []
    for a_shape, b_shape in (((3, 5), (5, 7)), ((2, 3, 5), (2, 5, 7)), ((2, 3, 5), (5, 7)),
                             ((2, 4, 3, 5), (2, 4, 5, 7))):
        for trans_a in (0, 1):
            for trans_b in (0, 1):
                a, b = reals(*a_shape), reals(*b_shape)
                cases.append(ms("FusedMatMul", [np.swapaxes(a, -1, -2) if trans_a else a,
                                                np.swapaxes(b, -1, -2) if trans_b else b],
                                {"transA": trans_a, "transB": trans_b, "alpha": .7}))
    return with_narrow(cases)


def packed_bytes(*shape):
    return integers(0, 256, *shape, dtype=np.uint8)


def block_products():
    cases = []
    for m, k, n, block, bits in ((3, 64, 19, 16, 4), (5, 40, 33, 16, 4), (9, 64, 12, 32, 8),
                                 (7, 96, 21, 32, 2), (1, 128, 33, 64, 4)):
        blocks, per_byte = -(-k // block), 8 // bits
        weights, scales = packed_bytes(n, blocks, block // per_byte), reals(n, blocks, low=-.1, high=.1)
        packed = packed_bytes(n, -(-blocks // per_byte))
        floats = reals(n, blocks, low=0, high=2 ** bits - 1)
        a, bias = reals(2, m, k), reals(n)
        for zeros in (None, packed, floats):
            if bits != 4 and zeros is floats:
                continue
            for term in (None, bias):
                cases.append(ms("MatMulNBits", [a, weights, scales, zeros, None, term],
                                {"K": k, "N": n, "bits": bits, "block_size": block},
                                constants=(1, 2, 3, 5), static=(k, n), atol=1e-4))
    narrow = [in_type(case, HALF, 1e-2) for case in (cases[0], cases[5])]
    return cases + narrow + [in_type(cases[0], BFLOAT, 5e-2)]


def lookups():
    cases = []
    for bits in (2, 4, 8):
        for block in (16, 32):
            data = packed_bytes(11, 64 * bits // 8)
            scales = reals(11, 64 // block)
            zeros = packed_bytes(11, -(-64 // block * bits // 8))
            for index in (integers(-11, 11, 3, 5), integers(0, 11, 7, dtype=np.int32)):
                for zero in (None, zeros):
                    cases.append(ms("GatherBlockQuantized", [data, index, scales, zero],
                                    {"bits": bits, "block_size": block, "gather_axis": 0,
                                     "quantize_axis": 1}, constants=(0, 2, 3), static=(11,)))
    for kind in (ml_dtypes.int4, ml_dtypes.uint4):
        low, high = (-8, 8) if kind == ml_dtypes.int4 else (0, 16)
        for gather, quantize in ((0, 1), (1, 0), (0, -1), (-1, 0), (0, 0), (1, 1)):
            shape = [32, 48]
            data = integers(low, high, *shape).astype(kind)
            shape[quantize] //= 16
            for zero in (None, integers(low, high, *shape).astype(kind)):
                cases.append(ms("GatherBlockQuantized",
                                [data, integers(-32, 32, 5), reals(*shape), zero],
                                {"block_size": 16, "gather_axis": gather,
                                 "quantize_axis": quantize}, constants=(0, 2, 3), static=(32, 48)))
    return cases + [in_type(cases[0], HALF, 1e-3), in_type(cases[0], BFLOAT, 1e-2)]


# Experts --------------------------------------------------------------------------------------

TOKENS, HIDDEN, INNER, EXPERTS = 7, 32, 16, 4


def mixture(tokens=TOKENS, bias=True, third=False, rank=2, k=2, activation="silu", fusion=0,
            expected=None, **attributes):
    gated = activation in ("swiglu", "geglu")
    width = 2 * INNER if gated and fusion else INNER
    x = reals(tokens, HIDDEN) if rank == 2 else reals(1, tokens, HIDDEN)

    def layer(rows, columns):
        return [reals(EXPERTS, rows, columns, low=-.3, high=.3), reals(EXPERTS, rows) if bias else None]

    inputs = [x, reals(tokens, EXPERTS), *layer(width, HIDDEN), *layer(HIDDEN, INNER)]
    if third:
        inputs += layer(INNER, HIDDEN)
    if gated:
        attributes["swiglu_fusion"] = fusion
    return ms("MoE", inputs, {"k": k, "activation_type": activation, **attributes},
              constants=tuple(range(2, len(inputs))), static=(EXPERTS, HIDDEN, 1),
              expected=expected)


def experts():
    cases = [mixture(activation=name, normalize_routing_weights=normalize, k=k)
             for name in ("relu", "gelu", "silu", "identity") for normalize in (0, 1) for k in (1, 2)]
    swiglu = {"activation": "swiglu", "fusion": 1, "normalize_routing_weights": 1}
    cases += [mixture(**swiglu, **more) for more in (
        {}, {"swiglu_limit": .5}, {"activation_alpha": 1.702, "activation_beta": 1.,
                                   "swiglu_limit": 7.}, {"bias": False}, {"rank": 3})]
    cases += [mixture(bias=False), mixture(rank=3), mixture(tokens=19), mixture(tokens=1, k=4)]
    other = {"activation": "swiglu", "normalize_routing_weights": 1, "swiglu_limit": .5,
             "activation_alpha": 1.702, "activation_beta": 1., "expected": reference.mixture}
    cases += [mixture(**other, fusion=0, third=True), mixture(**other, fusion=2),
              mixture(**other, fusion=1), mixture(**other, fusion=2, tokens=19)]
    cases += [mixture(activation="relu2", normalize_routing_weights=1, expected=reference.mixture),
              *(mixture(activation="geglu", fusion=fusion, normalize_routing_weights=1,
                        expected=reference.mixture) for fusion in (1, 2))]
    return with_narrow(cases)


def quantized_mixture(tokens=TOKENS, bias=True, third=False, rank=2, k=2, activation="silu", fusion=0,
                      bits=(4, 4, 4), block=16, zeros=False, shares=False,
                      expected=reference.quantized_mixture, **attributes):
    """`bits`: of each layer; `block`: 0 is a scale for each row; `shares`: router_weights."""
    gated = activation in ("swiglu", "geglu")
    width = 2 * INNER if gated and fusion else INNER
    inputs = [reals(tokens, HIDDEN) if rank == 2 else reals(1, tokens, HIDDEN),
              reals(tokens, EXPERTS)]
    points = []
    for number, (rows, columns) in enumerate(((width, HIDDEN), (HIDDEN, INNER), (INNER, HIDDEN))):
        if number == 2 and not third:
            inputs += [None, None, None]
            points.append(None)
            continue
        places = [rows, columns // block] if block else [rows]
        per_byte = 8 // bits[number]
        inputs += [packed_bytes(EXPERTS, rows, columns // per_byte),
                   reals(EXPERTS, *places, low=.01, high=.6 / 2 ** bits[number]),
                   reals(EXPERTS, rows) if bias else None]
        points.append(packed_bytes(EXPERTS, *places[:-1], -(-places[-1] // per_byte))
                      if zeros else None)
    inputs += [*points, reals(tokens, EXPERTS, low=0) if shares else None]
    if gated:
        attributes["swiglu_fusion"] = fusion
    if block:
        attributes["block_size"] = block
    attributes |= {"expert_weight_bits": bits[0]} | {
        f"fc{number + 1}_expert_weight_bits": bits[number] for number in range(3)
        if bits[number] != bits[0]}
    return ms("QMoE", inputs, {"k": k, "activation_type": activation, **attributes},
              constants=tuple(range(2, 14)), static=(EXPERTS, HIDDEN, 1), expected=expected,
              atol=1e-4)


def quantized_experts():
    cases = [quantized_mixture(activation=name, k=k, block=block, expected=None)
             for name in ("relu", "gelu", "silu", "identity") for k in (1, 2) for block in (0, 16)]
    swiglu = {"activation": "swiglu", "fusion": 1}
    cases += [quantized_mixture(**swiglu, **more, expected=None) for more in (
        {}, {"swiglu_limit": .5}, {"activation_alpha": 1.702, "activation_beta": 1.,
                                   "swiglu_limit": 7.}, {"bias": False}, {"rank": 3},
        {"zeros": True}, {"zeros": True, "block": 0}, {"tokens": 19}, {"tokens": 1, "k": 4})]
    cases += [quantized_mixture(**more) for more in (
        {**swiglu, "bits": (8, 8, 8)}, {**swiglu, "bits": (8, 8, 8), "block": 0},
        {**swiglu, "bits": (2, 2, 2)}, {"activation": "swiglu", "third": True},
        {"activation": "swiglu", "fusion": 2, "swiglu_limit": .5},
        {"activation": "swiglu", "fusion": 2, "zeros": True, "tokens": 19},
        {"activation": "geglu", "fusion": 1}, {"activation": "geglu", "fusion": 2, "block": 0},
        {"activation": "relu2"}, {"shares": True},
        {**swiglu, "shares": True, "normalize_routing_weights": 1})]
    return with_narrow(cases)
