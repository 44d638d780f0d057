"""Cases of com.microsoft's operators on quantised tensors, in the form of cases.py."""

import itertools

import ml_dtypes
import numpy as np

import reference
from cases import integers, reals
from microsoft import ms

f32 = np.float32


def numbers(kind, *shape):
    low, high = (0, 256) if kind == np.uint8 else (-128, 128)
    return integers(low, high, *shape, dtype=kind)


def small(kind, *shape):
    """Second factors: onnxruntime saturates sums of two products without VNNI."""
    low, high = (0, 128) if kind == np.uint8 else (-64, 64)
    return integers(low, high, *shape, dtype=kind)


KINDS = ((np.uint8, 117), (np.int8, -5))


def quantized_elementwise():
    """onnxruntime works through tables or in fixed point: off by one at most."""
    cases = []
    for kind, zero in KINDS:
        zero, other = kind(zero), kind(3)
        for op in ("QLinearAdd", "QLinearMul"):
            for a, b in (((3, 5, 7), (3, 5, 7)), ((3, 5, 7), (7,)), ((5, 1), (3, 1, 7)),
                         ((3, 5, 7), ())):
                for zeros, expected in (((zero, other, zero), None),
                                        ((None, None, None), reference.quantized_binary)):
                    cases.append(ms(op, [numbers(kind, *a), f32(.02), zeros[0], numbers(kind, *b),
                                         f32(.03), zeros[1], f32(.04), zeros[2]],
                                    constants=(1, 2, 4, 5, 6, 7), integer_tolerance=1,
                                    expected=expected))
        x = numbers(kind, 3, 5, 7)
        for name, attributes, scale in (("QLinearSigmoid", {}, 1 / 256), ("QLinearLeakyRelu", {}, .02),
                                        ("QLinearLeakyRelu", {"alpha": .3}, .03)):
            for zeros in ((zero, other), (None, other)):
                cases.append(ms(name, [x, f32(.02), zeros[0], f32(scale), zeros[1]], attributes,
                                constants=(1, 2, 3, 4), integer_tolerance=1))
        for opset, axis in itertools.product((12, 13), (-1, 1, 2)):
            if kind == np.int8 and axis == 1:
                continue
            cases.append(ms("QLinearSoftmax", [x, f32(.05), zero, f32(1 / 256),
                                               kind(0 if kind == np.uint8 else -128)],
                            {"axis": axis, "opset": opset}, constants=(1, 2, 3, 4),
                            integer_tolerance=1))
        for condition, a, b in (((3, 5, 7), (3, 5, 7), (3, 5, 7)), ((3, 1, 1), (5, 7), (7,)),
                                ((7,), (3, 5, 1), ())):
            cases.append(ms("QLinearWhere", [integers(0, 2, *condition, dtype=bool),
                                             numbers(kind, *a), f32(.02), zero, numbers(kind, *b),
                                             f32(.03), other, f32(.025), zero],
                            constants=(2, 3, 5, 6, 7, 8), integer_tolerance=1))
        for axis in (0, 1, -1):
            parts = [x, f32(.02), zero, x[::-1].copy(), f32(.03), other, x, f32(.05), zero]
            cases.append(ms("QLinearConcat", [f32(.05), zero, *parts], {"axis": axis},
                            constants=(0, 1, 3, 4, 6, 7, 9, 10), integer_tolerance=1))
        for axes, keep in (([1], 1), ([0, 2], 0), ([-1], 1)):
            cases.append(ms("QLinearReduceMean", [x, f32(.02), zero, f32(.015), other],
                            {"axes": axes, "keepdims": keep}, constants=(1, 2, 3, 4),
                            integer_tolerance=1, expected=reference.reduce_mean))
    return cases


def quantized_pools():
    cases = []
    for kind, zero in KINDS:
        zero, other = kind(zero), kind(3)
        for last in (0, 1):
            x = numbers(kind, 2, 11, 13, 3) if last else numbers(kind, 2, 3, 11, 13)
            for attributes in ({}, {"strides": [2, 2]}, {"pads": [1, 0, 1, 1]},
                               {"pads": [1, 0, 1, 1], "count_include_pad": 1},
                               {"strides": [2, 3], "ceil_mode": 1},
                               {"auto_pad": "SAME_UPPER", "strides": [2, 2]}):
                cases.append(ms("QLinearAveragePool", [x, f32(.02), zero, f32(.015), other],
                                {"kernel_shape": [3, 2], "channels_last": last, **attributes},
                                constants=(1, 2, 3, 4), integer_tolerance=1))
            cases.append(ms("QLinearGlobalAveragePool", [x, f32(.02), zero, f32(.015), other],
                            {"channels_last": last}, constants=(1, 2, 3, 4), integer_tolerance=1))
        w, bias = numbers(np.int8, 5, 3, 3, 3) // 2, integers(-500, 500, 5, dtype=np.int32)
        for last in (0, 1):
            x = numbers(kind, 2, 11, 13, 3) if last else numbers(kind, 2, 3, 11, 13)
            for term in (None, bias):
                for attributes in ({}, {"pads": [1, 1, 0, 2], "strides": [2, 1]}):
                    cases.append(ms("QLinearConv", [x, f32(.02), zero, w, f32(.01), np.int8(0),
                                                    f32(.2), other, term],
                                    {"channels_last": last, **attributes},
                                    constants=(1, 2, 3, 4, 5, 6, 7, 8), static=(3, 5),
                                    integer_tolerance=1))
    return cases


