"""Random ONNX graphs: values with their extents, inputs with their data.

An extent is a tuple: what it is in each step. Equal tuples are equal extents, so
shape arithmetic is arithmetic on tuples, and no symbols are needed to build a graph.
"""

import dataclasses

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOATS = (np.float32, np.float16)
INTEGERS = (np.int64, np.int32, np.int8, np.uint8)


class Unsuitable(Exception):
    """An operator finds no operands in this graph."""


@dataclasses.dataclass(frozen=True)
class Value:
    name: str
    dtype: type
    dims: tuple  # of extents
    # Whether every implementation has the same bits here: a step function (a
    # comparison, a rounding, a sort) of anything else may differ by right.
    exact: bool = False
    low: float = -2  # bounds of the elements, where they are of use (indices)
    high: float = 2

    @property
    def rank(self):
        return len(self.dims)

    def is_float(self):
        return self.dtype in FLOATS


def is_static(extent):
    return len(set(extent)) == 1


def most(dims):
    """The most elements that a value of these dims has in a step."""
    return max((int(np.prod(shape)) for shape in zip(*dims)), default=1)


def broadcast(*shapes):
    """The extents of the broadcast shape; Unsuitable if some step has none."""
    rank = max(map(len, shapes))
    result = []
    for axis in range(rank):
        extents = [shape[axis - rank + len(shape)] for shape in shapes
                   if axis - rank + len(shape) >= 0]
        column = []
        for values in zip(*extents):
            wide = set(values) - {1}
            if len(wide) > 1:
                raise Unsuitable
            column.append(wide.pop() if wide else 1)
        result.append(tuple(column))
    return tuple(result)


