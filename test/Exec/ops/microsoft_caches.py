"""Cases of com.microsoft's operators over caches that are quantised or filled in chunks, and over
windows of recurrent states."""

import dataclasses

import ml_dtypes
import numpy as np

import reference
from cases import integers, reals
from microsoft import BATCH, HALF, HEADS, KV, PAST, PROMPT, SIZE, group_query, in_type, ms


def quantized_cache(case, kind, dtype, vector=False):
    """The case with its caches quantised: int8, or uint8 of two numbers of 4 bits."""
    inputs, attributes = list(case.inputs), dict(case.attributes)
    packed = dtype == np.uint8
    for place, name in enumerate("kv"):
        channels = (1, KV, 1, SIZE) if kind == "PER_CHANNEL" else (1,)
        if vector:
            channels = (KV * SIZE,)
        high = .4 if packed else .03
        inputs[12 + place] = reals(*channels, low=high / 2, high=high)
        attributes[f"{name}_quant_type"] = kind
        if inputs[3 + place] is not None:
            shape = list(inputs[3 + place].shape)
            if packed:
                shape[3] //= 2
            inputs[3 + place] = (integers(0, 256, *shape, dtype=np.uint8) if packed else
                                 integers(-128, 128, *shape).astype(dtype))
    attributes["kv_cache_bit_width"] = 4 if packed else 8
    return dataclasses.replace(case, inputs=inputs, attributes=attributes,
                               constants=(*case.constants, 12, 13))


def chunk(queries, used, room=23, **attributes):
    """A padded chunk of PROMPT places for each row of the batch, of which `queries` are valid,
    after `used` places of the cache."""
    base = group_query(lengths=used, length=PROMPT, batch=len(used), buffer=room,
                       expected=reference.group_query_chunks, **attributes)
    base.loose = True
    totals = np.int32([u + q - 1 for u, q in zip(used, queries)])
    inputs = [*base.inputs[:5], totals, np.int32(room), *base.inputs[7:], np.int32(queries)]
    return dataclasses.replace(base, inputs=inputs)


def group_query_caches():
    rotary = {"do_rotary": 1}
    prompt = {"lengths": [0, 0, 0], "length": PROMPT, "buffer": 11}
    forms = (prompt, {"past": PAST, "length": 1}, {"past": PAST, "length": PROMPT, "batch": 1},
             {"lengths": [7, 3, 6], "length": 1}, {"past": PAST, "length": 1, "buffer": 11})
    cases = [quantized_cache(group_query(**form, **rotary), kind, dtype)
             for form in forms for dtype in (np.int8, np.uint8)
             for kind in ("PER_TENSOR", "PER_CHANNEL")]
    cases.append(quantized_cache(group_query(**forms[1]), "PER_CHANNEL", np.int8, vector=True))
    cases += [group_query(**form, causal=0, **more)
              for form in ({}, *forms[1:3]) for more in ({}, {"packed": True}, rotary)]
    cases += [chunk(queries, used, **more)
              for queries, used in (([5, 2, 3], [0, 7, 3]), ([1, 0, 5], [6, 4, 18]))
              for more in ({}, rotary, {"local_window_size": 3}, {"packed": True})]
    for case in cases:
        case.dynamic = False
    return cases


def state_windows():
    """Recurrent states of the last places, and layouts of the convolution."""
    cases = []
    for length in (1, 2, 5):
        for past in (False, True):
            for window in (1, 3):
                cases.append(convolution(length, past, state_window=window))
                cases.append(recurrence(length, past, state_window=window))
            cases.append(convolution(length, past, dilation=2, activation="silu"))
            cases.append(convolution(length, past, channels_last=1))
    cases += [convolution(5, True, channels_last=1, dilation=3, state_window=2),
              convolution(5, True, channels_last=1, parts=(2, 3), activation="silu"),
              *(recurrence(5, True, state_window=2, update_rule=rule)
                for rule in ("linear", "gated", "delta"))]
    return cases


def convolution(length, past, parts=(6,), **attributes):
    batch, channels, taps = 2, int(np.prod(parts)), 4
    state = (taps - 1) * attributes.get("dilation", 1)
    last, window = attributes.get("channels_last"), attributes.get("state_window", 0)
    shape = (batch, length, *parts) if last else (batch, channels, length)
    carried = (batch, state, *parts) if last else (batch, channels, state)
    carried = (window, *carried) if window else carried
    return ms("CausalConvWithState", [reals(*shape), reals(channels, 1, taps), reals(channels),
                                      reals(*carried) if past else None], attributes, (0, 1),
              static=(channels, taps, state, *parts, 3), dynamic=length == 5,
              expected=reference.windowed if window else None)


def recurrence(length, past, update_rule="gated_delta", **attributes):
    batch, heads, kv, size, value_size, window = 2, 4, 2, 8, 6, attributes["state_window"]
    decay = reals(batch, length, kv, low=-1, high=0) if "gated" in update_rule else None
    beta = reals(batch, length, kv, low=0, high=1) if "delta" in update_rule else None
    carried = reals(window, batch, kv, size, value_size) if past else None
    return ms("LinearAttention", [reals(batch, length, heads * size),
                                  reals(batch, length, kv * size) / 4,
                                  reals(batch, length, kv * value_size), carried, decay, beta],
              {"q_num_heads": heads, "kv_num_heads": kv, "update_rule": update_rule,
               **attributes}, (0, 1), static=(4, 2, 8, 6, 32, 16, 12, 3), dynamic=length == 5,
              expected=reference.windowed)