def quantized_products():
    cases = []
    m, k, n = 5, 33, 19
    for a_kind in (np.uint8, np.int8):
        for b_kind in (np.int8, np.uint8):
            a, b = numbers(a_kind, 2, m, k), small(b_kind, k, n)
            scales = reals(n, low=.01, high=.03)
            for b_scale in (f32(.02), scales):
                for zeros in ((None, None), (a_kind(7), None), (a_kind(7), b_kind(3)),
                              (a_kind(7), small(b_kind, n))):
                    if zeros[1] is not None and zeros[1].ndim != b_scale.ndim:
                        continue
                    for bias in (None, reals(n)):
                        cases.append(ms("MatMulIntegerToFloat",
                                        [a, b, f32(.02), b_scale, *zeros, bias],
                                        constants=(1, 2, 3, 4, 5, 6), static=(k, n),
                                        expected=reference.integer_product
                                        if (a_kind, b_kind) == (np.int8, np.uint8) else None))
    for b_kind in (np.int8, np.uint8):
        for scale, zero in ((f32(.02), None), (f32(.02), b_kind(5)),
                            (reals(n, low=.01, high=.03), small(b_kind, n))):
            for bias in (None, reals(n)):
                cases.append(ms("DynamicQuantizeMatMul", [reals(2, m, k), small(b_kind, k, n), scale,
                                                          zero, bias],
                                constants=(1, 2, 3, 4), static=(k, n)))
    for a_kind, b_kind in ((np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8)):
        for trans_a, trans_b in itertools.product((0, 1), (0, 1)):
            a, b = numbers(a_kind, m, k), small(b_kind, k, n)
            for c in (None, integers(-500, 500, n, dtype=np.int32),
                      integers(-500, 500, m, n, dtype=np.int32)):
                for out in ((None, None), (f32(.5), a_kind(9))):
                    cases.append(ms("QGemm", [a.T.copy() if trans_a else a, f32(.02), a_kind(7),
                                              b.T.copy() if trans_b else b, f32(.03), b_kind(0), c, *out],
                                    {"transA": trans_a, "transB": trans_b, "alpha": 1.},
                                    constants=(1, 2, 4, 5, 7, 8), static=(k, n),
                                    integer_tolerance=1))
    return cases


def quantize_linear():
    x = reals(3, 5, 7, low=-9, high=9)
    cases = []
    for kind in (np.uint8, np.int8, np.uint16, np.int16):
        zero = kind(3)
        for scale, point, attributes in ((f32(.1), zero, {}), (f32(.1), None, {}),
                                         (reals(5, low=.05, high=.2), np.full(5, 3, kind), {"axis": 1}),
                                         (reals(7, low=.05, high=.2), np.full(7, 2, kind), {"axis": -1})):
            if point is not None or kind == np.uint8:
                cases.append(ms("QuantizeLinear", [x, scale, point], attributes, constants=(1, 2),
                                static=(5, 7)))
            cases.append(ms("DequantizeLinear", [integers(0, 100, 3, 5, 7, dtype=kind), scale, point],
                            attributes, constants=(1, 2), static=(5, 7)))
    cases.append(ms("DequantizeLinear", [integers(-900, 900, 3, 5, dtype=np.int32), f32(.02)],
                    constants=(1,)))
    for kind in (ml_dtypes.int4, ml_dtypes.uint4):
        cases.append(ms("DequantizeLinear", [integers(0, 8, 3, 5, 7).astype(kind), f32(.1),
                                             np.array(2).astype(kind)], constants=(0, 1, 2)))
    return cases


def quantized_attention():
    batch, length, hidden, heads, size, past = 3, 5, 24, 4, 8, 7
    cases = []
    for w_kind in (np.int8, np.uint8):
        for columns in (False, True):
            scale = reals(3 * heads * size, low=.002, high=.004) if columns else f32(.003)
            zero = small(w_kind, 3 * heads * size) if columns else w_kind(3)
            for mask in (None, np.int32([3, 5, 4]), integers(0, 2, batch, length, dtype=np.int32)):
                for unidirectional in (0, 1):
                    inputs = [numbers(np.uint8, batch, length, hidden),
                              small(w_kind, hidden, 3 * heads * size), reals(3 * heads * size),
                              f32(.02), scale, mask, np.uint8(117), zero]
                    cases.append(ms("QAttention", inputs,
                                    {"num_heads": heads, "unidirectional": unidirectional},
                                    constants=(1, 2, 3, 4, 6, 7), static=(hidden, heads, size, 32, 96, 2),
                                    atol=1e-4))
        cases += [ms("QAttention", [*inputs[:5], None, np.uint8(117), zero,
                                    reals(2, batch, heads, past, size)],
                     {"num_heads": heads, "unidirectional": 1, "scale": .3}, (0, 1),
                     constants=(1, 2, 3, 4, 6, 7), static=(hidden, heads, size, 32, 96, 2), atol=1e-4)]
    return cases


def quantized_embeddings():
    batch, length, hidden = 3, 5, 16
    ids, segments = (integers(0, high, batch, length, dtype=np.int32) for high in (11, 2))
    mask = np.int32([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])
    cases = []
    for kind in (np.uint8, np.int8):
        for with_segments in (True, False):
            for given in (None, mask):
                tables = [numbers(kind, rows, hidden) for rows in (11, 13, 2)]
                group = (lambda value: value if with_segments else None)
                cases.append(ms("QEmbedLayerNormalization",
                                [ids, group(segments), tables[0], tables[1], group(tables[2]),
                                 numbers(kind, hidden), numbers(kind, hidden), given, f32(.02),
                                 f32(.03), group(f32(.01)), f32(.01), f32(.02), kind(3), kind(5),
                                 group(kind(7)), kind(1), kind(2)], {"epsilon": 1e-3}, (0, 1),
                                constants=tuple(range(2, 7)) + tuple(range(8, 18)),
                                static=(16, 2), atol=1e-4))
    return cases