class Graph:
    """A graph under construction."""

    def __init__(self, seed, newest):
        self.random = np.random.default_rng(seed)
        self.opset = int(self.choose([11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
                                      *[23] * 6, *[newest] * 4]))
        self.steps = int(self.choose([1, 2, 3]))
        self.symbols = {}
        for name, choices in (("batch", [1, 1, 2, 3, 0]), ("seq", [1, 5, 7, 17, 1, 0]),
                              ("past", [0, 3, 8]), ("n", [1, 2, 13, 33])):
            self.symbols[name] = tuple(int(self.choose(choices)) for _ in range(self.steps))
        self.nodes, self.inputs, self.initializers, self.values = [], [], [], []
        self.feeds = [{} for _ in range(self.steps)]
        self.domains = set()
        self.count = 0

    # Choices.

    def choose(self, items):
        return items[int(self.random.integers(len(items)))]

    def chance(self, probability=0.5):
        return bool(self.random.random() < probability)

    def integer(self, low, high):
        """In [low, high]."""
        return int(self.random.integers(low, high + 1))

    def axis(self, value):
        """A number of an axis and the text for it: it may be negative."""
        if not value.rank:
            raise Unsuitable
        axis = self.integer(0, value.rank - 1)
        return axis, axis - value.rank if self.chance() else axis

    # Extents.

    def static(self, extent):
        return (extent,) * self.steps

    def extent(self):
        if self.chance(0.45):
            return self.symbols[self.choose(list(self.symbols))]
        return self.static(self.choose([1, 1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 33]))

    def dims(self, rank=None):
        rank = self.choose([0, 1, 2, 2, 3, 3, 3, 4, 4]) if rank is None else rank
        while True:
            dims = tuple(self.extent() for _ in range(rank))
            if most(dims) <= 4000:
                return dims

    # Values.

    def new_name(self, prefix):
        self.count += 1
        return f"{prefix}{self.count}"

    def array(self, dtype, shape, low, high):
        if dtype == np.bool_:
            return np.asarray(self.random.random(shape) < 0.6)
        if dtype in INTEGERS:
            info = np.iinfo(dtype)
            return self.random.integers(max(low, info.min), min(high, info.max) + 1,
                                        shape).astype(dtype)
        return np.asarray(self.random.uniform(low, high, shape)).astype(dtype)

    def source(self, dtype, dims, low=-2, high=2, constant=None, special=False,
               named=True):
        """A new input, or an initializer where all extents are static."""
        static = all(map(is_static, dims))
        if constant is None:
            constant = static and self.chance(0.5)
        if constant and not static:
            raise Unsuitable
        shapes = list(zip(*dims)) if dims else [()] * self.steps
        if constant:
            array = self.array(dtype, shapes[0], low, high)
            return self.constant(array, low, high)
        name = self.new_name("x")
        for feed, shape in zip(self.feeds, shapes):
            feed[name] = self.array(dtype, shape, low, high)
            if special and feed[name].size and self.chance(0.5):
                place = self.integer(0, feed[name].size - 1)
                feed[name].reshape(-1)[place] = self.choose([np.nan, np.inf, -np.inf, -0.0])
        self.inputs.append(helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), self.describe(dims, named)))
        return Value(name, dtype, dims, True, low, high)

    def describe(self, dims, named=True):
        """The extents as a model states them: numbers and symbols. What varies without
        a symbol has a name of its own; what is static has one only if `named`."""
        shape = []
        total = self.symbols["past"], self.symbols["seq"]
        for extent in dims:
            names = [name for name, values in self.symbols.items() if values == extent]
            if is_static(extent) and not (names and named and self.chance(0.8)):
                shape.append(extent[0])
            elif names:
                shape.append(names[0])
            elif extent == tuple(map(sum, zip(*total))):
                shape.append("past + seq")
            else:
                shape.append("d" + "_".join(map(str, extent)))
        return shape

    def constant(self, array, low=-2, high=2):
        """An initializer, or a node of type Constant."""
        array = np.asarray(array)
        name = self.new_name("w")
        tensor = numpy_helper.from_array(array, name)
        if self.chance(0.7):
            self.initializers.append(tensor)
        else:
            self.nodes.append(helper.make_node("Constant", [], [name], name=f"Constant_{name}",
                                               value=tensor))
        return Value(name, array.dtype.type, tuple(self.static(d) for d in array.shape), True,
                     low, high)

    def ints(self, *numbers):
        return self.constant(np.array(numbers, np.int64))

    def pick(self, dtypes=(np.float32,), rank=None, exact=False, wants=None):
        """A value of the graph that fits, or a new source."""
        ranks = range(9) if rank is None else (rank,) if isinstance(rank, int) else rank
        fitting = [value for value in self.values
                   if value.dtype in dtypes and value.rank in ranks
                   and (value.exact or not exact) and (wants is None or wants(value))]
        if fitting and self.chance(0.85):
            # Late values more often: chains, not bushes.
            return fitting[-1 - int(len(fitting) * self.random.random() ** 2)]
        for _ in range(20):
            rank = self.choose([r for r in ranks if r <= 4] or [ranks[0]])
            value = self.source(self.choose(list(dtypes)), self.dims(rank))
            if wants is None or wants(value):
                return value
        raise Unsuitable

    def node(self, operator, inputs, dtype, dims, exact=False, outputs=1, domain="", low=-2,
             high=2, **attributes):
        """Adds a node. `dtype` and `dims` are of one output, or lists for each."""
        several = isinstance(dtype, list)
        dtypes, shapes = (dtype, dims) if several else ([dtype], [dims])
        if any(most(shape) > 20000 or any(min(e) < 0 for e in shape) for shape in shapes):
            raise Unsuitable
        names = [self.new_name("v") for _ in dtypes]
        words = [value.name if value else "" for value in inputs]
        while words and not words[-1]:
            words.pop()
        self.nodes.append(helper.make_node(operator, words, names, name=f"{operator}_{names[0]}",
                                           domain=domain, **attributes))
        if domain:
            self.domains.add(domain)
        results = [Value(name, kind, tuple(shape), exact, low, high)
                   for name, kind, shape in zip(names, dtypes, shapes)]
        self.values += results
        return results if several else results[0]

    # The model.

    def size(self):
        return sum(node.op_type != "Constant" for node in self.nodes)

    def checkpoint(self):
        return (len(self.nodes), len(self.inputs), len(self.initializers), len(self.values))

    def roll_back(self, mark):
        nodes, inputs, initializers, values = mark
        del self.nodes[nodes:], self.initializers[initializers:], self.values[values:]
        for info in self.inputs[inputs:]:
            for feed in self.feeds:
                feed.pop(info.name, None)
        del self.inputs[inputs:]

    def model(self):
        """The model; its outputs are what nothing reads, and a few more."""
        read = {name for node in self.nodes for name in node.input}
        outputs = [value for value in self.values if value.name not in read or self.chance(0.1)]
        infos = []
        for value in outputs:
            shape = None if self.chance(0.5) else self.describe(value.dims)
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
            infos.append(helper.make_tensor_value_info(value.name, kind, shape))
        graph = helper.make_graph(self.nodes, "random", self.inputs, infos, self.initializers)
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(domain, 1) for domain in sorted(self.domains)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)
