"""Cases of single operators, by family. Inputs are random from fixed seeds.

In the dynamic form equal extents are one symbol, so extents that mean
different things are different numbers.
"""

import dataclasses
from fractions import Fraction
import math
import typing

import numpy as np

random = np.random.RandomState(7)


@dataclasses.dataclass
class Case:
    op: str
    inputs: list
    attributes: dict = dataclasses.field(default_factory=dict)
    outputs: tuple = (0,)  # numbers of the outputs that are asked for
    constants: tuple = ()  # numbers of the inputs that are constants of the model
    static: tuple = ()  # extents that stay static in the dynamic form
    dynamic: bool = True  # whether there is a dynamic form
    ones: bool = False  # whether an extent of 1 is a symbol there too
    domain: str = ""
    rtol: float = 1e-4
    atol: float = 1e-5
    integer_tolerance: int = 0
    float_outputs: bool = False  # outputs are float32, which ONNX Runtime does not infer
    widened: bool = False  # what is expected of f16 and bf16 is computed in float32
    loose: bool = False  # where NaN is expected anything is right
    expected: typing.Callable = None  # gives the outputs, where ONNX Runtime cannot

    def __post_init__(self):
        self.inputs = [None if array is None else np.asarray(array) for array in self.inputs]


def reals(*shape, low=-2, high=2, dtype=np.float32):
    return (random.rand(*shape) * (high - low) + low).astype(dtype)


def integers(low, high, *shape, dtype=np.int64):
    return random.randint(low, high, size=shape).astype(dtype)


def ints(*values):
    return np.array(values, np.int64)


def unary():
    names = ("Sigmoid Tanh Erf Exp Neg Abs Floor Ceil Round Sin Cos Tan Asin Acos Atan Sinh Cosh "
             "Asinh Atanh Softplus Softsign Mish HardSwish Sign Reciprocal Relu Elu Celu Selu "
             "LeakyRelu HardSigmoid ThresholdedRelu Gelu IsNaN").split()
    cases = [Case(name, [reals(3, 5, low=-.9, high=.9)]) for name in names]
    cases += [Case(name, [reals(3, 5, low=1.1, high=3)]) for name in ("Sqrt", "Log", "Acosh")]
    cases.append(Case("Gelu", [reals(3, 17)], {"approximate": "tanh"}))
    extreme = np.array([-100, 100, -1e30, 1e30, 0, np.inf, -np.inf, np.nan], np.float32)
    cases += [Case(name, [extreme]) for name in ("Sigmoid", "Tanh", "Relu", "IsInf", "IsNaN", "Exp")]
    cases.append(Case("Sign", [extreme]))
    small = np.array([0, -1, np.inf, np.nan, 1e-40, 1e-45, 1.2e-38, 1, .7, 1.5, 3e38], np.float32)
    cases.append(Case("Log", [small]))
    cases += [Case(name, [integers(-5, 5, 3, 5)]) for name in ("Abs", "Neg", "Sign")]
    return cases


