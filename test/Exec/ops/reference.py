"""Operators of com.microsoft in numpy, written from their texts, for forms that ONNX Runtime's
CPU provider has no kernel for. Each takes a case and gives the list of its outputs."""

import ml_dtypes
import numpy as np
import onnxruntime
from onnx import helper, numpy_helper


def given(case, position):
    """An input, floats as float32; None if it is absent."""
    array = case.inputs[position] if position < len(case.inputs) else None
    if array is None or array.dtype.kind in "iub":
        return array
    return array.astype(np.float32)


def normalize(x, weight, epsilon):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight


def rotate(x, position, cosines, sines, interleaved):
    """`x` [heads, size] at one position."""
    cos, sin = cosines[position], sines[position]
    half = len(cos)
    y = x.copy()
    first, second = ((slice(0, 2 * half, 2), slice(1, 2 * half, 2)) if interleaved
                     else (slice(0, half), slice(half, 2 * half)))
    y[:, first] = x[:, first] * cos - x[:, second] * sin
    y[:, second] = x[:, first] * sin + x[:, second] * cos
    return y


def attend(query, keys, values, seen, scale, softcap=0., sink=None):
    """One query [heads, size] over keys and values [places, key heads, size]. `seen`: bools
    [heads, places] or [places]."""
    heads, size = query.shape
    group = heads // keys.shape[1]
    out = np.zeros((heads, values.shape[2]), np.float32)
    for head in range(heads):
        scores = keys[:, head // group] @ query[head] * scale
        if softcap:
            scores = softcap * np.tanh(scores / softcap)
        visible = seen[head] if seen.ndim == 2 else seen
        scores = np.where(visible, scores, -np.inf)
        top = max(scores.max(), sink[head] if sink is not None else -np.inf)
        parts = np.exp(scores - top)
        total = parts.sum() + (np.exp(sink[head] - top) if sink is not None else 0)
        out[head] = parts @ values[:, head // group] / total
    return out


def split_heads(case, heads, kv):
    """Query, key and value with their heads apart, from three tensors or one."""
    query = given(case, 0)
    if given(case, 1) is None:
        size = query.shape[-1] // (heads + 2 * kv)
        parts = np.split(query, [heads * size, (heads + kv) * size], axis=-1)
    else:
        parts = [query, given(case, 1), given(case, 2)]
    size = parts[0].shape[-1] // heads
    return [part.reshape(*part.shape[:-1], -1, size) for part in parts]


def group_query_attention(case):
    """Causal, over past and new places; all rows of the batch have as many."""
    attributes = case.attributes
    heads, kv = attributes["num_heads"], attributes["kv_num_heads"]
    query, key, value = split_heads(case, heads, kv)
    both = attributes.get("qk_norm_epsilon", 1e-6)
    if given(case, 14) is not None:
        query = normalize(query, given(case, 14), attributes.get("q_norm_epsilon", both))
        key = normalize(key, given(case, 15), attributes.get("k_norm_epsilon", both))
    batch, length, _, size = query.shape
    past = 0 if given(case, 3) is None else given(case, 3).shape[2]
    keys, values = [], []
    for row in range(batch):
        if attributes.get("do_rotary"):
            for place in range(length):
                args = (past + place, given(case, 7), given(case, 8),
                        attributes.get("rotary_interleaved", 0))
                query[row, place] = rotate(query[row, place], *args)
                key[row, place] = rotate(key[row, place], *args)
        before = [given(case, index)[row].transpose(1, 0, 2) if past else
                  np.zeros((0, kv, size), np.float32) for index in (3, 4)]
        keys.append(np.concatenate([before[0], key[row]]))
        values.append(np.concatenate([before[1], value[row]]))
    output = np.zeros((batch, length, heads * size), np.float32)
    for row in range(batch):
        for place in range(length):
            seen = np.arange(past + length) <= past + place
            output[row, place] = attend(query[row, place], keys[row], values[row], seen,
                                        attributes.get("scale", size ** -.5)).ravel()
    return [output, np.stack(keys).transpose(0, 2, 1, 3), np.stack(values).transpose(0, 2, 1, 3)]


def sparse_attention(case):
    attributes = case.attributes
    heads, kv, block = (attributes[name] for name in ("num_heads", "kv_num_heads",
                                                      "sparse_block_size"))
    query, key, value = split_heads(case, heads, kv)
    caches = [given(case, index).copy() for index in (3, 4)]
    rows, columns, lengths = given(case, 5), given(case, 6), given(case, 8)
    batch, length, _, size = query.shape
    output = np.zeros((batch, length, heads * size), np.float32)
    places = np.arange(caches[0].shape[2])
    for row in range(batch):
        past = lengths[row] - length
        for place in range(length):
            at = past + place
            q, k = query[row, place], key[row, place]
            if attributes.get("do_rotary"):
                args = (at, given(case, 9), given(case, 10), attributes.get("rotary_interleaved", 0))
                q, k = rotate(q, *args), rotate(k, *args)
            caches[0][row, :, at], caches[1][row, :, at] = k, value[row, place]
            seen = np.zeros((heads, len(places)), bool)
            for head in range(heads):
                layout = head % len(rows)
                line = at // block
                for index in range(rows[layout, line], rows[layout, line + 1]):
                    seen[head] |= places // block == columns[layout, index]
            output[row, place] = attend(q, caches[0][row].transpose(1, 0, 2),
                                        caches[1][row].transpose(1, 0, 2), seen & (places <= at),
                                        attributes.get("scale", size ** -.5)).ravel()
    return [output, *caches]


def paged_attention(case):
    attributes = case.attributes
    heads, kv = attributes["num_heads"], attributes["kv_num_heads"]
    query, key, value = split_heads(case, heads, kv)
    caches = [given(case, index).copy() for index in (3, 4)]
    flat = [cache.reshape(-1, *cache.shape[2:]) for cache in caches]
    block = caches[0].shape[1]
    starts, past, table = given(case, 5), given(case, 6), given(case, 7)
    slots, size = given(case, 10), query.shape[-1]
    if given(case, 12) is not None:
        epsilon = attributes.get("qk_norm_epsilon", 1e-6)
        query = normalize(query, given(case, 12), epsilon)
        key = normalize(key, given(case, 13), epsilon)
    tokens = [(row, past[row] + index - starts[row], index) for row in range(len(past))
              for index in range(starts[row], starts[row + 1])]

    def slot_of(row, place):
        return table[row, place // block] * block + place % block

    for row, place, index in tokens:
        if attributes.get("do_rotary"):
            args = (place, given(case, 8), given(case, 9), attributes.get("rotary_interleaved", 0))
            query[index], key[index] = rotate(query[index], *args), rotate(key[index], *args)
        slot = slot_of(row, place) if slots is None else slots[index]
        if slot >= 0:
            flat[0][slot], flat[1][slot] = key[index], value[index]
    output = np.zeros((len(query), heads * size), np.float32)
    window = attributes.get("local_window_size", -1)
    for row, place, index in tokens:
        count = past[row] + starts[row + 1] - starts[row]
        at = [slot_of(row, other) for other in range(count)]
        others = np.arange(count)
        seen = others <= place if attributes.get("is_causal", 1) else others >= 0
        if window > 0:
            seen &= others > place - window
        output[index] = attend(query[index], flat[0][at], flat[1][at], seen,
                               attributes.get("scale", size ** -.5),
                               attributes.get("softcap", 0.), given(case, 11)).ravel()
    return [output, *caches]


def activate_experts(attributes, rows, third):
    """The activation of the first layer's `rows` [inner width]: of a gated one the gate and the
    linear part lie in two layers (swiglu_fusion 0), in pairs (1) or one after the other (2)."""
    kind, fusion = attributes["activation_type"], attributes.get("swiglu_fusion", 0)
    if kind not in ("swiglu", "geglu"):
        gate = {"relu": lambda x: np.maximum(x, 0), "relu2": lambda x: np.maximum(x, 0) ** 2,
                "silu": lambda x: x / (1 + np.exp(-x)), "identity": lambda x: x,
                "gelu": gelu_by_tanh}[kind](rows)
        return gate if third is None else gate * third
    gate, linear = ((rows, third) if fusion == 0 else (rows[::2], rows[1::2]) if fusion == 1
                    else np.split(rows, 2))
    if kind == "geglu":
        return gelu_by_tanh(gate) * linear
    limit, late = attributes.get("swiglu_limit", np.inf), attributes.get("swiglu_limit_after_activation")
    gate = gate if late else np.minimum(gate, limit)
    gate = gate / (1 + np.exp(-attributes.get("activation_alpha", 1.) * gate))
    gate = np.minimum(gate, limit) if late else gate
    return gate * (np.clip(linear, -limit, limit) + attributes.get("activation_beta", 0.))


def gelu_by_tanh(x):
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + .044715 * x ** 3)))


