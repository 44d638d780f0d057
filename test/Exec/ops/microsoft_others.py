"""Cases of com.microsoft's operators that are compiled by bodies, and of caches in blocks."""

import itertools

import ml_dtypes
import numpy as np

import reference
from cases import integers, reals
from microsoft import BFLOAT, HALF, in_type, ms


def fused_products():
    cases = [ms("TransposeMatMul", [reals(2, *((5, 3) if a else (3, 5))),
                                    reals(2, *((7, 5) if b else (5, 7)))],
                {"transA": a, "transB": b, "alpha": .5})
             for a, b in itertools.product((0, 1), (0, 1))]
    for name, more in (("Relu", {}), ("Tanh", {}), ("Sigmoid", {}),
                       ("LeakyRelu", {"activation_alpha": .2}), ("Softplus", {}), ("Softsign", {}),
                       ("Elu", {"activation_alpha": .7}),
                       ("ThresholdedRelu", {"activation_alpha": .4}),
                       ("HardSigmoid", {"activation_alpha": .3, "activation_beta": .4})):
        cases.append(ms("FusedGemm", [reals(3, 5), reals(5, 7), reals(7)],
                        {"activation": name, "alpha": .7, "beta": 1.3, **more}))
    cases.append(ms("FusedGemm", [reals(5, 3), reals(7, 5)],
                    {"activation": "Relu", "transA": 1, "transB": 1}))
    x, w, b = reals(2, 6, 11, 13), reals(8, 3, 3, 3), reals(8)
    for activation, parameters in (("Relu", []), ("LeakyRelu", [.1]), ("Tanh", []),
                                   ("Sigmoid", []), ("Clip", [-.5, .7]), ("HardSigmoid", [.3, .4])):
        more = {"activation_params": parameters} if parameters else {}
        cases.append(ms("FusedConv", [x, w, b], {"group": 2, "pads": [1, 1, 1, 1],
                                                 "activation": activation, **more},
                        constants=(1, 2), static=(6, 8, 3)))
    cases.append(ms("FusedConv", [x, w, b, reals(2, 8, 11, 13)],
                    {"group": 2, "pads": [1, 1, 1, 1], "activation": "Relu"}, constants=(1, 2),
                    static=(6, 8, 3)))
    nhwc = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    cases += [ms("NhwcFusedConv", [nhwc, w, b, z], {"group": 2, "pads": [1, 1, 1, 1],
                                                    "activation": "Relu"}, constants=(1, 2),
                 static=(6, 8, 3), expected=reference.channels_last("FusedConv"))
              for z in (None, reals(2, 11, 13, 8))]
    cases += [ms("NhwcConv", [nhwc, w, bias], {"group": 2, "strides": [2, 1]}, constants=(1, 2),
                 static=(6, 8, 3), expected=reference.channels_last("FusedConv"))
              for bias in (None, b)]
    cases += [ms("NhwcMaxPool", [integers(0, 255, 2, 11, 13, 3, dtype=np.uint8)],
                 {"kernel_shape": [3, 2], **more})
              for more in ({}, {"strides": [2, 2], "pads": [1, 0, 1, 1]}, {"dilations": [2, 1]})]
    return cases


def gates():
    x, y = reals(3, 5, 24), reals(3, 5, 24)
    cases = [ms("GatedAdd", [x, y, reals(3, 5, 1)]), ms("GatedAdd", [x[0], y[0], reals(5, 1)])]
    cases += [ms("GatedRMSNorm", [x, reals(width), y], {"activation": name, "epsilon": 1e-3},
                 static=(24, 8)) for width in (24, 8) for name in ("silu", "swish", "sigmoid")]
    cases += [ms("LinearAttentionGate", [reals(3, 5, 4), reals(4), reals(4), b], outputs=outputs,
                 static=(4,)) for b, outputs in ((None, (0,)), (reals(3, 5, 4), (0, 1)))]
    narrow = []
    for case, dtype in itertools.product((cases[0], cases[2], cases[-1]), (HALF, BFLOAT)):
        tolerance = 5e-3 if dtype == HALF else 4e-2
        narrow.append(in_type(case, dtype, tolerance, keep=(1, 2) if case is cases[-1] else ()))
    cases += [ms("BiasAdd", [reals(2, 5, 32), reals(32), reals(2, 5, 32)], static=(32,),
                 expected=lambda case: [sum(case.inputs)]),
              ms("BiasSplitGelu", [reals(2, 5, 32), reals(32)], static=(32,),
                 expected=reference.bias_split_gelu),
              ms("GatedAdd", [x, y, reals(3, 5, 16), reals(16, 1)], static=(16,),
                 expected=reference.gated_add)]
    return cases + narrow


