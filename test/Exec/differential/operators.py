"""The operators of random graphs: each rule adds a node, or a few that exporters write
together, to a graph (graphs.py), in a form that the graph's opset has.

One file, long as it is: the order of the rules is part of what a seed makes."""

import numpy as np
from onnx import TensorProto, helper

from graphs import FLOATS, INTEGERS, Unsuitable, broadcast, is_static, most

F32, F16, I64, I32, I8, U8, BOOL = (np.float32, np.float16, np.int64, np.int32, np.int8, np.uint8,
                                    np.bool_)
MS = "com.microsoft"
RULES = []


def rule(weight=1, since=1):
    def add(function):
        RULES.append((function, weight, since))
        return function
    return add


def replaced(dims, axis, extent):
    return dims[:axis] + (extent,) + dims[axis + 1:]


def added(*extents):
    return tuple(map(sum, zip(*extents)))


def times(*extents):
    return tuple(int(np.prod(column)) for column in zip(*extents))


def mates(graph, value, dtypes=None):
    """A value that broadcasts with another: of the graph, or new with some dims 1."""
    dtypes = dtypes or (value.dtype,)
    if graph.chance(0.4):
        def fits(other):
            try:
                return most(broadcast(value.dims, other.dims)) <= 8000
            except Unsuitable:
                return False
        return graph.pick(dtypes, wants=fits)
    dims = tuple(graph.static(1) if graph.chance(0.25) else extent for extent in value.dims)
    return graph.source(graph.choose(list(dtypes)), dims[graph.integer(0, len(dims)):])


# Element-wise.

@rule(5)
def unary(graph):
    names = "Neg Abs Relu Sigmoid Tanh Erf Exp Softplus Softsign Elu LeakyRelu HardSigmoid Selu Celu Sin Cos".split()
    if graph.opset >= 14:
        names += ["HardSwish"]
    if graph.opset >= 20:
        names += ["Gelu"]
    if graph.opset >= 18:
        names += ["Mish"]
    name = graph.choose(names)
    halves = name not in ("Celu", "Mish")
    x = graph.pick((F32, F16) if halves else (F32,))
    attributes = {"approximate": "tanh"} if name == "Gelu" and graph.chance() else {}
    graph.node(name, [x], x.dtype, x.dims, x.exact and name in ("Neg", "Abs", "Relu"), **attributes)


@rule()
def positive(graph):
    """Operators that are defined, and tame, from 0.5 on."""
    x = graph.pick((F32,))
    x = graph.node("Abs", [x], F32, x.dims, x.exact)
    x = graph.node("Add", [x, graph.constant(F32(graph.choose([0.5, 1, 1.5])))], F32, x.dims)
    name = graph.choose(["Sqrt", "Log", "Reciprocal", "Pow"])
    if name == "Pow":
        power = graph.constant(F32(graph.choose([0.5, 2, 3, -1, -0.5, 1.5])))
        graph.node("Pow", [x, power], F32, x.dims)
    else:
        graph.node(name, [x], F32, x.dims)


@rule()
def stepping(graph):
    """Step functions, of values that are the same everywhere."""
    x = graph.pick((F32,), exact=True)
    name = graph.choose(["Floor", "Ceil", "Round", "Sign", "IsNaN", "IsInf", "ThresholdedRelu"])
    graph.node(name, [x], BOOL if name[:2] == "Is" else F32, x.dims, True)


@rule(4)
def binary(graph):
    x = graph.pick((F32, F32, F16, I64, I32))
    y = mates(graph, x)
    operands = [x, y] if graph.chance() else [y, x]
    name = graph.choose(["Add", "Add", "Mul", "Mul", "Sub"])
    graph.node(name, operands, x.dtype, broadcast(x.dims, y.dims),
               x.exact and y.exact and not x.is_float())


@rule()
def divide(graph):
    x = graph.pick((F32, I64, I32), wants=lambda v: v.exact or v.is_float())
    dims = tuple(graph.static(1) if graph.chance() else extent for extent in x.dims)
    y = graph.source(x.dtype, dims, 1, 5)
    name = graph.choose(["Div", "Div", "Mod"]) if not x.is_float() else "Div"
    if name == "Mod" and graph.chance(0.3):
        graph.node("Mod", [x, y], x.dtype, broadcast(x.dims, y.dims), True, fmod=1)
    else:
        graph.node(name, [x, y], x.dtype, broadcast(x.dims, y.dims), x.exact and not x.is_float())


@rule()
def several(graph):
    """Min, Max, Sum, Mean of one to three operands."""
    x = graph.pick((F32, F32, I64))
    operands = [x, *(mates(graph, x) for _ in range(graph.integer(0, 2)))]
    dims = x.dims
    for other in operands[1:]:
        dims = broadcast(dims, other.dims)
    name = graph.choose(["Min", "Max", *(["Sum", "Mean"] if x.is_float() else [])])
    if x.dtype == I64 and graph.opset < 12:
        raise Unsuitable
    graph.node(name, operands, x.dtype, dims,
               all(v.exact for v in operands) and name in ("Min", "Max"))


@rule(2)
def compare(graph):
    x = graph.pick((F32, I64, I32), exact=True)
    dims = tuple(graph.static(1) if graph.chance(0.3) else extent for extent in x.dims)
    y = graph.source(x.dtype, dims)
    names = ["Equal", "Less", "Greater"] + (["LessOrEqual", "GreaterOrEqual"] if graph.opset >= 12 else [])
    graph.node(graph.choose(names), [x, y], BOOL, broadcast(x.dims, y.dims), True)


@rule()
def logical(graph):
    x = graph.pick((BOOL,))
    if graph.chance(0.3):
        graph.node("Not", [x], BOOL, x.dims, x.exact)
        return
    y = mates(graph, x)
    graph.node(graph.choose(["And", "Or", "Xor"]), [x, y], BOOL, broadcast(x.dims, y.dims),
               x.exact and y.exact)


@rule(2)
def where(graph):
    condition = graph.pick((BOOL,), exact=True)
    x = mates(graph, condition, (F32, F32, F16, I64))
    y = mates(graph, x)
    graph.node("Where", [condition, x, y], x.dtype, broadcast(condition.dims, x.dims, y.dims),
               x.exact and y.exact)


