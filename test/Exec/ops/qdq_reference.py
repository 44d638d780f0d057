"""What a graph of QuantizeLinear, DequantizeLinear and float operators gives by the standard's
definition, in float64: numpy alone, node by node."""

import itertools
import math

import numpy as np

LIMITS = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767),
          "uint4": (0, 15), "int4": (-8, 7)}


def spread(parameter, x, axis, block):
    """Scales or zero points in the shape of `x`."""
    parameter = np.asarray(parameter, np.float64)
    if parameter.size == 1:
        return parameter.reshape(())
    if block:
        return np.repeat(parameter, block, axis).take(range(x.shape[axis]), axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    return parameter.reshape(shape)


def quantize(x, scale, zero, axis=1, block_size=0):
    """`zero` has the type of the result."""
    low, high = LIMITS[str(zero.dtype)]
    scale = spread(scale, x, axis, block_size)
    zeros = spread(zero, x, axis, block_size)
    return np.clip(np.rint(x / scale) + zeros, low, high).astype(zero.dtype)


def dequantize(x, scale, zero=None, axis=1, block_size=0):
    real = x.astype(np.float64)
    if zero is not None:
        real = real - spread(zero, real, axis, block_size)
    return real * spread(scale, real, axis, block_size)


def windows(x, kernel, strides, pads, dilations, filler):
    """(window offset, the elements of all windows at it) pairs, spatial dims last."""
    rank = len(kernel)
    x = np.pad(x, [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:])], constant_values=filler)
    sizes = [(x.shape[2 + d] - (kernel[d] - 1) * dilations[d] - 1) // strides[d] + 1
             for d in range(rank)]
    for offset in itertools.product(*map(range, kernel)):
        parts = tuple(slice(o * dil, o * dil + (size - 1) * step + 1, step)
                      for o, dil, size, step in zip(offset, dilations, sizes, strides))
        yield offset, x[(slice(None), slice(None), *parts)]


def get_window(kernel, strides=None, pads=None, dilations=None):
    rank = len(kernel)
    return (kernel, strides or [1] * rank, pads or [0] * 2 * rank, dilations or [1] * rank)


def conv(x, w, bias=None, group=1, kernel_shape=None, **window):
    result = 0
    outputs = w.shape[0] // group
    for offset, part in windows(x, *get_window(w.shape[2:], **window), 0):
        parts = part.reshape(part.shape[0], group, -1, *part.shape[2:])
        weights = w[(..., *offset)].reshape(group, outputs, -1)
        products = np.einsum("ngc...,goc->ngo...", parts, weights)
        result = result + products.reshape(products.shape[0], -1, *products.shape[3:])
    if bias is not None:
        result = result + bias.reshape(-1, *[1] * (x.ndim - 2))
    return result


def max_pool(x, kernel_shape, **window):
    filler = -math.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return np.max([part for _, part in windows(x, *get_window(kernel_shape, **window), filler)], 0)


def average_pool(x, kernel_shape, count_include_pad=0, **window):
    shape = get_window(kernel_shape, **window)
    total = sum(part for _, part in windows(x, *shape, 0))
    ones = sum(part for _, part in windows(np.ones_like(x), *shape, int(count_include_pad)))
    return total / ones


def gemm(a, b, c=0, alpha=1, beta=1, transA=0, transB=0):
    return alpha * ((a.T if transA else a) @ (b.T if transB else b)) + beta * c


def softmax(x, axis=-1):
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def layer_norm(x, scale, bias, axis=-1, epsilon=1e-5):
    centred = x - x.mean(axis, keepdims=True)
    return centred / np.sqrt((centred ** 2).mean(axis, keepdims=True) + epsilon) * scale + bias


def pad(x, pads, value=0, mode="constant"):
    widths = list(zip(pads[:x.ndim], pads[x.ndim:]))
    if mode == "constant":
        return np.pad(x, widths, constant_values=value)
    return np.pad(x, widths, mode={"edge": "edge", "reflect": "reflect"}[mode])


def slice_(x, starts, ends, axes):
    index = [slice(None)] * x.ndim
    for start, end, axis in zip(starts, ends, axes):
        index[axis] = slice(start, end)
    return x[tuple(index)]


def gelu(x):
    return x * .5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def space_to_depth(x, blocksize):
    n, c, h, w = x.shape
    parts = x.reshape(n, c, h // blocksize, blocksize, w // blocksize, blocksize)
    return parts.transpose(0, 3, 5, 1, 2, 4).reshape(n, -1, h // blocksize, w // blocksize)


OPERATORS = {
    "QuantizeLinear": quantize, "DequantizeLinear": dequantize, "MatMul": np.matmul, "Gemm": gemm,
    "Conv": conv, "MaxPool": max_pool, "AveragePool": average_pool, "Softmax": softmax,
    "LayerNormalization": layer_norm, "Pad": pad, "Slice": slice_, "Gelu": gelu,
    "SpaceToDepth": space_to_depth,
    "Add": np.add, "Mul": np.multiply, "Where": np.where,
    "Relu": lambda x: np.maximum(x, 0), "Clip": np.clip,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "LeakyRelu": lambda x, alpha=.01: np.where(x < 0, alpha * x, x),
    "GlobalAveragePool": lambda x: x.mean(tuple(range(2, x.ndim)), keepdims=True),
    "Concat": lambda *parts, axis: np.concatenate(parts, axis),
    "Transpose": lambda x, perm: x.transpose(perm),
    "Reshape": lambda x, shape: x.reshape([x.shape[i] if s == 0 else s
                                           for i, s in enumerate(shape)]),
    "Flatten": lambda x, axis=1: x.reshape(math.prod(x.shape[:axis]), -1),
    "Squeeze": lambda x, axes: np.squeeze(x, tuple(axes)),
    "Unsqueeze": lambda x, axes: np.expand_dims(x, tuple(axes)),
    "Gather": lambda x, indices, axis=0: np.take(x, indices, axis),
    "Split": lambda x, lengths, axis=0: np.split(x, np.cumsum(lengths)[:-1], axis),
    "Expand": lambda x, shape: np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape))),
    "Tile": np.tile,
}


def evaluate(nodes, values):
    """Runs `nodes`, (op, inputs, outputs, attributes) each, and adds to `values`, whose floats
    become float64."""
    for name, value in values.items():
        if value.dtype == np.float32:
            values[name] = value.astype(np.float64)
    for op, inputs, outputs, attributes in nodes:
        arguments = [values[name] if name else None for name in inputs]
        while arguments and arguments[-1] is None:
            arguments.pop()
        results = OPERATORS[op](*arguments, **attributes)
        for name, result in zip(outputs, results if len(outputs) > 1 else [results]):
            values[name] = result
    return values