def linear_attention():
    batch, length, size, value_size = 2, 5, 8, 6
    cases = []
    for rule in ("linear", "gated", "delta", "gated_delta"):
        for heads, kv in ((4, 4), (4, 2)):
            for past in (None, reals(batch, kv, size, value_size)):
                decay = reals(batch, length, kv, low=-1, high=0) if "gated" in rule else None
                beta = reals(batch, length, kv, low=0, high=1) if "delta" in rule else None
                keys = reals(batch, length, kv * size)
                cases.append(ms("LinearAttention",
                                [reals(batch, length, heads * size), keys / 4,
                                 reals(batch, length, kv * value_size), past, decay, beta],
                                {"q_num_heads": heads, "kv_num_heads": kv, "update_rule": rule},
                                (0, 1), static=(4, 2, 8, 6, 32, 16, 24, 12)))
    decays = reals(batch, length, 4 * size, low=-1, high=0)
    cases.append(ms("LinearAttention", [reals(batch, length, 32), reals(batch, length, 32) / 4,
                                        reals(batch, length, 24), None, decays,
                                        reals(batch, length, 1, low=0, high=1)],
                    {"q_num_heads": 4, "kv_num_heads": 4, "scale": .5}, (0, 1),
                    static=(4, 8, 6, 32, 24, 2)))
    for activation in ("none", "silu", "swish"):
        for bias in (None, reals(6)):
            for past in (None, reals(2, 6, 3)):
                cases.append(ms("CausalConvWithState", [reals(2, 6, 5), reals(6, 1, 4), bias, past],
                                {"activation": activation}, (0, 1), static=(6, 4, 3)))
    return cases


# A cache in blocks ------------------------------------------------------------------------------

