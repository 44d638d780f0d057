"""Graphs in the QDQ form: float operators between DequantizeLinear and QuantizeLinear."""

import dataclasses

import ml_dtypes
import numpy as np

I8, U8, U16, I16 = np.int8, np.uint8, np.uint16, np.int16
I4, U4 = np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.uint4)
RANGES = {"uint8": (0, 256), "int8": (-128, 128), "uint16": (0, 65536), "int16": (-32768, 32768),
          "uint4": (0, 16), "int4": (-8, 8)}
# Second factors: onnxruntime saturates sums of two products without VNNI.
SMALL = {"uint8": (0, 128), "int8": (-64, 64), "uint4": (0, 16), "int4": (-8, 8)}


@dataclasses.dataclass
class Graph:
    """A graph being built; values are names."""
    name: str
    fused: str = ""  # what products must come to: "integer", "packed" weights
    runtime: bool = True  # whether onnxruntime's fusions are an oracle too
    tolerance: float = 2e-5  # of real outputs, relative to their largest
    nodes: list = dataclasses.field(default_factory=list)
    inputs: dict = dataclasses.field(default_factory=dict)
    constants: dict = dataclasses.field(default_factory=dict)
    outputs: list = dataclasses.field(default_factory=list)
    symbols: dict = dataclasses.field(default_factory=dict)  # input -> its dims that are symbols

    def __post_init__(self):
        self.random = np.random.RandomState(sum(map(ord, self.name)))

    def fresh(self, stem):
        return f"{self.name}_{stem}_{len(self.nodes) + len(self.inputs) + len(self.constants)}"

    def input(self, array, symbols=()):
        name = self.fresh("x")
        self.inputs[name] = np.asarray(array)
        self.symbols[name] = dict(symbols)
        return name

    def constant(self, array):
        name = self.fresh("c")
        self.constants[name] = np.asarray(array)
        return name

    def reals(self, *shape, low=-2, high=2):
        return (self.random.rand(*shape) * (high - low) + low).astype(np.float32)

    def numbers(self, kind, *shape, ranges=RANGES):
        low, high = ranges[str(np.dtype(kind))]
        return self.random.randint(low, high, shape).astype(kind)

    def node(self, op, *inputs, outputs=1, **attributes):
        names = [self.fresh(op.lower()) for _ in range(1)]
        names += [f"{names[0]}_{i}" for i in range(1, outputs)]
        inputs = [self.constant(value) if isinstance(value, (np.ndarray, np.generic)) else value
                  for value in inputs]
        self.nodes.append((op, list(inputs), names, attributes))
        return names[0] if outputs == 1 else names

    def quantize(self, x, scale, zero, kind=U8, **more):
        return self.node("QuantizeLinear", x, np.float32(scale), np.asarray(zero).astype(kind),
                         **more)

    def dequantize(self, x, scale, zero=None, kind=U8, **more):
        zeros = () if zero is None else (np.asarray(zero).astype(kind),)
        return self.node("DequantizeLinear", x, np.float32(scale), *zeros, **more)

    def pair(self, x, scale, zero, kind=U8):
        return self.dequantize(self.quantize(x, scale, zero, kind), scale, zero, kind)

    def activation(self, *shape, kind=U8, scale=.02, zero=None, symbols=()):
        """A quantised input, dequantised."""
        zero = (117 if np.dtype(kind).kind == "u" else -5) if zero is None else zero
        return self.dequantize(self.input(self.numbers(kind, *shape), symbols), scale, zero, kind)

    def weight(self, *shape, kind=I8, scale=.01, zero=0, **more):
        """A quantised constant, dequantised; `scale` may be a vector or of blocks."""
        return self.dequantize(self.constant(self.numbers(kind, *shape, ranges=SMALL)), scale,
                               np.full(np.shape(scale), zero), kind, **more)

    def scales(self, *shape):
        return self.reals(*shape, low=.004, high=.02)

    def output(self, *names):
        self.outputs += names
        return self