def run_experts(attributes, x, router, layers, weights=None):
    """Every row goes to the `k` experts of the greatest `router` numbers. What they give is added
    with the softmax of those numbers, or with these experts' `weights`. `layers`: of each the
    weights [experts, out, in] and the bias or None; None if there is no third."""
    output = np.zeros_like(x)
    for row, numbers in enumerate(x):
        chosen = np.argsort(-router[row], kind="stable")[:attributes["k"]]
        shares = np.exp(router[row, chosen] - router[row].max())
        shares /= shares.sum()
        if weights is not None:
            shares = weights[row, chosen]
            if attributes.get("normalize_routing_weights"):
                shares = shares / shares.sum() if shares.sum() else shares * 0
        for expert, share in zip(chosen, shares):
            def apply(layer, rows):
                product = layer[0][expert] @ rows
                return product if layer[1] is None else product + layer[1][expert]
            third = apply(layers[2], numbers) if layers[2] else None
            active = activate_experts(attributes, apply(layers[0], numbers), third)
            output[row] += share * apply(layers[1], active)
    return output


def mixture(case):
    """MoE with normalised routing weights."""
    x, router, *rest = (given(case, index) for index in range(8))
    layers = [(rest[i], rest[i + 1]) if rest[i] is not None else None for i in (0, 2, 4)]
    rows = x.reshape(-1, x.shape[-1])
    return [run_experts(case.attributes, rows, router, layers).reshape(x.shape)]