def paged(lengths=(1, 1), past=(5, 9), packed=False, dtype=HALF, slots=False, sink=False,
          norms=False, heads=4, kv=2, size=16, **attributes):
    block, pages = 4, 5
    tokens, total = sum(lengths), len(lengths) * pages + 2
    table = np.full((len(lengths), pages), -1, np.int32)
    free = list(np.random.RandomState(3).permutation(total))
    for row, (new, old) in enumerate(zip(lengths, past)):
        for page in range(-(-(new + old) // block)):
            table[row, page] = free.pop()
    width = heads * size
    query = reals(tokens, width + 2 * kv * size if packed else width)
    fresh = [None, None] if packed else [reals(tokens, kv * size) for _ in range(2)]
    caches = [reals(total, block, kv, size) for _ in range(2)]
    rotary = [reals(31, size // 2) for _ in range(2)] if attributes.get("do_rotary") else [None, None]
    mapping = None
    if slots:
        mapping = np.array([table[row, place // block] * block + place % block
                            for row, (new, old) in enumerate(zip(lengths, past))
                            for place in range(old, old + new)], np.int32)
        mapping[-1] = -1
    weights = [reals(size, low=.5), reals(size, low=.5)] if norms else [None, None]
    inputs = [query, *fresh, *caches, np.int32(np.cumsum([0, *lengths])), np.int32(past), table,
              *rotary, mapping, reals(heads) if sink else None, *weights]
    inputs = [a.astype(dtype) if a is not None and a.dtype == np.float32 else a for a in inputs]
    tolerance = 1e-2 if dtype == HALF else 6e-2
    return ms("PagedAttention", inputs, {"num_heads": heads, "kv_num_heads": kv, **attributes},
              (0, 1, 2), static=(4, 2, 16, 64, 32, 128, 8, 5), rtol=tolerance, atol=tolerance,
              expected=reference.paged_attention)


def paged_attention():
    rotary = {"do_rotary": 1}
    forms = ({}, {"lengths": (5, 3), "past": (0, 0)}, {"lengths": (3, 1, 4), "past": (0, 7, 2)})
    cases = [paged(**form, **more) for form in forms for more in (
        {}, {"packed": True}, rotary, rotary | {"rotary_interleaved": 1}, {"local_window_size": 3},
        {"softcap": 1.5}, {"scale": .3}, {"sink": True}, {"norms": True}, {"slots": True},
        rotary | {"packed": True, "norms": True, "sink": True, "slots": True})]
    cases += [paged(**forms[2], is_causal=0), paged(**forms[2], kv=4), paged(**forms[2], kv=1),
              paged(**forms[2], dtype=BFLOAT), paged(dtype=BFLOAT, **rotary)]
    return cases


def sparse(length=5, past=0, batch=3, packed=False, layouts=2, heads=4, kv=2, size=16, **attributes):
    room, block = 64, 16
    masks = np.tril(np.ones((layouts, room // block, room // block), bool))
    if layouts > 1:
        masks[1, 2, 1] = masks[1, 3, 2] = False
    masks[0, 1, 0] = False
    rows = np.concatenate([np.zeros((layouts, 1), int), masks.sum(2).cumsum(1)], 1).astype(np.int32)
    columns = np.full((layouts, masks.sum((1, 2)).max()), -1, np.int32)
    for layout in range(layouts):
        found = np.nonzero(masks[layout])[1]
        columns[layout, :len(found)] = found
    width = heads * size
    query = reals(batch, length, width + 2 * kv * size if packed else width)
    fresh = [None, None] if packed else [reals(batch, length, kv * size) for _ in range(2)]
    rotary = [reals(room, size // 2) for _ in range(2)] if attributes.get("do_rotary") else []
    used = [past - 2 * row for row in range(batch)] if length == 1 else [past] * batch
    lengths = np.int32([u + length for u in used])
    inputs = [query, *fresh, reals(batch, kv, room, size), reals(batch, kv, room, size), rows,
              columns, np.int32(lengths.max()), lengths, *rotary]
    return ms("SparseAttention", inputs, {"num_heads": heads, "kv_num_heads": kv,
                                          "sparse_block_size": block, **attributes}, (0, 1, 2),
              static=(4, 2, 16, 64, 32, 128, 8), expected=reference.sparse_attention)


def sparse_attention():
    cases = [sparse(**form, **more)
             for form in ({}, {"length": 1, "past": 41}, {"length": 40}, {"length": 1, "past": 20})
             for more in ({}, {"packed": True}, {"layouts": 1}, {"scale": .3}, {"do_rotary": 1},
                          {"do_rotary": 1, "rotary_interleaved": 1, "packed": True})]
    return cases + [in_type(cases[0], HALF, 1e-2), in_type(cases[7], BFLOAT, 6e-2)]


# Weights of few bits ----------------------------------------------------------------------------

def few_bits():
    k, n = 64, 19
    cases = []
    for block in (16, 32, 64):
        for kind in (0, 1):
            cases.append(ms("MatMulBnb4", [reals(2, 3, k), integers(0, 256, n * k // 2, dtype=np.uint8),
                                           reals(n * k // block)],
                            {"K": k, "N": n, "block_size": block, "quant_type": kind},
                            constants=(1, 2), static=(k, n), atol=1e-4))
    for k, block in ((64, 32), (80, 32), (96, 128)):
        weights = reals(n, k).astype(ml_dtypes.float8_e4m3fn)
        scales = reals(n, -(-k // block))
        for bias in (None, reals(n).astype(HALF)):
            cases.append(ms("MatMulBlockQuantizedFp8Weight",
                            [reals(2, 3, k).astype(HALF), weights, scales, None, bias],
                            {"block_size": block}, constants=(1, 2, 4), static=(k, n), rtol=1e-2,
                            atol=2e-2, expected=reference.fp8_product))
    k = 64
    for bias in (None, reals(n).astype(HALF)):
        cases.append(ms("MatMulBlockQuantizedFp4Weight",
                        [reals(2, 3, k).astype(HALF), integers(0, 256, n, k // 2, dtype=np.uint8),
                         reals(n, k // 16).astype(ml_dtypes.float8_e4m3fn).view(np.uint8),
                         np.float32(.7), None, bias], {}, constants=(1, 2, 3, 5), static=(k, n),
                        rtol=1e-2, atol=5e-2, expected=reference.fp4_product))
    return cases