def products():
    """MatMul, Gemm: the kinds of factors, biases, and what follows."""
    graphs = []
    for kind in (U8, I8):
        for weight in (U8, I8, I4, U4):
            for per_axis in (False, True):
                zero = 0 if weight in (I8, I4) or per_axis else 7
                g = Graph(f"matmul_{np.dtype(kind)}_{np.dtype(weight)}_{per_axis}", "integer",
                          runtime=np.dtype(weight) in (I8, U8) and kind == U8)
                y = g.node("MatMul", g.activation(3, 5, 34, kind=kind),
                           g.weight(34, 23, kind=weight, zero=zero, axis=1,
                                    scale=g.scales(23) if per_axis else .01))
                graphs.append(g.output(g.quantize(y, .05, 100 if kind == U8 else 3, kind)))
    g = Graph("matmul_real", "integer")
    graphs.append(g.output(g.node("MatMul", g.activation(7, 33), g.weight(33, 40))))
    g = Graph("matmul_bias_relu", "integer", runtime=False)
    y = g.node("Add", g.node("MatMul", g.activation(7, 64), g.weight(64, 40)), g.reals(40))
    graphs.append(g.output(g.quantize(g.node("Relu", y), .05, 0)))
    g = Graph("matmul_activations", "integer", runtime=False)
    y = g.node("MatMul", g.activation(2, 3, 9, 16, symbols={2: "rows"}),
               g.activation(2, 3, 16, 11, kind=I8, zero=3, symbols={3: "keys"}))
    graphs.append(g.output(g.quantize(y, .1, 128)))
    g = Graph("matmul_symbols", "integer")
    y = g.node("MatMul", g.activation(6, 48, symbols={0: "rows"}), g.weight(48, 1000))
    graphs.append(g.output(g.quantize(y, .1, 128)))
    g = Graph("matmul_vector", "integer", runtime=False)
    graphs.append(g.output(g.node("MatMul", g.activation(48), g.weight(48, 17))))
    g = Graph("matmul_turned", "integer", runtime=False)
    w = g.node("Transpose", g.weight(23, 34, scale=g.scales(23), axis=0), perm=[1, 0])
    graphs.append(g.output(g.quantize(g.node("MatMul", g.activation(6, 34), w), .05, 100)))
    for form, more in (("plain", {}), ("turned", {"transB": 1}), ("scaled", {"alpha": .5}),
                       ("all", {"transA": 1, "transB": 1, "alpha": 2., "beta": .25})):
        for bias in ("", "i32", "f32"):
            g = Graph(f"gemm_{form}_{bias}", "integer",
                      runtime=form in ("plain", "turned") and bias != "f32")
            a = g.activation(*(34, 6) if "transA" in more else (6, 34))
            turned = "transB" in more
            scales = g.scales(19) if turned else .01
            w = g.weight(*(19, 34) if turned else (34, 19), scale=scales, axis=0)
            c = ()
            if bias == "i32":
                numbers = g.constant(g.random.randint(-5000, 5000, 19).astype(np.int32))
                c = (g.dequantize(numbers, np.float32(.02) * scales * np.ones(19), axis=0),)
            elif bias == "f32":
                c = (g.reals(19),)
            graphs.append(g.output(g.quantize(g.node("Gemm", a, w, *c, **more), .05, 100)))
    g = Graph("wide_activation", "packed", runtime=False)  # 16 bits stay real
    y = g.node("MatMul", g.activation(6, 34, kind=U16, scale=.0001, zero=30000), g.weight(34, 19))
    graphs.append(g.output(g.quantize(y, .0002, 30000, U16)))
    g = Graph("long_sum", "packed", runtime=False)  # (sums may not fit in 32 bits)
    a = g.activation(2, 40000, zero=0, scale=.001)
    graphs.append(g.output(g.node("MatMul", a, g.dequantize(
        g.constant(np.full((40000, 3), 255, U8)), .001))))
    return graphs


