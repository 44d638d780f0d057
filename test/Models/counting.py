"""Counts the work of one rank in the programs of a staged module, without the
compiler's own numbers: from the local shapes, weights and collectives of its IR.

What counts as what (the conventions of docs/design/strategies.md):

- a multiply-add is 2 flop; a MatMul of [.., m, k] by [.., k, n] is 2 m k n for
  each batch entry, attention 2 q t (size of a key + size of a value) for each
  head, a mixture of experts the products of the `k` experts that a row takes; a
  rank that has some of the experts computes that part of them (even routing);
- matrix weights are the weights of rank 2 and more that such a product reads;
- bytes sent are those of ring algorithms, and what a stage gives to the next;
  rows that go to their experts count as many as can leave: a row once for each
  rank, or for each of its experts where these are fewer.
"""

import math
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Dist"))
from simulate import evaluate, tensor_dims, tensor_element  # noqa: E402

# Bits of an element in memory; a bool is a byte.
BITS = {"i1": 8, "bf16": 16, "i4": 4, "ui4": 4, "i2": 2, "ui2": 2}


def element_bits(type_text):
    kind = tensor_element(type_text)
    return BITS.get(kind) or int("".join(filter(str.isdigit, kind)))


class Value:
    """A tensor of a program: its extents, its type, and the weight it is."""

    def __init__(self, type_text, symbols, weight=None):
        self.text, self.weight = type_text, weight
        self.parts = []  # what it is put together of, or a transposition of
        self.dims = None
        if re.match(r"tensor<(?!\*)", type_text):
            self.dims = [evaluate(dim, symbols) for dim in tensor_dims(type_text)]

    def flatten(self):
        return [part for value in self.parts for part in value.flatten()] or [self]

    @property
    def elements(self):
        return math.prod(self.dims)

    @property
    def bytes(self):
        return -(-self.elements * element_bits(self.text) // 8)


def attention_flops(q, k, result, past, packed):
    keys = (k.dims[1] if packed else k.dims[2]) + (past.dims[2] if past else 0)
    return 2 * keys * (q.elements + result.elements)


def matrix_flops(name, attributes, x, y):
    """Flop of a product with operands `x` and result `y`; None for other operators."""
    present = lambda i: i < len(x) and x[i].dims is not None
    if name in ("MatMul", "MatMulInteger", "ms.MatMulNBits", "ms.DynamicQuantizeMatMul",
                "ms.MatMulIntegerToFloat", "QLinearMatMul"):
        return 2 * y.elements * x[0].dims[-1]
    if name in ("Gemm", "ms.FusedMatMul"):
        return 2 * y.elements * x[0].dims[-2 if attributes.get("transA") else -1]
    if name in ("Conv", "ms.FusedConv", "ConvInteger"):
        return 2 * y.elements * math.prod(x[1].dims[1:])
    if name == "ms.Attention":
        raise NotImplementedError(name)
    if name in ("Attention", "ms.GroupQueryAttention", "ms.MultiHeadAttention"):
        past = {"Attention": 4, "ms.GroupQueryAttention": 3, "ms.MultiHeadAttention": 6}[name]
        packed = len(x[0].dims) == 3
        past = x[past] if present(past) else None
        if present(1):
            return attention_flops(x[0], x[1], y, past, packed)
        # Query, key and value are columns of one tensor.
        keys = x[0].dims[1] + (past.dims[2] if past else 0)
        return 4 * keys * y.elements
    if name in ("ms.MoE", "ms.QMoE"):
        first, third = (2, 6) if name == "ms.MoE" else (2, 8)
        *rows, hidden = x[0].dims
        out = x[first].dims[1]
        inner = out // 2 if attributes.get("swiglu_fusion") else out
        columns = out + inner + (inner if present(third) else 0)
        return 2 * attributes.get("k", 1) * math.prod(rows) * hidden * columns
    if name == "part.Experts":
        *rows, hidden = x[0].dims
        here, out, _ = x[2].dims
        inner = out // 2 if attributes.get("swiglu_fusion") else out
        columns = out + inner + (inner if present(10) else 0)
        whole = 2 * attributes["k"] * math.prod(rows) * hidden * columns
        return whole * here // attributes["num_experts"]
    return None


class Product:
    """A matrix product that one rank computes."""

    def __init__(self, node, name, flops, weights, batch, replicated):
        self.node, self.name, self.flops, self.weights = node, name, flops, weights
        self.rows = batch
        self.replicated = replicated

    @property
    def weight_bytes(self):
        return sum(weight.bytes for weight in self.weights)


class Program:
    """The work of one rank in one program."""

    def __init__(self, program, nodes, symbols):
        self.nodes, self.products, self.sent = nodes, [], 0
        self.mesh = program.mesh
        self.arguments = []
        body = program.main["regions"][0]
        # Copies of inputs that only show an extent are read by no operator.
        used = {operand for op in body["ops"] for operand in op["operands"]}
        values = {}
        for name, info, text in zip(body["arguments"], program.inputs,
                                    body["argument_types"]):
            values[name] = Value(text, symbols)
            if name in used:
                self.arguments.append((info["onnx.name"], values[name].dims,
                                       info["dist.global"]))
        self.walk(body, values, symbols)
        self.ranks = math.prod(self.mesh.sizes)

    def walk(self, body, values, symbols, reason=""):
        """`reason`: why the op around this region is replicated, and so all in it."""
        for op in body["ops"]:
            name, attributes = op["name"], op["attributes"]
            replicated = attributes.get("dist.replicated", reason)
            x = [values[operand] for operand in op["operands"]]
            y = [Value(text, symbols) for text in op["types"]]
            for result, value in zip(op["results"], y):
                values[result] = value
            if name == "onnx.use":
                y[0].weight = attributes["weight"]
            elif name in ("onnx.Concat", "onnx.Transpose"):
                y[0].parts = x
            elif name == "onnx.Constant" and y[0].dims is not None:
                y[0].weight = op["results"][0]
            elif name.startswith("dist."):
                self.sent += self.sent_bytes(name, attributes, x, y)
            elif name.startswith("onnx.") and y and y[0].dims is not None:
                flops = matrix_flops(name.removeprefix("onnx."), attributes, x, y[0])
                if flops is not None:
                    # Attention looks up tables of angles: these are no matrices.
                    weights = [w for v in x if name != "onnx.ms.GroupQueryAttention"
                               for w in v.flatten() if w.weight and len(w.dims) > 1]
                    node = self.nodes.get(op["location"], "")
                    self.products.append(
                        Product(node, name, flops, weights, x[0].dims[0], replicated))
            for region in op["regions"]:
                inner = dict(values)
                for argument, text in zip(region["arguments"], region["argument_types"]):
                    inner[argument] = Value(text, symbols)
                self.walk(region, inner, symbols, replicated)

    def sent_bytes(self, name, attributes, x, y):
        if name == "dist.axis_index":
            return 0
        peers = self.mesh.count(attributes["axes"]) - 1
        if name == "dist.all_reduce":
            return 2 * peers * x[0].bytes // (peers + 1)
        if name == "dist.all_gather":
            return peers * x[0].bytes
        if name == "dist.reduce_scatter":
            return peers * y[0].bytes
        if name == "dist.all_to_all":
            part = list(x[0].dims)
            part[attributes["split"]] = y[0].dims[attributes["split"]]
            return peers * math.prod(part) * element_bits(x[0].text) // 8
        if name == "dist.ragged_all_to_all":
            rows, most = sorted((x[0].dims[0], y[0].dims[0]))
            leaving = min(rows, most * peers // (peers + 1))
            return leaving * math.prod(x[0].dims[1:]) * element_bits(x[0].text) // 8
        if name == "dist.permute":
            return x[0].bytes
        if name == "dist.slice":
            return 0
        raise NotImplementedError(name)

    @property
    def matmul_flops(self):
        return sum(product.flops for product in self.products)

    @property
    def matrix_weight_bytes(self):
        """Each weight once, however many products read it."""
        weights = {v.weight: v.bytes for p in self.products for v in p.weights}
        return sum(weights.values())


class Count:
    """The work of every stage of a staged module (a Model of simulate.py), for
    inputs of these shapes."""

    def __init__(self, model, feeds):
        self.symbols = model.symbols(feeds)
        self.stages = []
        for stage, name in model.stages:
            program = Program(model.programs[name], model.nodes, self.symbols)
            program.stage = stage
            self.stages.append(program)
        # What a stage gives to another one is sent too, by each of its ranks.
        for link in model.links:
            if "source_port" in link and "target_port" in link:
                index = [stage for stage, _ in model.stages].index(link["source"])
                main = model.programs[model.stages[index][1]].main
                text = main["regions"][0]["ops"][-1]["operand_types"][link["source_port"]]
                self.stages[index].sent += Value(text, self.symbols).bytes

    @property
    def products(self):
        return [product for stage in self.stages for product in stage.products]