@rule()
def clip(graph):
    x = graph.pick((F32, F32, F16, I64) if graph.opset >= 12 else (F32,))
    low = graph.constant(x.dtype(-1)) if graph.chance(0.7) else None
    high = graph.constant(x.dtype(1)) if graph.chance(0.7) else None
    graph.node("Clip", [x, low, high], x.dtype, x.dims, x.exact)


@rule(2)
def cast(graph):
    x = graph.pick((F32, F16, I64, I32, I8, U8, BOOL))
    to = graph.choose([F32, F32, F16, I64, I32, BOOL])
    if to not in FLOATS and x.is_float() and not x.exact:
        raise Unsuitable
    # The largest elements of f16, and -0 as a bool, are the same for all.
    graph.node("Cast", [x], to, x.dims, x.exact, to=helper.np_dtype_to_tensor_dtype(np.dtype(to)))


@rule()
def prelu(graph):
    x = graph.pick((F32,), rank=(2, 3, 4))
    slope = graph.source(F32, (x.dims[1],) + (graph.static(1),) * (x.rank - 2))
    graph.node("PRelu", [x, slope], F32, x.dims)


# Contractions.

@rule(5)
def matmul(graph):
    x = graph.pick((F32, F32, F32, F16), rank=(1, 2, 2, 3, 3, 4))
    shared, columns = x.dims[-1], graph.extent()
    if x.rank > 1 and graph.chance(0.6):
        y = graph.source(x.dtype, (shared, columns))
    else:
        batch = tuple(graph.static(1) if graph.chance(0.2) else e for e in x.dims[:-2])
        dims = batch[graph.integer(0, len(batch)):] + (shared, columns)
        y = graph.source(x.dtype, dims[-1:] if False else dims)
        if graph.chance(0.15):
            y = graph.source(x.dtype, (shared,))
    if y.rank == 1:
        dims = x.dims[:-1]
    elif x.rank == 1:
        dims = y.dims[:-2] + y.dims[-1:]
    else:
        dims = broadcast(x.dims[:-2], y.dims[:-2]) + (x.dims[-2], y.dims[-1])
    result = graph.node("MatMul", [x, y], x.dtype, dims)
    if y.rank > 1 and graph.chance(0.4):
        graph.node("Add", [result, graph.source(x.dtype, y.dims[-1:])], x.dtype, dims)


@rule(2)
def gemm(graph):
    x = graph.pick((F32, F32, F16), rank=2)
    left, right = graph.integer(0, 1), graph.integer(0, 1)
    rows, shared = (x.dims[1], x.dims[0]) if left else x.dims
    columns = graph.extent()
    y = graph.source(x.dtype, (columns, shared) if right else (shared, columns))
    one = graph.static(1)
    c = graph.choose([None, (columns,), (rows, columns), (one, columns), (rows, one), ()])
    operands = [x, y] + ([graph.source(x.dtype, c)] if c is not None else [])
    attributes = {"alpha": 0.5, "beta": 2.0} if graph.chance(0.3) else {}
    graph.node("Gemm", operands, x.dtype, (rows, columns), transA=left, transB=right, **attributes)


@rule()
def einsum(graph):
    if graph.opset < 12:
        raise Unsuitable
    equation = graph.choose(["bij,bjk->bik", "bhid,bhjd->bhij", "ij,jk", "bij->bji", "bi,bi->b",
                             "i,j->ij", "bhij->bi", "bid,hdk->bhik"])
    extents = {letter: graph.choose([graph.extent(), graph.static(3)])
               for letter in sorted(set(equation) - set(",->"))}
    left, _, right = equation.partition("->")
    right = right or "ik"
    operands = [graph.source(F32, tuple(extents[l] for l in term)) for term in left.split(",")]
    graph.node("Einsum", operands, F32, tuple(extents[l] for l in right), equation=equation)


# Rows.

def reduce_node(graph, name, x, axes, keep, exact, dtype=None):
    since = 13 if name == "ReduceSum" else 18
    chosen = list(range(x.rank)) if axes is None else [a % x.rank for a in axes]
    dims = tuple(graph.static(1) if a in chosen else e for a, e in enumerate(x.dims)
                 if keep or a not in chosen)
    if axes is None:
        return graph.node(name, [x], dtype or x.dtype, dims, exact, keepdims=keep)
    if graph.opset < since:
        return graph.node(name, [x], dtype or x.dtype, dims, exact, keepdims=keep, axes=axes)
    return graph.node(name, [x, graph.ints(*axes)], dtype or x.dtype, dims, exact, keepdims=keep)


def some_axes(graph, x):
    if x.rank == 0:
        return None
    axes = [axis for axis in range(x.rank) if graph.chance(0.5)]
    return [a - x.rank if graph.chance(0.3) else a for a in axes] or None


@rule(3)
def reduce(graph):
    name = graph.choose(["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd",
                         "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"])
    kinds = (F32, F32, I64, I32) if name in ("ReduceSum", "ReduceMax", "ReduceMin") else (F32,)
    if name in ("ReduceMax", "ReduceMin"):
        x = graph.pick(kinds, wants=lambda v: all(min(e) > 0 for e in v.dims))
    else:
        x = graph.pick(kinds)
    if name == "ReduceMean" and not all(min(e) > 0 for e in x.dims):
        raise Unsuitable  # 0 / 0
    exact = x.exact and (not x.is_float() or name in ("ReduceMax", "ReduceMin"))
    reduce_node(graph, name, x, some_axes(graph, x), graph.integer(0, 1), exact)


@rule()
def arg(graph):
    x = graph.pick((F32, I32), exact=True, wants=lambda v: v.rank and all(min(e) > 0 for e in v.dims))
    axis, text = graph.axis(x)
    keep = graph.integer(0, 1)
    dims = replaced(x.dims, axis, graph.static(1)) if keep else x.dims[:axis] + x.dims[axis + 1:]
    attributes = {"select_last_index": 1} if graph.opset >= 12 and graph.chance(0.3) else {}
    graph.node(graph.choose(["ArgMax", "ArgMin"]), [x], I64, dims, True, axis=text, keepdims=keep,
               **attributes)


@rule(3)
def softmax(graph):
    x = graph.pick((F32, F32, F16), rank=(1, 2, 3, 4))
    _, text = graph.axis(x)
    attributes = {"axis": text} if graph.chance(0.8) else {}
    graph.node(graph.choose(["Softmax", "Softmax", "LogSoftmax"]), [x], x.dtype, x.dims, **attributes)