def weights():
    """Constant matrices of few bits with real activations."""
    graphs = []
    for kind in (I8, U8, I4, U4):
        name, zero = np.dtype(kind), 0 if kind in (I8, I4) else 7
        for form in ("whole", "columns", "blocks", "blocks_turned", "gemm", "gemm_turned"):
            for zeros in (zero, None) if form == "columns" else (zero,):
                g = Graph(f"weight_{name}_{form}_{zeros}", "packed", runtime=False)
                x = g.input(g.reals(3, 5, 64) if "gemm" not in form else g.reals(5, 64),
                            {1: "rows"} if form == "columns" else {})
                turned = form.endswith("turned")
                shape = (24, 64) if turned else (64, 24)
                scales, more = {"whole": (.01, {}), "columns": (g.scales(24), {"axis": 1}),
                                "blocks": (g.scales(4, 24), {"axis": 0, "block_size": 16}),
                                "blocks_turned": (g.scales(24, 4), {"axis": 1, "block_size": 16}),
                                "gemm": (g.scales(24), {"axis": 1}),
                                "gemm_turned": (g.scales(24), {"axis": 0})}[form]
                numbers = g.constant(g.numbers(kind, *shape))
                w = g.dequantize(numbers, scales, None if zeros is None else
                                 np.full(np.shape(scales), zeros), kind, **more)
                if "gemm" in form:
                    y = g.node("Gemm", x, w, g.reals(24), transB=int(turned))
                else:
                    y = g.node("MatMul", x, g.node("Transpose", w, perm=[1, 0]) if turned else w)
                graphs.append(g.output(y))
    g = Graph("weight_after_wide", "packed", runtime=False)
    graphs.append(g.output(g.node("MatMul", g.activation(4, 64, kind=U16, scale=.0001, zero=30000),
                                  g.weight(64, 24, kind=I4, scale=g.scales(4, 24), axis=0,
                                           block_size=16))))
    g = Graph("weight_odd", runtime=False)  # rows of 4 bits that share bytes
    graphs.append(g.output(g.node("MatMul", g.input(g.reals(4, 33)),
                                  g.weight(33, 24, kind=I4, scale=g.scales(24), axis=1))))
    return graphs


def convolutions():
    graphs = []

    def conv(name, shape, weight_shape, follow="", bias="i32", kind=U8, weight=I8, per_axis=True,
             zero=0, symbols=(), result=U8, **attributes):
        g = Graph(f"conv_{name}", "integer",
                  runtime=kind == U8 and weight in (I8, U8) and bias != "f32" and zero == 0)
        outputs = weight_shape[0]
        scales = g.scales(outputs) if per_axis else .01
        x = g.activation(*shape, kind=kind, symbols=symbols)
        w = g.weight(*weight_shape, kind=weight, scale=scales, zero=zero, axis=0)
        more = ()
        if bias == "i32":
            numbers = g.constant(g.random.randint(-9000, 9000, outputs).astype(np.int32))
            more = (g.dequantize(numbers, np.float32(.02) * scales * np.ones(outputs), axis=0),)
        elif bias == "f32":
            more = (g.reals(outputs),)
        y = g.node("Conv", x, w, *more, **attributes)
        if follow == "Relu":
            y = g.node("Relu", y)
        elif follow == "Clip":
            y = g.node("Clip", y, np.float32(0), np.float32(6))
        if result is None:
            graphs.append(g.output(y))
        else:
            graphs.append(g.output(g.quantize(y, .05, 0 if follow else 100, result)))

    pads = {"pads": [1, 1, 1, 1]}
    conv("plain", (1, 8, 9, 11), (24, 8, 3, 3))
    conv("padded", (2, 16, 9, 11), (32, 16, 3, 3), **pads)
    conv("relu", (1, 16, 9, 11), (32, 16, 3, 3), "Relu", **pads)
    conv("clip", (1, 16, 9, 11), (32, 16, 3, 3), "Clip", **pads)
    conv("real", (1, 16, 9, 11), (32, 16, 3, 3), result=None, bias="f32", **pads)
    conv("odd", (1, 3, 9, 11), (17, 3, 3, 3), strides=[2, 2], **pads)
    conv("first", (1, 3, 32, 32), (32, 3, 5, 5), strides=[2, 2], pads=[2, 2, 2, 2])
    conv("points", (1, 64, 7, 7), (48, 64, 1, 1), bias="")
    conv("depthwise", (1, 24, 9, 11), (24, 1, 3, 3), group=24, **pads)
    conv("depthwise_two", (1, 24, 9, 11), (48, 1, 3, 3), group=24, **pads)
    conv("groups", (1, 24, 9, 11), (36, 6, 3, 3), group=4, **pads)
    conv("dilated", (1, 8, 13, 11), (16, 8, 3, 3), dilations=[2, 2])
    conv("line", (1, 8, 40), (16, 8, 5), pads=[2, 2])
    conv("volume", (1, 4, 5, 6, 7), (8, 4, 2, 3, 2))
    conv("one", (1, 16, 6, 6), (1, 16, 3, 3))
    conv("signed", (1, 16, 9, 11), (32, 16, 3, 3), kind=I8, result=I8, **pads)
    conv("whole", (1, 16, 9, 11), (32, 16, 3, 3), weight=U8, per_axis=False, zero=100, **pads)
    conv("four_bits", (1, 16, 9, 11), (32, 16, 3, 3), weight=I4, **pads)
    conv("symbols", (2, 16, 9, 11), (32, 16, 3, 3), symbols={0: "n", 2: "h", 3: "w"}, **pads)
    conv("large", (1, 64, 14, 14), (64, 64, 3, 3), **pads)
    return graphs