def binary():
    cases = [Case(name, [reals(3, 5, low=.5), reals(*shape, low=.5)])
             for name in ("Add", "Sub", "Mul", "Div", "Pow")
             for shape in ((3, 5), (5,), (3, 1))]
    cases += [Case(name, [integers(0, 4, 3, 5), integers(0, 4, 5)])
              for name in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")]
    cases += [Case(name, [random.rand(3, 5) > .5, random.rand(5) > .5]) for name in ("And", "Or", "Xor")]
    wide = [integers(0, 255, 30, dtype=np.uint64) * np.uint64(2**56) for _ in range(2)]
    cases += [
        Case("Greater", wide),
        Case("Where", [random.rand(3, 1) > .5, reals(3, 5), reals(5)]),
        Case("Clip", [reals(3, 5), np.float32(-.5), np.float32(.5)]),
        Case("Max", [reals(3, 5), reals(5), reals(3, 1)]),
        Case("Mean", [reals(3, 5), reals(5), reals(3, 1)]),
        Case("Div", [integers(-9, 9, 3, 5), integers(-5, 5, 3, 5) | 1]),
        Case("Mod", [integers(-9, 9, 3, 5), integers(-5, 5, 3, 5) | 1]),
        Case("Mod", [reals(3, 5), reals(5, low=.3)], {"fmod": 1}),
        Case("PRelu", [reals(3, 5), reals(5)]),
    ]
    return cases


def movement():
    far = 2**62
    return [
        Case("Transpose", [reals(3, 5, 7)], {"perm": [2, 0, 1]}),
        Case("Concat", [reals(3, 5), reals(3, 2), reals(3, 7)], {"axis": 1}),
        Case("Slice", [reals(9, 11), ints(1, 2), ints(8, 10), ints(0, 1), ints(1, 3)],
             constants=(1, 2, 3, 4), dynamic=False),
        Case("Slice", [reals(9, 11), ints(-3), ints(far), ints(-1)], constants=(1, 2, 3)),
        Case("Slice", [reals(9, 11), ints(-1, 100), ints(-far, -100), ints(0, 1), ints(-1, -2)],
             constants=(1, 2, 3, 4), dynamic=False),
        # Backwards, and through nothing.
        *[Case("Slice", [reals(extent, 11), ints(start), ints(end), ints(0), ints(step)],
               constants=(1, 2, 3, 4))
          for extent in (0, 7) for start, end, step in ((-1, -far, -1), (-3, 7, -2), (-1, 0, -3))],
        Case("Split", [reals(3, 12), ints(2, 3, 7)], {"axis": 1}, (0, 1, 2), (1,), (12,)),
        Case("Expand", [reals(3, 1), ints(2, 1, 5)], constants=(1,)),
        Case("Tile", [reals(3, 5), ints(2, 3)], constants=(1,)),
        Case("Tile", [reals(3, 5), ints(1, 2)], constants=(1,)),
        Case("Pad", [reals(5, 7), ints(1, 2, 3, 1), np.float32(1.5)], constants=(1,)),
        *[Case("Pad", [reals(5, 7), ints(1, 2, 3, 1)], {"mode": mode}, constants=(1,))
          for mode in ("reflect", "edge", "wrap")],
        Case("Gather", [reals(5, 7, 3), integers(-5, 5, 2, 4)], {"axis": 0}),
        Case("Gather", [reals(5, 7), integers(-7, 7, 3)], {"axis": 1}),
        Case("GatherElements", [reals(5, 7), integers(-5, 5, 3, 7)], {"axis": 0}),
        Case("GatherND", [reals(5, 7, 3), integers(0, 5, 4, 2)], static=(2,)),
        Case("OneHot", [integers(-5, 5, 3, 2), np.int64(5), reals(2)], {"axis": 1}, constants=(1,),
             static=(2,)),
        Case("Trilu", [reals(5, 7), np.int64(1)], {"upper": 1}, constants=(1,)),
        Case("DepthToSpace", [reals(2, 8, 3, 5)], {"blocksize": 2}, static=(8, 2)),
        Case("CumSum", [reals(3, 5, 7), np.int64(1)], {"exclusive": 1, "reverse": 1}, constants=(1,)),
    ]


def convolution():
    """Constant weights, so that they are packed; odd extents; no case needs more than a few tiles."""
    def conv(x, w, bias=True, dynamic=True, **attributes):
        inputs = [reals(*x), reals(*w)] + ([reals(w[0])] if bias else [])
        return Case("Conv", inputs, attributes, constants=(1, 2), static=(x[1],), dynamic=dynamic)

    cases = [
        # Output channels around a vector and a panel of 8 and 16 lanes.
        *(conv((1, 3, 7, 9), (channels, 3, 3, 3), pads=[1, 1, 1, 1], dynamic=channels in (5, 31))
          for channels in (1, 5, 8, 12, 16, 17, 31, 32, 40)),
        conv((2, 6, 11, 13), (24, 6, 3, 2), pads=[1, 0, 2, 1], strides=[2, 1], dilations=[1, 2]),
        conv((2, 5, 14, 10), (9, 5, 1, 1), bias=False),
        conv((1, 33, 9, 11), (1, 33, 3, 5), pads=[1, 2, 1, 2]),
        conv((1, 40, 6, 7), (12, 40, 3, 3), pads=[1, 1, 1, 1], dynamic=False),
        conv((1, 5, 14, 10), (33, 5, 1, 1), strides=[2, 3]),
        conv((1, 4, 23, 21), (16, 4, 5, 5), pads=[8, 8, 8, 8], dilations=[4, 4]),
        conv((1, 3, 12, 15), (20, 3, 7, 7), pads=[3, 3, 3, 3], strides=[2, 2], dynamic=False),
        conv((2, 3, 12, 15), (18, 3, 4, 4), auto_pad="SAME_UPPER", strides=[3, 2]),
        conv((2, 3, 12, 15), (18, 3, 4, 4), auto_pad="SAME_LOWER", strides=[3, 2]),
        conv((2, 3, 12, 15), (18, 3, 4, 4), auto_pad="VALID", dynamic=False),
        # Depthwise, with tails of channels; then groups of several channels.
        *(conv((2, channels, 9, 14), (channels, 1, 3, 3), group=channels, pads=[1, 1, 1, 1],
               dynamic=channels == 20)
          for channels in (4, 16, 20, 35)),
        conv((1, 20, 15, 16), (20, 1, 5, 3), group=20, pads=[2, 0, 1, 3], strides=[2, 3]),
        conv((1, 12, 15, 16), (24, 1, 3, 3), group=12, dilations=[2, 1]),
        conv((2, 12, 9, 7), (20, 3, 3, 3), group=4, pads=[0, 1, 1, 0]),
        # One and three spatial dims.
        conv((2, 7, 19), (18, 7, 3), pads=[2, 0]),
        conv((2, 7, 19), (33, 7, 4), strides=[3], dilations=[2], bias=False),
        conv((2, 9, 19), (9, 1, 3), group=9),
        conv((1, 3, 5, 6, 7), (10, 3, 2, 3, 2), pads=[0, 1, 1, 1, 0, 0]),
    ]
    # Weights that are not known at compile time are read as they are.
    for case in cases[1:2] + cases[9:10] + [conv((2, 8, 9, 14), (8, 1, 3, 3), group=8)]:
        cases.append(dataclasses.replace(case, constants=(), dynamic=False))
    return cases


def max_roi_pool(case):
    """The largest element of each part of each region, by slices."""
    x, regions = case.inputs
    pooled, scale = case.attributes["pooled_shape"], case.attributes["spatial_scale"]
    result = np.zeros((len(regions), x.shape[1], *pooled), x.dtype)
    for number, (image, *corners) in enumerate(regions):
        left, top, right, bottom = (int(np.floor(corner * scale + .5)) for corner in corners)
        size = [Fraction(max(last - first + 1, 1), count)
                for first, last, count in zip((top, left), (bottom, right), pooled)]
        for place in np.ndindex(*pooled):
            ends = [(max(start + math.floor(i * part), 0), max(start + math.ceil((i + 1) * part), 0))
                    for start, i, part in zip((top, left), place, size)]
            part = x[int(image), :, slice(*ends[0]), slice(*ends[1])]
            if part.size:
                result[(number, slice(None), *place)] = part.max((1, 2))
    return [result]


def contraction():
    cases = [Case("MatMul", [reals(*a), reals(*b)])
             for a, b in (((3, 5), (5, 7)), ((2, 3, 5), (5, 7)), ((1, 4, 3, 5), (2, 1, 5, 7)),
                          ((5,), (2, 5, 7)), ((2, 3, 5), (5,)), ((64, 33), (33, 65)))]
    cases += [
        Case("Gemm", [reals(5, 3), reals(7, 5), reals(7)],
             {"transA": 1, "transB": 1, "alpha": .5, "beta": 2.}),
        Case("Gemm", [reals(5, 3), reals(3, 7), reals(1, 7)], ones=True),
        Case("Conv", [reals(2, 6, 11, 13), reals(8, 6, 3, 3), reals(8)], {"pads": [1, 1, 1, 1]},
             static=(6, 8, 3)),
        Case("Conv", [reals(2, 6, 11, 13), reals(8, 3, 3, 2)],
             {"group": 2, "strides": [2, 1], "dilations": [1, 2], "pads": [1, 0, 2, 1]},
             static=(6, 8, 3, 2)),
        Case("Conv", [reals(2, 6, 11), reals(6, 1, 3), reals(6)],
             {"group": 6, "auto_pad": "SAME_LOWER", "strides": [2]}, static=(6, 3)),
        Case("ConvTranspose", [reals(2, 3, 5, 7), reals(3, 4, 3, 3), reals(4)],
             {"strides": [2, 2], "pads": [1, 1, 1, 0], "output_padding": [1, 0]}, static=(3, 4)),
        Case("MaxPool", [reals(2, 3, 11, 13)],
             {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}, (0, 1)),
        Case("AveragePool", [reals(2, 3, 11, 13)],
             {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}),
        Case("GlobalAveragePool", [reals(2, 3, 5, 7)]),
        Case("MaxRoiPool", [reals(2, 3, 8, 9), np.array(
            [[0, 0, 0, 7, 7], [1, 2.4, 1.6, 6, 5], [1, -3, -2, 3, 12], [0, 20, 20, 30, 30],
             [0, 4, 4, 2, 2]], np.float32)], {"pooled_shape": [3, 2], "spatial_scale": .8},
             static=(5, 3), expected=max_roi_pool),
        # 25 * (7 / 25) is more than 7 in floating point.
        Case("MaxRoiPool", [reals(1, 2, 9, 9), np.array([[0, 1, 1, 7, 7]], np.float32)],
             {"pooled_shape": [25, 25], "spatial_scale": 1.}, expected=max_roi_pool),
        *[Case("GlobalLpPool", [reals(2, 3, 5, 7)], {"p": p}, expected=lambda case: [
            (np.abs(case.inputs[0]) ** case.attributes["p"]).sum((2, 3), keepdims=True) **
            np.float32(1 / case.attributes["p"])]) for p in (1, 2, 3)],
    ]
    half = np.float16
    cases += [
        # Products of f16 are summed in f32 here, in f16 there.
        Case("MatMul", [reals(7, 9, dtype=half), reals(9, 19, dtype=half)], rtol=1e-2, atol=1e-2),
    ]
    return cases


def quantized():
    """Products of integers are exact: no tolerance.

    Signed weights are small, for onnxruntime saturates sums of two products on
    processors without VNNI; the unit tests have the whole range.
    """
    def bytes_(*shape, kind=np.uint8):
        low, high = (0, 256) if kind == np.uint8 else (-64, 64)
        return random.randint(low, high, size=shape).astype(kind)

    cases = []
    for m, k, n in ((1, 1, 1), (5, 33, 19), (16, 64, 48), (1, 130, 32)):
        a, zero = bytes_(m, k), np.uint8(117)
        for b in (bytes_(k, n, kind=np.int8), bytes_(k, n)):
            cases += [
                Case("MatMulInteger", [a, b, zero], constants=(1,), static=(k, n)),
                Case("MatMulInteger", [a, b]),
                Case("MatMulInteger", [a, b, zero, b.dtype.type(3)], constants=(1, 3), static=(k, n)),
            ]
            if n > 1:
                cases.append(Case("MatMulInteger",
                                  [a, b, zero, integers(-9, 10, n).astype(b.dtype)],
                                  constants=(1, 3), static=(k, n)))
        for shift in (0, 5):
            cases.append(Case("DynamicQuantizeMatMul",
                              [reals(m, k), bytes_(k, n, kind=np.int8), np.float32(.02),
                               np.int8(shift), reals(n)], constants=(1, 2, 3, 4), static=(k, n),
                              domain="com.microsoft"))
    for m, k, n, block, bits in ((1, 64, 19, 16, 4), (7, 40, 33, 16, 4), (9, 64, 16, 32, 8)):
        blocks, per_byte = -(-k // block), 8 // bits
        weights = bytes_(n, blocks, block // per_byte)
        zeros = bytes_(n, -(-blocks // per_byte))
        attributes = {"K": k, "N": n, "bits": bits, "block_size": block}
        for extra in ([], [zeros]):
            cases.append(Case("MatMulNBits", [reals(m, k), weights, reals(n, blocks), *extra],
                              attributes, constants=(1, 2, 3), static=(k,),
                              domain="com.microsoft", atol=1e-3))
    return cases


def recurrent():
    steps, batch, width, hidden = 5, 3, 10, 12
    cases = []
    for direction, count in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
        attributes = {"direction": direction, "hidden_size": hidden}
        x, lengths = reals(steps, batch, width), np.int32([5, 2, 4])

        def inputs(gates, lengths=None):
            return [x, reals(count, gates * hidden, width, low=-.4, high=.4),
                    reals(count, gates * hidden, hidden, low=-.4, high=.4),
                    reals(count, 2 * gates * hidden), lengths, reals(count, batch, hidden)]

        def case(name, given, outputs, constants=(1, 2, 3), **more):
            return Case(name, given, attributes | more, outputs, constants,
                        (width, hidden, count), atol=1e-5)

        for given in (None, lengths):
            cases += [
                case("RNN", inputs(1, given), (0, 1)),
                case("GRU", inputs(3, given), (0, 1)),
                case("GRU", inputs(3, given), (0, 1), linear_before_reset=1),
                case("LSTM", [*inputs(4, given), reals(count, batch, hidden)], (0, 1, 2)),
                case("LSTM", [*inputs(4, given), reals(count, batch, hidden),
                              reals(count, 3 * hidden)], (0, 1, 2), constants=(), clip=.8),
            ]
        # (the state is rounded to 8 bits in every step)
        for kind, zeros in ((np.int8, [0] * count), (np.int8, [3] * count), (np.uint8, [128] * count)):
            low, high = (0, 256) if kind == np.uint8 else (-64, 64)
            def numbers(rows):
                return integers(low, high, count, rows, 4 * hidden, dtype=kind)
            scale, zero = np.float32([.004] * count), np.array(zeros, kind)
            cases.append(Case(
                "DynamicQuantizeLSTM",
                [x, numbers(width), numbers(hidden), reals(count, 8 * hidden), None,
                 reals(count, batch, hidden, low=-1, high=1), reals(count, batch, hidden), None,
                 scale, zero, scale, zero], attributes, (0, 1, 2), (1, 2, 3, 8, 9, 10, 11),
                (width, hidden, count, batch), domain="com.microsoft"))
    return cases


def rows():
    cases = [Case(name, [reals(3, 5, 7, low=.5), ints(axis)], {"keepdims": keep}, constants=(1,))
             for name in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd",
                          "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum",
                          "ReduceLogSumExp")
             for axis, keep in ((1, 1), (-1, 0))]
    cases += [
        # Reductions of single elements start from their initial value too.
        Case("ReduceMax", [reals(7, 1, 2), ints(1)], {"keepdims": 0}, constants=(1,)),
        Case("ArgMax", [integers(0, 4, 3, 5, 7, dtype=np.int32)], {"axis": 1}),
        Case("TopK", [integers(0, 5, 3, 9), ints(9)], {"largest": 0}, (0, 1), (1,)),
        Case("TopK", [reals(3, 11, 5), ints(4)], {"axis": 1}, (0, 1), (1,)),
        *[Case("TopK", [np.float32([1, 2, 0, np.nan, -3, 2.5, .5, 3e38, 1e-40, np.inf]), ints(4)],
               {"largest": largest}, (0, 1), (1,)) for largest in (0, 1)],
        Case("Softmax", [reals(3, 5, 7)], {"axis": -1}),
        Case("Softmax", [reals(3, 5, 7)], {"axis": 1}),
        Case("LogSoftmax", [reals(3, 5)], {"axis": -1}),
        Case("LayerNormalization", [reals(3, 5, 16), reals(16), reals(16)], {"epsilon": 1e-5}),
        Case("InstanceNormalization", [reals(2, 3, 5, 7), reals(3), reals(3)]),
        Case("LpNormalization", [reals(2, 3, 5)], {"axis": 1, "p": 2}),
        Case("SkipLayerNormalization", [reals(2, 3, 16), reals(2, 3, 16), reals(16), reals(16)],
             {"epsilon": 1e-5}, (0, 3), domain="com.microsoft"),
    ]
    return cases


def attention():
    flat = [reals(2, 5, 32), reals(2, 5, 16), reals(2, 5, 16)]
    past = [reals(2, 2, 3, 8), reals(2, 2, 3, 8)]
    heads = {"q_num_heads": 4, "kv_num_heads": 2}
    return [
        Case("Attention", [reals(2, 4, 5, 8), reals(2, 4, 7, 8), reals(2, 4, 7, 3)], static=(8, 4)),
        Case("Attention", [*flat], {"is_causal": 1, "scale": .3, **heads}, static=(32, 16)),
        Case("Attention", [*flat, reals(5, 8), *past], {**heads}, (0, 1, 2), static=(32, 16, 4, 2)),
        Case("Attention", [reals(2, 5, 32), reals(2, 7, 16), reals(2, 7, 16),
                           random.rand(2, 1, 5, 7) > .3], {"softcap": 2., **heads},
             static=(32, 16)),
        # In the dynamic form the heads are symbols too, of their own.
        Case("Attention", [reals(2, 6, 5, 8), reals(2, 3, 7, 8), reals(2, 3, 7, 9)],
             {"is_causal": 1}),
        Case("Attention", [reals(2, 6, 5, 8), reals(2, 3, 7, 8), reals(2, 3, 7, 9),
                           reals(2, 1, 5, 7)], ones=True),
        Case("Attention", [reals(2, 6, 5, 8), reals(2, 3, 7, 8), reals(2, 3, 7, 9), reals(5, 11),
                           reals(2, 3, 4, 8), reals(2, 3, 4, 9)], {}, (0, 1, 2)),
        *[Case("RotaryEmbedding", [reals(2, 4, 5, 8), reals(11, 4), reals(11, 4),
                                   integers(0, 11, 2, 5)], {"interleaved": interleaved},
               static=(8, 4)) for interleaved in (0, 1)],
        Case("RotaryEmbedding", [reals(2, 5, 24), reals(2, 5, 2), reals(2, 5, 2)],
             {"num_heads": 3, "rotary_embedding_dim": 4}, static=(24, 2)),
    ]


def selection():
    """Extents that depend on data: what is chosen, and shapes read at run time."""
    boxes = np.array([[[0, 0, 1, 1], [0, .1, 1, 1.1], [0, -.1, 1, .9], [0, 10, 1, 11],
                       [0, 10.1, 1, 11.1], [0, 100, 1, 101]]], np.float32)
    scores = np.array([[[.9, .75, .6, .95, .5, .3], [.1, .8, .2, .7, .6, .4]]], np.float32)
    repeated = integers(0, 4, 4, 3)
    return [
        Case("NonZero", [integers(0, 2, 5, 7)]),
        Case("NonZero", [reals(5) * np.float32([0, 1, 0, 1, 0])]),
        Case("Compress", [reals(3, 5), random.rand(5) > .5], {"axis": 1}),
        Case("Compress", [reals(3, 5), random.rand(7) > .5]),
        Case("Unique", [integers(0, 4, 11)], {"sorted": 1}, (0, 1, 2, 3)),
        Case("Unique", [integers(0, 4, 11)], {"sorted": 0}, (0, 1, 2, 3)),
        Case("Unique", [repeated[[0, 1, 0, 2, 1]]], {"axis": 0}, (0, 2)),
        Case("NonMaxSuppression", [boxes, scores, ints(3), np.float32([.5]), np.float32([.35])],
             static=(4, 2, 6)),
        Case("Slice", [reals(9, 11), ints(1, -5), ints(8, -1), ints(0, 1), ints(3, 1)],
             static=(2,)),
        Case("Slice", [reals(9, 11), ints(-1), ints(-9), ints(1), ints(-2)]),
        Case("Slice", [reals(0, 11), ints(-1), ints(-9), ints(0), ints(-2)]),
        Case("Reshape", [reals(3, 8), ints(2, -1, 6)], static=(3,)),
        Case("Expand", [reals(3, 1), ints(2, 1, 5)], static=(3,)),
        Case("Tile", [reals(3, 5), ints(2, 3)], static=(2,)),
        Case("Pad", [reals(5, 7), ints(1, 2, 0, 3), np.float32(1.5)], static=(4,)),
        Case("Range", [np.float32(1), np.float32(9), np.float32(1.5)]),
        Case("ConstantOfShape", [ints(2, 3, 4)], static=(3,)),
        Case("TopK", [reals(3, 11), ints(4)], {"axis": 1}, (0, 1)),
        Case("ReduceSum", [reals(3, 5, 7), ints(2, 0)], {"keepdims": 1}, static=(2,)),
        # (in the dynamic form the number of axes is a symbol)
        Case("ReduceProd", [reals(3, 5, 7), ints(2, 0)], {"keepdims": 1}),
        Case("ReduceMax", [reals(3, 5, 7), ints(-2)], {"keepdims": 0}),
        Case("CumSum", [reals(3, 5, 7), np.int64(-2)], {"reverse": 1}),
    ]


def image():
    """Interpolation."""
    x = reals(1, 2, 5, 7)
    scales = np.float32([1, 1, 1.7, .6])
    cases = [Case("Resize", [x, None, scales],
                  {"mode": mode, "coordinate_transformation_mode": coordinates}, constants=(2,))
             for mode, coordinates in (("nearest", "asymmetric"), ("linear", "half_pixel"),
                                       ("cubic", "half_pixel"),
                                       ("cubic", "pytorch_half_pixel"))]
    # With scales ONNX and ONNX Runtime differ in the length that align_corners spans.
    cases += [Case("Resize", [x, None, None, ints(1, 2, 8, 3)],
                   {"mode": "linear", "coordinate_transformation_mode": coordinates},
                   constants=(3,))
              for coordinates in ("half_pixel", "align_corners")]
    cases += [Case("Resize", [x, None, None, ints(1, 2, 3, 3)],
                   {"mode": "cubic", "antialias": 1, "exclude_outside": 0}, constants=(3,),
                   dynamic=False)]
    grid = reals(1, 4, 3, 2, low=-1.4, high=1.4)
    cases += [Case("GridSample", [x, grid],
                   {"mode": mode, "padding_mode": padding, "align_corners": corners}, static=(2,))
              for mode, padding, corners in (("linear", "zeros", 0), ("linear", "border", 1),
                                             ("nearest", "reflection", 0), ("cubic", "zeros", 1))]
    return cases


def fourier(case):
    """DFT along axis -2: by numpy, in float64."""
    signal = case.inputs[0].astype(np.float64)
    values = signal[..., 0] + (1j * signal[..., 1] if signal.shape[-1] == 2 else 0)
    result = np.fft.fft(values, axis=-1)
    return [np.stack([result.real, result.imag], axis=-1).astype(np.float32)]


def symbols():
    """Operators whose weights, scales, indices and sizes have symbolic extents too."""
    x = reals(2, 6, 11, 13)
    cases = [
        Case("Conv", [x, reals(8, 6, 3, 4), reals(8)],
             {"pads": [1, 0, 1, 2], "strides": [2, 1], "dilations": [1, 2]}),
        Case("Conv", [x, reals(8, 3, 5, 4)], {"group": 2}),
        Case("Conv", [reals(2, 6, 11), reals(6, 1, 3), reals(6)],
             {"group": 6, "auto_pad": "SAME_LOWER", "strides": [2]}),
        Case("Conv", [x, reals(8, 6, 3, 4)], {"kernel_shape": [3, 4], "auto_pad": "SAME_UPPER"}),
        Case("ConvInteger", [integers(0, 255, 1, 5, 7, 9, dtype=np.uint8),
                             integers(0, 255, 8, 5, 3, 2, dtype=np.uint8), np.uint8(7)],
             {"pads": [1, 1, 0, 2]}),
        Case("ConvTranspose", [reals(2, 5, 7, 9), reals(5, 4, 3, 8), reals(4)],
             {"strides": [2, 3], "pads": [1, 2, 1, 0], "output_padding": [1, 0]}),
        Case("ConvTranspose", [reals(2, 6, 7), reals(6, 4, 3)], {"strides": [2], "group": 2,
                                                                 "dilations": [3]}),
        Case("ConvTranspose", [reals(2, 5, 7), reals(5, 4, 3)],
             {"strides": [2], "output_shape": [14]}),
        # Pads that cut the first and last elements of the input off.
        Case("ConvTranspose", [reals(2, 5, 7), reals(5, 4, 3)], {"strides": [2], "pads": [4, 3]}),
        Case("QLinearMatMul", [integers(0, 255, 3, 5, dtype=np.uint8), np.float32([.02]),
                               np.uint8([117]), integers(-64, 64, 5, 7, dtype=np.int8),
                               reals(7, low=.01, high=.05), integers(-3, 3, 7, dtype=np.int8),
                               np.float32([.3]), np.uint8([100])], ones=True),
        Case("QLinearMatMul", [integers(0, 255, 3, 5, dtype=np.uint8), np.float32([.02]),
                               np.uint8([117]), integers(-64, 64, 5, 7, dtype=np.int8),
                               np.float32([.03]), np.int8([2]),
                               np.float32([.3]), np.uint8([100])], ones=True),
        Case("QuantizeLinear", [reals(3, 5), reals(5, low=.01, high=.1),
                                integers(0, 9, 5, dtype=np.uint8)], {"axis": 1}),
        Case("DequantizeLinear", [integers(0, 255, 3, 5, dtype=np.uint8), np.float32([.1]),
                                  np.uint8([7])], ones=True),
        *[Case("LSTM", [reals(5, 3, 4), reals(count, 28, 4, low=-.4, high=.4),
                        reals(count, 28, 7, low=-.4, high=.4), reals(count, 56),
                        np.int32([5, 2, 4]), reals(count, 3, 7), reals(count, 3, 7),
                        reals(count, 21)],
               {"hidden_size": 7, "direction": "bidirectional" if count == 2 else "reverse"},
               (0, 1, 2), ones=True) for count in (1, 2)],
        Case("GRU", [reals(5, 3, 4), reals(1, 21, 4), reals(1, 21, 7)], {"hidden_size": 7}, (0, 1),
             ones=True),
        *[Case("DFT", [reals(2, 7, parts)], ones=True, expected=fourier)
          for parts in (1, 2)],
        Case("ScatterND", [reals(5, 7, 3), integers(0, 5, 4, 2), reals(4, 3)]),
        Case("GatherND", [reals(5, 7, 3), integers(0, 5, 4, 2)]),
        Case("Split", [reals(3, 12), ints(2, 0, 10)], {"axis": 1}, (0, 1, 2)),
        Case("Resize", [reals(1, 2, 10, 11), None, None, ints(1, 2, 4, 7)],
             {"mode": "cubic", "antialias": 1}),
        Case("Resize", [reals(1, 2, 10, 11), None, np.float32([1, 1, .3, .6])],
             {"mode": "linear", "antialias": 1}),
        Case("Mul", [reals(3, 1), reals(7)], constants=(1,), ones=True),
        Case("Mul", [reals(3, 7), reals(7)], constants=(1,)),
    ]
    for spatial in ((5, 7), (4, 5, 7), (1, 6)):
        k = len(spatial)
        for corners in (0, 1) if 1 not in spatial else (0,):
            for constants in ((), (1,)):
                cases.append(Case("AffineGrid", [reals(2, k, k + 1), ints(2, 3, *spatial)],
                                  {"align_corners": corners}, constants=constants, atol=1e-6))
    for width in (4, 8):
        for keys in (4, 4 * 6):
            cases.append(Case(
                "LinearAttention",
                [reals(2, 5, 24), reals(2, 5, 24) / 4, reals(2, 5, 4 * width), None,
                 reals(2, 5, keys, low=-1, high=0), reals(2, 5, 1 if width == 4 else 4, low=0)],
                {"q_num_heads": 4, "kv_num_heads": 4}, (0, 1), ones=True, domain="com.microsoft"))
    for past in (None, reals(2, 6, 3)):
        cases.append(Case("CausalConvWithState", [reals(2, 6, 5), reals(6, 1, 4), None, past],
                          {"activation": "silu"}, (0, 1), domain="com.microsoft"))
    return cases