@rule()
def top_k(graph):
    x = graph.pick((F32, I64), exact=True, wants=lambda v: v.rank > 0)
    axis, text = graph.axis(x)
    k = graph.integer(0, min(x.dims[axis]))
    dims = replaced(x.dims, axis, graph.static(k))
    graph.node("TopK", [x, graph.ints(k)], [x.dtype, I64], [dims, dims], True, axis=text,
               largest=graph.integer(0, 1))


@rule()
def cum_sum(graph):
    x = graph.pick((F32, I64, I32), wants=lambda v: v.rank > 0)
    _, text = graph.axis(x)
    graph.node("CumSum", [x, graph.constant(np.int64(text))], x.dtype, x.dims,
               x.exact and not x.is_float(), exclusive=graph.integer(0, 1),
               reverse=graph.integer(0, 1))


# Norms.

@rule(3, since=17)
def layer_norm(graph):
    x = graph.pick((F32, F32, F16), rank=(1, 2, 3, 4))
    axis, text = graph.axis(x)
    scale = graph.source(x.dtype, x.dims[axis:], 0.5, 2)
    bias = graph.source(x.dtype, x.dims[axis:]) if graph.chance(0.7) else None
    graph.node("LayerNormalization", [x, scale, bias], x.dtype, x.dims, axis=text, epsilon=1e-2)


@rule(2)
def decomposed_norm(graph):
    """As exporters write a layer or RMS norm out."""
    x = graph.pick((F32,), rank=(2, 3), wants=lambda v: all(min(e) > 0 for e in v.dims))
    rms = graph.chance()
    if not rms:
        mean = reduce_node(graph, "ReduceMean", x, [-1], 1, False)
        x = graph.node("Sub", [x, mean], F32, x.dims)
    power = graph.node("Pow", [x, graph.constant(F32(2))], F32, x.dims)
    mean = reduce_node(graph, "ReduceMean", power, [-1], 1, False)
    mean = graph.node("Add", [mean, graph.constant(F32(0.01))], F32, mean.dims)
    root = graph.node("Sqrt", [mean], F32, mean.dims)
    x = graph.node("Div", [x, root], F32, x.dims)
    graph.node("Mul", [x, graph.source(F32, x.dims[-1:], 0.5, 2)], F32, x.dims)


@rule(1, since=23)
def rms_norm(graph):
    x = graph.pick((F32,), rank=(2, 3, 4))
    axis, text = graph.axis(x)
    scale = graph.source(F32, x.dims[axis:], 0.5, 2)
    graph.node("RMSNormalization", [x, scale], F32, x.dims, axis=text, epsilon=1e-2)


@rule()
def ms_norm(graph):
    x = graph.pick((F32,), rank=3)
    gamma = graph.source(F32, x.dims[-1:], 0.5, 2)
    if graph.chance(0.4):
        graph.node("SimplifiedLayerNormalization", [x, gamma], F32, x.dims, epsilon=1e-2, axis=-1)
        return
    skip = graph.source(F32, x.dims)
    simple = graph.chance()
    operands = [x, skip, gamma] + ([] if simple or graph.chance(0.4) else [graph.source(F32, x.dims[-1:])])
    name = "SkipSimplifiedLayerNormalization" if simple else "SkipLayerNormalization"
    graph.node(name, operands, F32, x.dims, domain=MS, epsilon=1e-2)


@rule()
def channel_norm(graph):
    x = graph.pick((F32,), rank=(3, 4), wants=lambda v: is_static(v.dims[1]) and all(min(e) > 0 for e in v.dims))
    channels = x.dims[1]
    name = graph.choose(["InstanceNormalization", "BatchNormalization", "GroupNormalization"])
    scale, bias = graph.source(F32, (channels,)), graph.source(F32, (channels,))
    if name == "BatchNormalization":
        mean, variance = graph.source(F32, (channels,)), graph.source(F32, (channels,), 0.5, 2)
        graph.node(name, [x, scale, bias, mean, variance], F32, x.dims)
    elif name == "GroupNormalization":
        if graph.opset < 21:
            raise Unsuitable
        groups = graph.choose([g for g in range(1, channels[0] + 1) if channels[0] % g == 0])
        graph.node(name, [x, scale, bias], F32, x.dims, num_groups=groups, epsilon=1e-2)
    else:
        graph.node(name, [x, scale, bias], F32, x.dims, epsilon=1e-2)


# Movement.

@rule(3)
def transpose(graph):
    x = graph.pick((F32, F32, F16, I64, BOOL), rank=(1, 2, 3, 3, 4, 4))
    order = [int(i) for i in graph.random.permutation(x.rank)]
    attributes = {"perm": order} if graph.chance(0.85) else {}
    order = order if attributes else list(range(x.rank))[::-1]
    graph.node("Transpose", [x], x.dtype, [x.dims[i] for i in order], x.exact, **attributes)