def elementwise():
    graphs = []
    for kind, zero in ((U8, 117), (I8, -5), (U16, 30000)):
        scale = .02 if kind != U16 else .0001
        for op, more in (("Add", {}), ("Mul", {})):
            g = Graph(f"{op}_{np.dtype(kind)}")
            y = g.node(op, g.activation(3, 5, 7, kind=kind, scale=scale, zero=zero),
                       g.activation(5, 1, kind=kind, scale=scale * 2, zero=zero))
            graphs.append(g.output(g.quantize(y, scale * 3, zero, kind)))
        for op, more in (("Sigmoid", {}), ("LeakyRelu", {"alpha": .3}), ("Softmax", {"axis": 1}),
                         ("Gelu", {})):
            g = Graph(f"{op}_{np.dtype(kind)}", runtime=op not in ("Gelu", "Softmax"))
            y = g.node(op, g.activation(3, 5, 7, kind=kind, scale=scale, zero=zero), **more)
            graphs.append(g.output(g.quantize(y, scale / 4.7, zero, kind)))
    g = Graph("where")
    y = g.node("Where", g.input(g.random.rand(3, 1, 7) > .5), g.activation(3, 5, 7),
               g.activation(7, scale=.03))
    graphs.append(g.output(g.quantize(y, .03, 90)))
    g = Graph("normalisation")
    y = g.node("LayerNormalization", g.activation(3, 5, 16), g.reals(16), g.reals(16))
    graphs.append(g.output(g.quantize(y, .03, 128)))
    for op, more in (("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
                     ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1],
                                      "count_include_pad": 1, "strides": [2, 2]}),
                     ("GlobalAveragePool", {})):
        g = Graph(f"{op}_{len(more)}")
        graphs.append(g.output(g.quantize(g.node(op, g.activation(2, 8, 9, 11), **more), .021, 120)))
    return graphs