def unpacked_numbers(packed, bits, count):
    """`count` unsigned numbers of each row of bytes, the lowest bits first."""
    shifts = np.arange(0, 8, bits)
    numbers = packed[..., None].astype(np.int64) >> shifts & (1 << bits) - 1
    return numbers.reshape(*packed.shape[:-1], -1)[..., :count]


def quantized_mixture(case):
    """QMoE of integers: scales and zero points for each row of the weights, or for each block."""
    attributes = case.attributes
    x, router = given(case, 0), given(case, 1)
    layers = []
    for number in range(3):
        packed, scales, bias = (given(case, 2 + 3 * number + i) for i in range(3))
        if packed is None:
            layers.append(None)
            continue
        bits = attributes.get(f"fc{number + 1}_expert_weight_bits",
                              attributes.get("expert_weight_bits", 4))
        weights = unpacked_numbers(packed, bits, packed.shape[2] * 8 // bits)
        zeros, shape = given(case, 11 + number), scales.shape
        zeros = (np.full(shape, 1 << bits - 1) if zeros is None
                 else unpacked_numbers(zeros, bits, shape[-1]))
        blocks = shape[2] if scales.ndim == 3 else 1
        weights = weights.reshape(*weights.shape[:2], blocks, -1)
        real = (weights - zeros.reshape(*shape[:2], blocks, 1)) * scales.reshape(*shape[:2], blocks, 1)
        layers.append((real.reshape(*shape[:2], -1).astype(np.float32), bias))
    rows = x.reshape(-1, x.shape[-1])
    return [run_experts(attributes, rows, router, layers, given(case, 14)).reshape(x.shape)]


def quantized(real, scale, zero, dtype):
    limits = np.iinfo(dtype)
    whole = np.rint(real / scale) + (0 if zero is None else float(zero))
    return np.clip(whole, limits.min, limits.max).astype(dtype)


def dequantized(numbers, scale, zero):
    return (numbers.astype(np.float32) - (0 if zero is None else float(zero))) * scale


def quantized_binary(case):
    """QLinearAdd and QLinearMul."""
    a, b = (dequantized(*case.inputs[first:first + 3]) for first in (0, 3))
    return [quantized(a + b if case.op == "QLinearAdd" else a * b, *case.inputs[6:8],
                      case.inputs[0].dtype)]


def reduce_mean(case):
    data, scale, zero, out_scale, out_zero = case.inputs
    mean = dequantized(data, scale, zero).mean(tuple(case.attributes["axes"]),
                                               keepdims=bool(case.attributes["keepdims"]))
    return [quantized(mean, out_scale, out_zero, data.dtype)]


def integer_product(case):
    """MatMulIntegerToFloat."""
    a, b, a_scale, b_scale, a_zero, b_zero, bias = (given(case, index) for index in range(7))
    shifted = [x.astype(np.int64) - (0 if zero is None else zero.astype(np.int64))
               for x, zero in ((a, a_zero), (b, b_zero))]
    return [(shifted[0] @ shifted[1]).astype(np.float32) * (a_scale * b_scale)
            + (0 if bias is None else bias)]


def bias_split_gelu(case):
    """Half of X + bias times the GELU of the other half."""
    from math import erf
    left, right = np.split(given(case, 0) + given(case, 1), 2, axis=-1)
    return [(left * .5 * right * (1 + np.vectorize(erf)(right / np.sqrt(2)))).astype(np.float32)]


def gated_add(case):
    x, y, activation, weight = (given(case, index) for index in range(4))
    return [x + y / (1 + np.exp(-(activation @ weight)))]


def by_runtime(op, inputs, attributes, outputs):
    """The outputs of another form of the operator, which ONNX Runtime has."""
    names = ["" if array is None else f"i{number}" for number, array in enumerate(inputs)]
    results = [f"o{number}" for number in outputs]
    node = helper.make_node(op, names, results, domain="com.microsoft", **attributes)
    graph = helper.make_graph(
        [node], "form", [], [helper.make_empty_tensor_value_info(name) for name in results],
        [numpy_helper.from_array(array, name) for array, name in zip(inputs, names) if name])
    model = helper.make_model(graph, ir_version=10, opset_imports=[
        helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {})


def unpacked(case):
    """MultiHeadAttention of query, key and value in one tensor, or of key and value in one."""
    packed = [array for array in (given(case, 0), given(case, 1)) if array is not None][-1]
    parts = [part.reshape(*part.shape[:2], -1) for part in np.moveaxis(packed, 3, 0)]
    query = [given(case, 0)] if len(parts) == 2 else []
    return by_runtime(case.op, [*query, *parts, *case.inputs[3:]], case.attributes, case.outputs)


def channels_last(op):
    """A convolution by its form that has channels first."""
    def compute(case):
        inputs = [np.ascontiguousarray(np.moveaxis(array, -1, 1))
                  if position in (0, 3) and array is not None else array
                  for position, array in enumerate(case.inputs)]
        return [np.moveaxis(by_runtime(op, inputs, case.attributes, (0,))[0], 1, -1)]
    return compute


def fp8_product(case):
    a, weights, scales, bias = (given(case, index) for index in (0, 1, 2, 4))
    block = case.attributes["block_size"]
    dequantized = weights * np.repeat(scales, block, axis=1)[:, :weights.shape[1]]
    return [a @ dequantized.T + (0 if bias is None else bias)]


def fp4_product(case):
    a, packed, scales, scale, bias = (given(case, index) for index in (0, 1, 2, 3, 5))
    values = np.float32([0, .5, 1, 1.5, 2, 3, 4, 6])
    table = np.concatenate([values, -values])
    weights = np.stack([table[packed & 15], table[packed >> 4]], -1).reshape(len(packed), -1)
    parts = scales.view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    return [a @ (weights * np.repeat(parts, 16, axis=1) * scale).T + (0 if bias is None else bias)]


def windowed(case):
    """States after each of the last places: those of ONNX Runtime for what comes before. Slots
    before the first place are zeros."""
    attributes = {name: value for name, value in case.attributes.items() if name != "state_window"}
    window, axis = case.attributes["state_window"], 1
    sequences = (0, 1, 2, 4, 5)
    if case.op == "CausalConvWithState":
        axis, sequences = 1 if attributes.get("channels_last") else 2, (0,)
    inputs = [array[-1] if position == 3 and array is not None else array
              for position, array in enumerate(case.inputs)]

    def run(places):
        return by_runtime(case.op, [
            np.take(array, np.arange(places), axis) if position in sequences and array is not None
            else array for position, array in enumerate(inputs)], attributes, (0, 1))

    length = inputs[0].shape[axis]
    output, last = run(length)
    places = [length - window + 1 + slot for slot in range(window)]
    return [output, np.stack([run(count)[1] if count > 0 else 0 * last for count in places])]


def group_query_chunks(case):
    """Padded chunks row by row, by ONNX Runtime without the padding; NaN is what is not told."""
    query, key, value, past_key, past_value = case.inputs[:5]
    output = np.full_like(query[..., :case.attributes["num_heads"] * past_key.shape[3]], np.nan)
    caches = [np.full_like(past_key, np.nan), np.full_like(past_value, np.nan)]
    for row, (last, count) in enumerate(zip(case.inputs[5], case.inputs[16])):
        before = last + 1 - count
        part = slice(row, row + 1)
        for cache, past in zip(caches, (past_key, past_value)):
            cache[row, :, :before] = past[row, :, :before]
        if count == 0:
            continue
        fresh = [None if array is None else array[part, :count] for array in (query, key, value)]
        old = [past[part, :, :before] for past in (past_key, past_value)]
        results = by_runtime(case.op, [*fresh, *old, np.int32([last]), np.int32(last + 1),
                                       *case.inputs[7:16]], case.attributes, (0, 1, 2))
        output[row, :count] = results[0]
        for cache, result in zip(caches, results[1:]):
            cache[row, :, :last + 1] = result
    return [output, *caches]