@rule(4)
def reshape(graph):
    """To dims of which at most one is not static; 0 and -1 are used where they can."""
    x = graph.pick((F32, F32, F16, I64))
    total = times(*x.dims) if x.rank else graph.static(1)
    kept = 0
    while kept < x.rank and graph.chance(0.5):
        kept += 1
    rest = times(*x.dims[kept:]) if kept < x.rank else graph.static(1)
    if min(total) == 0:
        raise Unsuitable  # -1 has no meaning
    numbers, dims = [0] * kept, list(x.dims[:kept])
    common = int(np.gcd.reduce(rest))
    divisors = [d for d in range(1, common + 1) if common % d == 0]
    pieces = [graph.choose(divisors)] if graph.chance(0.8) else []
    if pieces and graph.chance(0.3):
        inner = [d for d in divisors if pieces[0] % d == 0]
        d = graph.choose(inner)
        pieces = [d, pieces[0] // d]
    left = tuple(r // int(np.prod(pieces)) for r in rest)
    tail = [graph.static(piece) for piece in pieces]
    texts = list(pieces)
    if not is_static(left) or left[0] != 1 or graph.chance(0.3):
        place = graph.integer(0, len(tail))
        tail.insert(place, left)
        texts.insert(place, -1)
    graph.node("Reshape", [x, graph.ints(*numbers, *texts)], x.dtype, dims + tail, x.exact)


@rule(2)
def reshape_by_shape(graph):
    """Reshape to extents read by Shape, as exporters write it."""
    x = graph.pick((F32,), rank=(2, 3, 4))
    shape = graph.node("Shape", [x], I64, (graph.static(x.rank),), True)
    parts = []
    merged = graph.integer(0, x.rank - 2)
    for axis in range(x.rank):
        if axis == merged + 1:
            continue
        if axis == merged:
            parts.append(graph.ints(-1))
        elif graph.chance():
            index = graph.constant(np.int64(axis))
            extent = graph.node("Gather", [shape, index], I64, (), True, axis=0)
            parts.append(unsqueeze_node(graph, extent, [0]))
        else:
            ends = [graph.ints(axis), graph.ints(axis + 1), graph.ints(0)]
            parts.append(graph.node("Slice", [shape, *ends], I64, (graph.static(1),), True))
    if min(times(*x.dims)) == 0:
        raise Unsuitable
    target = graph.node("Concat", parts, I64, (graph.static(len(parts)),), True, axis=0)
    dims = x.dims[:merged] + (times(*x.dims[merged:merged + 2]),) + x.dims[merged + 2:]
    graph.node("Reshape", [x, target], F32, dims, x.exact)


def unsqueeze_node(graph, x, axes):
    rank = x.rank + len(axes)
    at = sorted(axis % rank for axis in axes)
    rest = iter(x.dims)
    dims = tuple(graph.static(1) if axis in at else next(rest) for axis in range(rank))
    if graph.opset < 13:
        return graph.node("Unsqueeze", [x], x.dtype, dims, x.exact, axes=axes)
    return graph.node("Unsqueeze", [x, graph.ints(*axes)], x.dtype, dims, x.exact)


@rule(2)
def unsqueeze(graph):
    x = graph.pick((F32, F16, I64), rank=(0, 1, 2, 3))
    axes = sorted({graph.integer(0, x.rank), *([graph.integer(0, x.rank)] if graph.chance(0.3) else [])})
    if graph.chance(0.3):
        axes = [axis - x.rank - len(axes) for axis in axes]
    unsqueeze_node(graph, x, axes)


@rule()
def squeeze(graph):
    x = graph.pick((F32, I64), rank=(1, 2, 3, 4), wants=lambda v: graph.static(1) in v.dims)
    axes = [axis for axis, extent in enumerate(x.dims) if extent == graph.static(1)][:graph.integer(1, 2)]
    dims = [extent for axis, extent in enumerate(x.dims) if axis not in axes]
    if graph.opset < 13:
        graph.node("Squeeze", [x], x.dtype, dims, x.exact, axes=axes)
    else:
        graph.node("Squeeze", [x, graph.ints(*axes)], x.dtype, dims, x.exact)


@rule()
def flatten(graph):
    x = graph.pick((F32, I64), rank=(1, 2, 3, 4))
    axis = graph.integer(0, x.rank)
    one = graph.static(1)
    dims = (times(one, *x.dims[:axis]), times(one, *x.dims[axis:]))
    graph.node("Flatten", [x], x.dtype, dims, x.exact, axis=axis - x.rank if axis < x.rank and graph.chance(0.3) else axis)


@rule(3)
def slice_(graph):
    x = graph.pick((F32, F32, F16, I64, BOOL), rank=(1, 2, 3, 4))
    axes = [axis for axis in range(x.rank) if graph.chance()] or [0]
    dims, starts, ends, steps = list(x.dims), [], [], []
    for axis in axes:
        far = graph.choose([2**62, 2**31 - 1])
        step = graph.choose([1, 1, 2, 3, -1, -1, -2])
        start = graph.choose([0, 1, 2, -1, -3, far, -far, 5])
        end = graph.choose([far, far, -far, -1, 4, 0, 7])
        if step < 0 and end == 2**31 - 1:  # "to the front" for ONNX Runtime, and for it alone
            end = 7
        starts.append(start), ends.append(end), steps.append(step)
        dims[axis] = tuple(len(range(extent)[start:end:step] if step > 0 else
                               range(*slice(start, None if end == -far else end, step).indices(extent)))
                           for extent in x.dims[axis])
    names = [axis - x.rank if graph.chance(0.3) else axis for axis in axes]
    operands = [x, graph.ints(*starts), graph.ints(*ends), graph.ints(*names)]
    if set(steps) != {1} or graph.chance():
        operands.append(graph.ints(*steps))
    graph.node("Slice", operands, x.dtype, dims, x.exact)


@rule(2)
def slice_from_end(graph):
    """The last, or all but the last, by an end that data give."""
    x = graph.pick((F32,), rank=(2, 3), wants=lambda v: v.dims[1] in graph.symbols.values())
    shape = graph.node("Shape", [x], I64, (graph.static(x.rank),), True)
    extent = graph.node("Gather", [shape, graph.ints(1)], I64, (graph.static(1),), True)
    start = graph.node("Sub", [extent, graph.ints(1)], I64, (graph.static(1),), True)
    if min(x.dims[1]) < 1:
        raise Unsuitable
    graph.node("Slice", [x, start, extent, graph.ints(1)], F32,
               replaced(x.dims, 1, graph.static(1)), x.exact)


@rule(3)
def concat(graph):
    x = graph.pick((F32, F32, F16, I64), rank=(1, 2, 3, 4))
    axis, text = graph.axis(x)
    parts = [x]
    for _ in range(graph.integer(0, 2)):
        parts.append(graph.source(x.dtype, replaced(x.dims, axis, graph.extent()))
                     if graph.chance(0.7) else x)
    if graph.chance():
        parts.reverse()
    dims = replaced(x.dims, axis, added(*(part.dims[axis] for part in parts)))
    graph.node("Concat", parts, x.dtype, dims, all(p.exact for p in parts), axis=text)


@rule(2)
def split(graph):
    x = graph.pick((F32, F32, F16, I64), rank=(1, 2, 3, 4), wants=lambda v: any(map(is_static, v.dims)))
    axis = graph.choose([axis for axis, extent in enumerate(x.dims) if is_static(extent)])
    extent = x.dims[axis][0]
    if extent < 1:
        raise Unsuitable
    cut = graph.integer(0, extent)
    sizes = [cut, extent - cut]
    if graph.chance(0.3):
        first = graph.integer(0, cut)
        sizes = [first, cut - first, extent - cut]
    attributes, operands = {}, [x]
    text = axis - x.rank if graph.chance(0.4) else axis
    if graph.opset >= 18 and graph.chance(0.3):
        number = graph.integer(1, min(3, extent))
        each = -(-extent // number)
        sizes = [each] * (number - 1) + [extent - each * (number - 1)]
        if sizes[-1] <= 0:
            raise Unsuitable
        attributes["num_outputs"] = number
    elif graph.opset < 13:
        attributes["split"] = sizes
    else:
        operands.append(graph.ints(*sizes))
    shapes = [replaced(x.dims, axis, graph.static(size)) for size in sizes]
    graph.node("Split", operands, [x.dtype] * len(sizes), shapes, x.exact, axis=text, **attributes)


@rule(2)
def gather(graph):
    x = graph.pick((F32, F32, F16, I64), rank=(1, 2, 3), wants=lambda v: any(min(e) for e in v.dims))
    axis = graph.choose([axis for axis, extent in enumerate(x.dims) if min(extent)])
    low = min(x.dims[axis])
    indices = graph.source(graph.choose([I64, I64, I32]), graph.dims(graph.choose([0, 1, 2])),
                           -low, low - 1)
    graph.node("Gather", [x, indices], x.dtype, x.dims[:axis] + indices.dims + x.dims[axis + 1:],
               x.exact, axis=axis - x.rank if graph.chance(0.3) else axis)


@rule()
def gather_elements(graph):
    x = graph.pick((F32, I64), rank=(1, 2, 3), wants=lambda v: any(min(e) for e in v.dims))
    axis = graph.choose([axis for axis, extent in enumerate(x.dims) if min(extent)])
    low = min(x.dims[axis])
    indices = graph.source(I64, replaced(x.dims, axis, graph.extent()), -low, low - 1)
    graph.node("GatherElements", [x, indices], x.dtype, indices.dims, x.exact, axis=axis)


@rule()
def gather_nd(graph):
    x = graph.pick((F32, I64), rank=(2, 3, 4), wants=lambda v: all(min(e) for e in v.dims))
    depth = graph.integer(1, x.rank)
    low = min(min(extent) for extent in x.dims[:depth])
    indices = graph.source(I64, (graph.extent(), graph.static(depth)), -low, low - 1)
    graph.node("GatherND", [x, indices], x.dtype, (indices.dims[0],) + x.dims[depth:], x.exact)


@rule()
def scatter(graph):
    """Rows written at places that differ: the order does not matter."""
    x = graph.pick((F32,), rank=(2, 3), wants=lambda v: is_static(v.dims[0]) and v.dims[0][0] > 0)
    rows = x.dims[0][0]
    places = graph.random.permutation(rows)[:graph.integer(1, rows)].astype(np.int64)
    count = graph.static(len(places))
    attributes = {"reduction": graph.choose(["add", "mul"])} if graph.opset >= 16 and graph.chance(0.4) else {}
    if graph.chance():
        updates = graph.source(F32, (count,) + x.dims[1:])
        graph.node("ScatterND", [x, graph.constant(places[:, None]), updates], F32, x.dims,
                   x.exact and not attributes, **attributes)
    else:
        if not all(map(is_static, x.dims)):
            raise Unsuitable
        wide = np.broadcast_to(places.reshape(-1, *[1] * (x.rank - 1)),
                               (len(places), *(e[0] for e in x.dims[1:]))).copy()
        updates = graph.source(F32, (count,) + x.dims[1:])
        graph.node("ScatterElements", [x, graph.constant(wide), updates], F32, x.dims,
                   x.exact and not attributes, axis=0, **attributes)


@rule(2)
def expand(graph):
    x = graph.pick((F32, F16, I64), rank=(0, 1, 2, 3))
    if graph.chance():
        target = [graph.choose([1, extent[0] if is_static(extent) else 1]) if extent != graph.static(1)
                  else graph.choose([1, 2, 5]) for extent in x.dims]
        target = [graph.choose([1, 3])] * graph.integer(0, 1) + target
        shape = graph.ints(*target)
        dims = broadcast(x.dims, tuple(map(graph.static, target)))
    else:  # to the shape of another
        other = mates(graph, x)
        shape = graph.node("Shape", [other], I64, (graph.static(other.rank),), True)
        dims = broadcast(x.dims, other.dims)
    graph.node("Expand", [x, shape], x.dtype, dims, x.exact)


@rule()
def tile(graph):
    x = graph.pick((F32, I64), rank=(1, 2, 3))
    counts = [graph.choose([1, 1, 2, 3, 0]) if graph.chance(0.9) else 1 for _ in x.dims]
    dims = [tuple(e * count for e in extent) for extent, count in zip(x.dims, counts)]
    graph.node("Tile", [x, graph.ints(*counts)], x.dtype, dims, x.exact)


@rule(2)
def pad(graph):
    x = graph.pick((F32, F32, I64), rank=(1, 2, 3, 4))
    modes = ["constant", "constant", "edge", "reflect"] + (["wrap"] if graph.opset >= 19 else [])
    mode = graph.choose(modes)
    begins, ends = [], []
    for extent in x.dims:
        most_ = 3 if mode == "constant" else min(extent) - 1 if mode == "reflect" else 3 * (min(extent) > 0)
        low = -1 if mode == "constant" and min(extent) > 2 else 0
        begins.append(graph.integer(low, max(0, min(most_, 2))) if graph.chance(0.6) else 0)
        ends.append(graph.integer(low, max(0, min(most_, 3))) if graph.chance(0.6) else 0)
    if mode == "wrap" and not all(min(extent) > 3 for extent in x.dims):
        raise Unsuitable
    dims = [tuple(e + b + a for e in extent) for extent, b, a in zip(x.dims, begins, ends)]
    operands = [x, graph.ints(*begins, *ends)]
    if mode == "constant" and graph.chance():
        operands.append(graph.constant(x.dtype(1.5)))
    graph.node("Pad", operands, x.dtype, dims, x.exact, mode=mode)


@rule()
def range_(graph):
    """Positions: the numbers below an extent."""
    x = graph.pick((F32,), rank=(1, 2, 3))
    axis, _ = graph.axis(x)
    shape = graph.node("Shape", [x], I64, (graph.static(x.rank),), True)
    extent = graph.node("Gather", [shape, graph.constant(np.int64(axis))], I64, (), True)
    zero, one = graph.constant(np.int64(0)), graph.constant(np.int64(1))
    graph.node("Range", [zero, extent, one], I64, (x.dims[axis],), True)


@rule()
def constant_of_shape(graph):
    x = graph.pick((F32,), rank=(1, 2, 3))
    shape = graph.node("Shape", [x], I64, (graph.static(x.rank),), True)
    value = graph.choose([np.zeros(1, F32), np.array([1.5], F32), np.array([3], I64)])
    graph.node("ConstantOfShape", [shape], value.dtype.type, x.dims, True,
               value=helper.make_tensor("value", helper.np_dtype_to_tensor_dtype(value.dtype), [1], value))


@rule(since=14)
def trilu(graph):
    x = graph.pick((F32, I64), rank=(2, 3, 4))
    operands = [x] + ([graph.constant(np.int64(graph.integer(-3, 3)))] if graph.chance() else [])
    graph.node("Trilu", operands, x.dtype, x.dims, x.exact, upper=graph.integer(0, 1))


@rule()
def one_hot(graph):
    depth = graph.integer(1, 7)
    indices = graph.source(I64, graph.dims(graph.choose([1, 2])), -depth, depth - 1)
    values = graph.constant(np.array([0, 1], F32))
    axis = graph.choose([-1, 0, 1])
    at = axis % (indices.rank + 1)
    graph.node("OneHot", [indices, graph.constant(np.int64(depth)), values], F32,
               indices.dims[:at] + (graph.static(depth),) + indices.dims[at:], True, axis=axis)


@rule()
def identity(graph):
    x = graph.pick((F32, F16, I64, BOOL))
    graph.node(graph.choose(["Identity", "Identity", "Dropout"]) if x.dtype == F32 else "Identity",
               [x], x.dtype, x.dims, x.exact)


@rule()
def depth_to_space(graph):
    x = graph.pick((F32,), rank=4, wants=lambda v: is_static(v.dims[1]))
    n, c, h, w = x.dims
    block = 2
    if graph.chance() and c[0] % 4 == 0:
        dims = (n, graph.static(c[0] // 4), times(h, graph.static(2)), times(w, graph.static(2)))
        graph.node("DepthToSpace", [x], F32, dims, x.exact, blocksize=block, mode=graph.choose(["DCR", "CRD"]))
    elif all(e % 2 == 0 for e in (*h, *w)):
        dims = (n, graph.static(c[0] * 4), tuple(e // 2 for e in h), tuple(e // 2 for e in w))
        graph.node("SpaceToDepth", [x], F32, dims, x.exact, blocksize=block)
    else:
        raise Unsuitable


# Images.

def window(graph, extents, kernel, strides, pads, dilations, ceil=False):
    result = []
    count = len(extents)
    for axis, extent in enumerate(extents):
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        spans = [e + pads[axis] + pads[axis + count] - reach for e in extent]
        if min(spans) < 0:
            raise Unsuitable
        result.append(tuple((-(-span // strides[axis]) if ceil else span // strides[axis]) + 1
                            for span in spans))
    return tuple(result)


def image(graph):
    rank = graph.choose([3, 4, 4, 4])
    return graph.pick((F32,), rank=rank, wants=lambda v: is_static(v.dims[1]) and v.dims[1][0] > 0
                      and all(min(e) > 0 for e in v.dims[2:]))


@rule(3)
def conv(graph):
    x = image(graph)
    spatial = x.rank - 2
    channels = x.dims[1][0]
    group = graph.choose([1, 1, 1, *[g for g in range(2, channels + 1) if channels % g == 0][-2:]])
    out = group * graph.choose([1, 1, 2, 3, 5, 8]) if group > 1 else graph.choose([1, 3, 5, 8, 16, 17])
    kernel = [graph.choose([1, 2, 3]) for _ in range(spatial)]
    strides = [graph.choose([1, 1, 2]) for _ in range(spatial)]
    dilations = [graph.choose([1, 1, 2]) for _ in range(spatial)]
    pads = [graph.integer(0, 2) for _ in range(2 * spatial)]
    dims = window(graph, x.dims[2:], kernel, strides, pads, dilations)
    shape = tuple(map(graph.static, (out, channels // group, *kernel)))
    operands = [x, graph.source(F32, shape, constant=graph.chance(0.8), named=False)]
    if graph.chance(0.6):
        operands.append(graph.source(F32, (graph.static(out),)))
    result = graph.node("Conv", operands, F32, (x.dims[0], graph.static(out)) + dims, group=group,
                        kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads)
    if graph.chance(0.5):
        graph.node("Relu", [result], F32, result.dims)


@rule()
def conv_transpose(graph):
    x = image(graph)
    spatial, channels = x.rank - 2, x.dims[1][0]
    group = graph.choose([1, 1, *[g for g in range(2, channels + 1) if channels % g == 0]])
    per_group = graph.choose([1, 2, 5])
    kernel = [graph.choose([1, 2, 3]) for _ in range(spatial)]
    strides = [graph.choose([1, 2]) for _ in range(spatial)]
    dims = [tuple((e - 1) * s + k for e in extent)
            for extent, s, k in zip(x.dims[2:], strides, kernel)]
    shape = tuple(map(graph.static, (channels, per_group, *kernel)))
    graph.node("ConvTranspose", [x, graph.source(F32, shape, named=False)], F32,
               [x.dims[0], graph.static(group * per_group), *dims], group=group,
               kernel_shape=kernel, strides=strides)


@rule(2)
def pool(graph):
    x = image(graph)
    spatial = x.rank - 2
    name = graph.choose(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"])
    if name.startswith("Global"):
        graph.node(name, [x], F32, x.dims[:2] + (graph.static(1),) * spatial)
        return
    kernel = [graph.choose([1, 2, 3]) for _ in range(spatial)]
    strides = [graph.choose([1, 2, 3]) for _ in range(spatial)]
    pads = [graph.integer(0, min(k - 1, 1)) for k in kernel * 2]
    attributes = {}
    if name == "AveragePool":
        attributes["count_include_pad"] = graph.integer(0, 1)
    dims = window(graph, x.dims[2:], kernel, strides, pads, [1] * spatial)
    graph.node(name, [x], F32, x.dims[:2] + dims, x.exact and name == "MaxPool",
               kernel_shape=kernel, strides=strides, pads=pads, **attributes)


@rule()
def resize(graph):
    x = graph.pick((F32,), rank=4, wants=lambda v: all(min(e) > 0 for e in v.dims))
    mode = graph.choose(["nearest", "linear", "cubic"])
    attributes = {"mode": mode, "coordinate_transformation_mode":
                  graph.choose(["half_pixel", "asymmetric", "pytorch_half_pixel", "align_corners"])}
    if mode == "nearest":
        attributes["nearest_mode"] = graph.choose(["floor", "round_prefer_floor", "ceil"])
    if graph.chance() and all(map(is_static, x.dims[:2])) and attributes["coordinate_transformation_mode"] != "align_corners":
        scales = [1, 1, graph.choose([2, 0.5, 1.5]), graph.choose([2, 3, 1])]
        dims = [tuple(int(np.floor(e * s)) for e in extent) for extent, s in zip(x.dims, scales)]
        operands = [x, None, graph.constant(np.array(scales, F32))]
    else:
        if not all(map(is_static, x.dims[:2])):
            raise Unsuitable
        sizes = [x.dims[0][0], x.dims[1][0], graph.integer(1, 12), graph.integer(1, 12)]
        dims = [graph.static(size) for size in sizes]
        operands = [x, None, None, graph.ints(*sizes)]
    if graph.opset < 13:
        empty = graph.constant(np.zeros(0, F32))
        operands = [operands[0], empty, operands[2] or empty, *operands[3:]]
    graph.node("Resize", operands, F32, dims, **attributes)


# Quantised.

@rule(2)
def quantize_pair(graph):
    """What is quantised must be exact: a step of the integers is large."""
    x = graph.pick((F32,), exact=True)
    kind = graph.choose([U8, I8])
    scale = graph.constant(F32(graph.choose([0.015625, 0.05, 0.01])))
    zero = graph.constant(kind(graph.choose([0, 3, 100]))) if graph.chance(0.8) else None
    if zero is None:
        kind = U8
    q = graph.node("QuantizeLinear", [x, scale, zero], kind, x.dims, True)
    if graph.chance(0.85):
        graph.node("DequantizeLinear", [q, scale, zero], F32, x.dims, True)


@rule(2, since=13)
def quantized_weight(graph):
    """A product with a weight that is dequantised by channel."""
    x = graph.pick((F32,), rank=(2, 3), wants=lambda v: is_static(v.dims[-1]))
    shared, columns = x.dims[-1], graph.static(graph.choose([1, 5, 8, 17]))
    axis = graph.integer(0, 1)
    kind = graph.choose([I8, U8])
    w = graph.source(kind, (shared, columns), -100, 100, constant=True)
    extent = (shared, columns)[axis]
    scale = graph.source(F32, (extent,), 0.005, 0.03, constant=True)
    zero = graph.source(kind, (extent,), 0, 9, constant=True) if graph.chance() else None
    w = graph.node("DequantizeLinear", [w, scale, zero], F32, w.dims, axis=axis)
    graph.node("MatMul", [x, w], F32, x.dims[:-1] + (columns,))


@rule(2)
def dynamic_quantize(graph):
    x = graph.pick((F32,), rank=(2, 3), exact=True, wants=lambda v: is_static(v.dims[-1]) and all(min(e) for e in v.dims))
    one = ()
    q, scale, zero = graph.node("DynamicQuantizeLinear", [x], [U8, F32, U8], [x.dims, one, one], True)
    columns = graph.choose([1, 5, 16, 19])
    w = graph.source(graph.choose([I8, U8]), (x.dims[-1], graph.static(columns)), -60, 60, constant=True)
    w_zero = graph.constant(w.dtype(graph.choose([0, 3]))) if graph.chance() else None
    dims = x.dims[:-1] + (graph.static(columns),)
    product = graph.node("MatMulInteger", [q, w, zero, w_zero], I32, dims, True)
    product = graph.node("Cast", [product], F32, dims, to=TensorProto.FLOAT)
    w_scale = graph.source(F32, graph.choose([(), (graph.static(columns),)]), 0.005, 0.02)
    scales = graph.node("Mul", [scale, w_scale], F32, w_scale.dims)
    graph.node("Mul", [product, scales], F32, dims)


@rule()
def matmul_nbits(graph):
    x = graph.pick((F32,), rank=(2, 3), wants=lambda v: is_static(v.dims[-1]) and v.dims[-1][0] > 0)
    k, n, block = x.dims[-1][0], graph.choose([1, 5, 8, 17]), graph.choose([16, 32])
    blocks = -(-k // block)
    w = graph.source(U8, tuple(map(graph.static, (n, blocks, block // 2))), 0, 255, constant=True)
    scales = graph.source(F32, tuple(map(graph.static, (n, blocks))), 0.01, 0.1, constant=True)
    operands = [x, w, scales]
    if graph.chance():
        operands.append(graph.source(U8, tuple(map(graph.static, (n, -(-blocks // 2)))), 0, 255,
                                     constant=True))
    graph.node("MatMulNBits", operands, F32, x.dims[:-1] + (graph.static(n),), domain=MS, K=k, N=n,
               bits=4, block_size=block)


# Recurrent.

@rule(2)
def recurrent(graph):
    x = graph.pick((F32,), rank=3, wants=lambda v: is_static(v.dims[-1]) and all(min(e) for e in v.dims))
    name = graph.choose(["LSTM", "GRU", "RNN"])
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[name]
    direction = graph.choose(["forward", "reverse", "bidirectional"])
    d, h, width = 1 + (direction == "bidirectional"), graph.choose([1, 3, 5, 8]), x.dims[-1][0]
    steps, batch = x.dims[0], x.dims[1]
    s = graph.static
    w = graph.source(F32, (s(d), s(gates * h), s(width)), -0.5, 0.5)
    r = graph.source(F32, (s(d), s(gates * h), s(h)), -0.5, 0.5)
    b = graph.source(F32, (s(d), s(2 * gates * h)), -0.5, 0.5) if graph.chance() else None
    h0 = graph.source(F32, (s(d), batch, s(h))) if graph.chance() else None
    operands = [x, w, r, b, None, h0]
    attributes = {"linear_before_reset": 1} if name == "GRU" and graph.chance() else {}
    outputs = [(steps, s(d), batch, s(h)), (s(d), batch, s(h))]
    if name == "LSTM":
        outputs.append((s(d), batch, s(h)))
        if graph.chance():
            operands.append(graph.source(F32, (s(d), batch, s(h))))
    graph.node(name, operands, [F32] * len(outputs), outputs, hidden_size=h, direction=direction,
               **attributes)


# Attention.

@rule(3)
def attention_by_hand(graph):
    """Scores, mask, softmax and values as separate nodes."""
    batch, seq, total = (graph.symbols[n] for n in ("batch", "seq", "seq"))
    heads, width = graph.static(graph.choose([1, 2, 3, 4])), graph.static(graph.choose([3, 4, 8]))
    q = graph.source(F32, (batch, heads, seq, width))
    k = graph.source(F32, (batch, heads, total, width))
    if graph.chance():
        past = graph.symbols["past"]
        old = graph.source(F32, (batch, heads, past, width))
        total = added(past, seq)
        k = graph.node("Concat", [old, k], F32, (batch, heads, total, width), axis=2)
    v = graph.source(F32, (batch, heads, total, width)) if graph.chance() else k
    k = graph.node("Transpose", [k], F32, (batch, heads, width, total), perm=[0, 1, 3, 2])
    scores = graph.node("MatMul", [q, k], F32, (batch, heads, seq, total))
    scores = graph.node(graph.choose(["Div", "Mul"]), [scores, graph.constant(F32(1.75))], F32, scores.dims)
    if min(total) == 0:
        raise Unsuitable
    if graph.chance():
        mask = graph.source(BOOL, (batch, graph.static(1), graph.static(1), total))
        mask = graph.node("Where", [mask, graph.constant(F32(0)), graph.constant(F32(-1e4))], F32, mask.dims)
        scores = graph.node("Add", [scores, mask], F32, scores.dims)
    weights = graph.node("Softmax", [scores], F32, scores.dims, axis=-1 if graph.opset >= 13 else 3)
    out = graph.node("MatMul", [weights, v], F32, (batch, heads, seq, width))
    out = graph.node("Transpose", [out], F32, (batch, seq, heads, width), perm=[0, 2, 1, 3])
    if min(*batch, *seq) > 0:
        graph.node("Reshape", [out, graph.ints(0, 0, -1)], F32, (batch, seq, times(heads, width)))


@rule(3, since=23)
def attention(graph):
    batch, seq, past = (graph.symbols[n] for n in ("batch", "seq", "past"))
    if min(*batch, *seq) == 0:
        raise Unsuitable
    kv = graph.choose([1, 2, 3])
    heads = kv * graph.choose([1, 2, 3])
    width = graph.choose([4, 8, 5])
    s = graph.static
    attributes, operands, total = {"is_causal": graph.integer(0, 1)}, [], seq
    flat = graph.chance()
    for count in (heads, kv, kv):
        dims = (batch, seq, s(count * width)) if flat else (batch, s(count), seq, s(width))
        operands.append(graph.source(F32, dims))
    if flat:
        attributes |= {"q_num_heads": heads, "kv_num_heads": kv}
    out = (batch, seq, s(heads * width)) if flat else (batch, s(heads), seq, s(width))
    carried = graph.chance(0.4)
    if carried:
        total = added(past, seq)
    mask = None
    if graph.chance(0.4):
        kind = graph.choose([BOOL, F32])
        mask = graph.source(kind, graph.choose([(seq, total), (batch, s(1), seq, total)]))
        if kind == BOOL:  # a row without a key is NaN here and 0 there
            mask = None
    if graph.chance(0.3):
        attributes["scale"] = 0.3
    if graph.chance(0.2):
        attributes["softcap"] = 2.0
    operands.append(mask)
    if carried:
        cache = (batch, s(kv), past, s(width))
        operands += [graph.source(F32, cache), graph.source(F32, cache)]
        present = (batch, s(kv), total, s(width))
        graph.node("Attention", operands, [F32] * 3, [out, present, present], **attributes)
    else:
        graph.node("Attention", operands, F32, out, **attributes)


@rule(2)
def group_query_attention(graph):
    """A prompt without a past: all lengths equal."""
    batch, seq = (graph.symbols[n] for n in ("batch", "seq"))
    if min(*batch, *seq) == 0 or graph.steps != 1 and not is_static(seq):
        raise Unsuitable
    kv = graph.choose([1, 2])
    heads, width, s = kv * graph.choose([1, 2]), graph.choose([8, 16]), graph.static
    operands = [graph.source(F32, (batch, seq, s(n * width)), constant=False) for n in (heads, kv, kv)]
    cache = (batch, s(kv), s(0), s(width))
    lengths = graph.source(I32, (batch,), seq[0] - 1, seq[0] - 1, constant=False)
    total = graph.constant(np.int32(seq[0]))
    present = (batch, s(kv), seq, s(width))
    graph.node("GroupQueryAttention",
               [*operands, graph.source(F32, cache, constant=False), graph.source(F32, cache, constant=False), lengths, total],
               [F32] * 3, [(batch, seq, s(heads * width)), present, present], domain=MS,
               num_heads=heads, kv_num_heads=kv)


@rule(2, since=23)
def rotary(graph):
    batch, seq = graph.symbols["batch"], graph.symbols["seq"]
    heads, width, s = graph.choose([1, 2, 3]), graph.choose([4, 8]), graph.static
    x = graph.source(F32, (batch, s(heads), seq, s(width)))
    table = (s(19), s(width // 2))
    operands = [x, graph.source(F32, table), graph.source(F32, table), graph.source(I64, (batch, seq), 0, 18)]
    graph.node("RotaryEmbedding", operands, F32, x.dims, interleaved=graph.integer(0, 1))


def build(graph, count):
    """Adds nodes until there are `count`."""
    usable = [(function, weight) for function, weight, since in RULES if graph.opset >= since]
    weights = np.array([weight for _, weight in usable], float)
    weights /= weights.sum()
    for _ in range(200):
        if graph.size() >= count:
            return
        function = usable[int(graph.random.choice(len(usable), p=weights))][0]
        mark = graph.checkpoint()
        try:
            function(graph)
        except Unsuitable:
            graph.roll_back(mark)