def movement():
    """Equal parameters on both sides are given back exactly."""
    graphs = []

    def move(name, op, *inputs, shape=(4, 6, 8), kind=U8, same=True, outputs=1, **attributes):
        g = Graph(f"move_{name}")
        zero = 117 if np.dtype(kind).kind == "u" else -5
        y = g.node(op, g.activation(*shape, kind=kind), *inputs, outputs=outputs, **attributes)
        for part in y if outputs > 1 else [y]:
            g.output(g.quantize(part, .02 if same else .03, zero, kind))
        graphs.append(g)

    ints = lambda *values: np.array(values, np.int64)
    for kind in (U8, I8, U16, I16):
        move(f"transpose_{np.dtype(kind)}", "Transpose", kind=kind, perm=[2, 0, 1])
    move("transpose_other", "Transpose", same=False, perm=[2, 0, 1])
    move("reshape", "Reshape", ints(0, -1))
    move("flatten", "Flatten", axis=2)
    move("squeeze", "Squeeze", ints(1), shape=(4, 1, 8))
    move("unsqueeze", "Unsqueeze", ints(1))
    move("slice", "Slice", ints(1, 2), ints(4, 7), ints(0, 2))
    move("gather", "Gather", ints(3, 1, 1), axis=1)
    move("split", "Split", ints(2, 4), outputs=2, axis=1)
    move("expand", "Expand", ints(4, 6, 8), shape=(4, 1, 8))
    move("tile", "Tile", ints(1, 2, 1))
    move("pad", "Pad", ints(0, 1, 2, 0, 0, 1))
    move("pad_edge", "Pad", ints(0, 1, 2, 0, 0, 1), mode="edge")
    move("pad_value", "Pad", ints(0, 1, 2, 0, 0, 1), np.float32(.5))
    move("depth", "SpaceToDepth", shape=(1, 3, 6, 8), blocksize=2)
    move("pool", "MaxPool", shape=(1, 3, 9, 11), kernel_shape=[3, 3], strides=[2, 2],
         pads=[1, 1, 1, 1])
    move("pool_signed", "MaxPool", shape=(1, 3, 9, 11), kind=I8, kernel_shape=[2, 2])
    for name, scale in (("same", .02), ("other", .05)):
        g = Graph(f"concat_{name}")
        y = g.node("Concat", g.activation(3, 4), g.activation(3, 2, scale=scale), axis=1)
        graphs.append(g.output(g.quantize(y, .02, 117)))
    g = Graph("rise")  # quantised behind a movement of what is computed
    y = g.node("Sigmoid", g.input(g.reals(3, 4, 6)))
    y = g.node("Concat", g.node("Transpose", y, perm=[0, 2, 1]), g.input(g.reals(3, 6, 2)), axis=2)
    graphs.append(g.output(g.quantize(g.node("Reshape", y, ints(3, 36)), .01, 3)))
    g = Graph("table")
    rows = g.weight(50, 24, kind=I8, scale=.01)
    graphs.append(g.output(g.node("Gather", rows, g.input(ints(7, 49, 7)))))
    return graphs


def chains():
    """Several groups in a row."""
    graphs = []
    g = Graph("mlp", "integer", runtime=False)
    x = g.pair(g.input(g.reals(6, 32), {0: "rows"}), .02, 120)
    y = g.node("Add", g.node("MatMul", x, g.weight(32, 64, scale=g.scales(64), axis=1)), g.reals(64))
    y = g.pair(g.node("Relu", g.pair(y, .04, 128)), .02, 0)
    y = g.node("Add", g.node("MatMul", y, g.weight(64, 32, scale=g.scales(32), axis=1)), g.reals(32))
    y = g.node("Add", g.pair(y, .1, 128), x)
    graphs.append(g.output(g.quantize(y, .1, 128)))
    g = Graph("residual", "integer", runtime=False)
    x = g.pair(g.input(g.reals(1, 3, 16, 16)), .02, 128)
    y = g.node("Conv", x, g.weight(16, 3, 3, 3, scale=g.scales(16), axis=0), g.reals(16),
               pads=[1, 1, 1, 1])
    first = g.pair(g.node("Relu", y), .02, 0)
    y = g.node("Conv", first, g.weight(16, 16, 3, 3, scale=g.scales(16), axis=0), g.reals(16),
               pads=[1, 1, 1, 1])
    y = g.node("Relu", g.node("Add", g.pair(y, .05, 120), first))
    y = g.pair(g.node("MaxPool", g.pair(y, .04, 0), kernel_shape=[2, 2], strides=[2, 2]), .04, 0)
    y = g.pair(g.node("GlobalAveragePool", y), .03, 0)
    y = g.pair(g.node("Flatten", y), .03, 0)
    y = g.node("Gemm", y, g.weight(10, 16, scale=.01), g.reals(10), transB=1)
    graphs.append(g.output(g.dequantize(g.quantize(y, .01, 128), .01, 128)))
    return graphs
