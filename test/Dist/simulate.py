#!/usr/bin/env python3
"""Runs a staged module (dist-stage) on simulated ranks and compares the outputs
with stored ones: partitioned = unpartitioned, before any code is generated.

    simulate.py IR.mlir CASE_FOLDER [--sets 0,1,2]

IR.mlir is in generic form (dougong-opt --mlir-print-op-generic). All ranks of a
stage go through its program in step. Operators run in ONNX Runtime, one node at
a time; weights, collectives, transfers and padding are done here, with NumPy.
Padding of inputs is filled with zeros, as the runner does it.
"""

import argparse
import itertools
import json
import pathlib
import re
import sys

import ml_dtypes
import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

DTYPES = {"bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64, "f16": np.float16, "i64": np.int64,
          "i32": np.int32, "i16": np.int16, "i8": np.int8, "i1": np.bool_, "ui8": np.uint8,
          "ui16": np.uint16, "ui32": np.uint32, "ui64": np.uint64}
# Attributes of later operator versions than ONNX Runtime has, at their defaults;
# and the permission to compute with less accuracy.
LEFT_OUT = {("Cast", "round_mode"), ("Range", "stash_type"), ("MatMulNBits", "accuracy_level")}
TOKEN = re.compile(r"""\s*(?:
    (?P<string>"(?:[^"\\]|\\.)*") | (?P<symbol>@(?:"(?:[^"\\]|\\.)*"|[\w.$-]+)) |
    (?P<value>%[\w$.-]+(?:\#\d+)?) | (?P<block>\^[\w]+) | (?P<hash>\#[\w.]+) | (?P<bang>![\w.]+) |
    (?P<number>-?(?:0x[0-9A-Fa-f]+|\d+(?:\.\d*(?:[eE][+-]?\d+)?)?)(?![\w.]*x)) |
    (?P<arrow>->) | (?P<word>[A-Za-z_][\w.$]*) | (?P<punct>[(){}<>\[\],:=?*/-]))""", re.X)


def unquote(text):
    """The contents of an MLIR string: \\" \\\\ \\n \\t and \\XX (hexadecimal)."""
    escapes = {"n": "\n", "t": "\t"}
    return re.sub(r"\\([0-9A-Fa-f]{2}|.)", lambda m: escapes.get(m[1]) or
                  (chr(int(m[1], 16)) if len(m[1]) == 2 else m[1]), text[1:-1])


class Parser:
    """Just enough of MLIR's generic form: ops, attributes, types as text."""

    def __init__(self, text):
        self.text, self.at = text, 0
        self.kind = self.token = None
        self.next()

    def next(self):
        match = TOKEN.match(self.text, self.at)
        if not match:
            rest = self.text[self.at:].strip()
            if rest:
                raise SyntaxError(f"cannot read {rest[:60]!r}")
            self.kind, self.token, self.start = "end", "", len(self.text)
            return
        self.kind, self.token = match.lastgroup, match.group(match.lastgroup)
        self.start = match.start(match.lastgroup)
        self.at = match.end()

    def accept(self, token):
        if self.token != token:
            return False
        self.next()
        return True

    def expect(self, token):
        if not self.accept(token):
            raise SyntaxError(f"expected {token!r}, got {self.token!r} near "
                              f"{self.text[self.at - 40:self.at + 40]!r}")

    def take(self):
        token = self.token
        self.next()
        return token

    def balanced(self):
        """The text of a type or attribute, up to a delimiter of depth 0."""
        begin, depth = self.start, 0
        while True:
            if self.kind == "end":
                raise SyntaxError("unexpected end")
            if depth == 0 and self.token in (",", ")", "}", "]", ">", "=", ":"):
                break
            if depth == 0 and self.token == "->":
                break
            if self.token in "<([{":
                depth += 1
            elif self.token in ">)]}":
                depth -= 1
            end = self.at
            # Shapes such as 2x?x8xf32 are one word to us.
            if self.token == "<" and self.text[begin:end].endswith("tensor<"):
                close = re.compile(r"(?:[0-9?*]+x)*[\w!.]+").match(self.text, self.at)
                self.at = close.end()
            self.next()
            if depth == 0 and self.kind != "punct":
                break
            if depth == 0 and self.token != "<":
                break
        return self.text[begin:end].strip()

    def attribute(self):
        if self.accept("["):
            items = []
            while not self.accept("]"):
                items.append(self.attribute())
                self.accept(",")
            return items
        if self.accept("{"):
            return self.dictionary("}")
        if self.token == "(":
            return self.function_type()[1]
        if self.kind == "string":
            return unquote(self.take())
        if self.kind == "number":
            text = self.take()
            kind = ""
            if self.accept(":"):
                kind = self.balanced()
            if kind.startswith("f") and text.startswith("0x"):
                return float(np.frombuffer(int(text, 16).to_bytes(4, "little"), np.float32)[0])
            return float(text) if "." in text or kind.startswith("f") else int(text, 0)
        if self.token in ("true", "false"):
            return self.take() == "true"
        if self.token == "unit":
            return self.take()
        if self.token == "array":
            self.take()
            body = self.brackets()
            kind, _, items = body.partition(":")
            return [float(x) if kind.startswith("f") else int(x)
                    for x in items.split(",") if x.strip()]
        if self.token in ("dense", "dense_resource"):
            self.take()
            body = self.brackets()
            self.expect(":")
            return dense(body, self.balanced())
        if self.kind == "symbol":
            text = self.take()[1:]
            return unquote(text) if text.startswith('"') else text
        return self.balanced()

    def brackets(self):
        """The raw text between < and its >, then the next token."""
        if self.token != "<":
            raise SyntaxError(f"expected <, got {self.token!r}")
        begin, depth, at = self.at, 1, self.at
        while depth:
            char = self.text[at]
            if char == '"':
                at = self.text.index('"', at + 1)
            depth += (char == "<") - (char == ">")
            at += 1
        self.at = at
        self.next()
        return self.text[begin:at - 1]

    def dictionary(self, close):
        entries = {}
        while not self.accept(close):
            name = self.take().strip('"')
            entries[name] = self.attribute() if self.accept("=") else True
            self.accept(",")
        return entries

    def op(self):
        results = []
        while self.kind == "value":
            results.append(self.take())
            if self.accept(":"):
                count = int(self.take())
                results = [f"{results[-1]}#{i}" for i in range(count)]
            self.accept(",")
        if results:
            self.expect("=")
        name = unquote(self.take())
        self.expect("(")
        operands = []
        while not self.accept(")"):
            operands.append(self.take())
            self.accept(",")
        attributes = {}
        if self.accept("<"):
            self.expect("{")
            attributes.update(self.dictionary("}"))
            self.expect(">")
        regions = []
        if self.accept("("):
            while not self.accept(")"):
                regions.append(self.region())
                self.accept(",")
        if self.accept("{"):
            attributes.update(self.dictionary("}"))
        self.expect(":")
        operand_types, types = self.function_type()
        return {"name": name, "results": results, "operands": operands, "attributes": attributes,
                "regions": regions, "operand_types": operand_types, "types": types,
                "location": self.location()}

    def location(self):
        """The text of a location, where locations are printed."""
        if self.token != "loc":
            return None
        begin, depth, at = self.at + 1, 0, self.at
        while True:
            if self.text[at] == '"':
                at = re.compile(r'"(?:[^"\\]|\\.)*"').match(self.text, at).end()
                continue
            depth += (self.text[at] == "(") - (self.text[at] == ")")
            at += 1
            if depth == 0:
                break
        self.at = at
        self.next()
        return self.text[begin:at - 1]

    def function_type(self):
        """Types of operands and of results."""
        self.expect("(")
        operands = []
        while not self.accept(")"):
            operands.append(self.balanced())
            self.accept(",")
        self.expect("->")
        types = []
        if self.accept("("):
            while not self.accept(")"):
                types.append(self.balanced())
                self.accept(",")
        else:
            types.append(self.balanced())
        return operands, types

    def region(self):
        self.expect("{")
        arguments, types, ops = [], [], []
        if self.kind == "block":
            self.take()
            if self.accept("("):
                while not self.accept(")"):
                    arguments.append(self.take())
                    self.expect(":")
                    types.append(self.balanced())
                    self.location()
                    self.accept(",")
            self.expect(":")
        while not self.accept("}"):
            ops.append(self.op())
        return {"arguments": arguments, "argument_types": types, "ops": ops}


def dense(body, type_text):
    shape, dtype = tensor_type(type_text)
    body = body.strip()
    if body.startswith('"0x'):
        return np.frombuffer(bytes.fromhex(body[3:-1]), dtype).reshape(shape).copy()
    body = body.replace("true", "1").replace("false", "0")
    if re.fullmatch(r"0x[0-9A-Fa-f]+", body):
        size = np.dtype(dtype).itemsize
        return np.full(shape, np.frombuffer(int(body, 16).to_bytes(size, "little"), dtype)[0])
    if not body:
        return np.zeros(shape, dtype)
    value = np.array(json.loads(body)).astype(dtype)
    return np.full(shape, value) if value.ndim == 0 else value.reshape(shape)


def tensor_type(text):
    match = re.match(r"tensor<((?:[0-9?]+x)*)([\w!.]+)", text)
    dims = [d for d in match.group(1).split("x") if d]
    return [int(d) for d in dims if d != "?"], DTYPES[match.group(2)]


def tensor_dims(text):
    """Extents of a tensor type as expressions."""
    match = re.match(r"tensor<((?:[0-9?]+x)*)([\w!.]+)(?:, #onnx.dims<(.*)>)?>$", text)
    dims = [d for d in match.group(1).split("x") if d]
    exprs = re.findall(r'"((?:[^"\\]|\\.)*)"|(_)', match.group(3) or "")
    return [d if d != "?" else exprs[i][0] for i, d in enumerate(dims)]


def tensor_element(text):
    return re.match(r"tensor<(?:[0-9?]+x)*([\w!.]+)", text).group(1)


def evaluate(expr, symbols):
    """The value of an extent expression."""
    names = {}

    def name(match):
        text = match.group(0)
        if text in ("floordiv", "ceildiv", "mod", "min", "max"):
            return {"floordiv": "//", "ceildiv": "@", "mod": "%"}.get(text, text)
        key = f"s{len(names)}"
        names[key] = Extent(symbols[text.strip("`")])
        return key

    code = re.sub(r"`[^`]*`|[A-Za-z_][\w.:/]*", name, expr)
    code = re.sub(r"(?<![\w])(\d+)", r"Extent(\1)", code)
    return int(eval(code, {"Extent": Extent, "min": min, "max": max, **names}))


class Extent(int):
    def __matmul__(self, other):
        return Extent(-(-int(self) // int(other)))

    def __add__(self, other):
        return Extent(int(self) + int(other))

    def __sub__(self, other):
        return Extent(int(self) - int(other))

    def __mul__(self, other):
        return Extent(int(self) * int(other))

    def __floordiv__(self, other):
        return Extent(int(self) // int(other))

    def __mod__(self, other):
        return Extent(int(self) % int(other))

    def __neg__(self):
        return Extent(-int(self))


def parse_sharding(text):
    """[(axes, unit)] of a #dist.sharding."""
    dims = re.search(r"\[(.*?)\](?:, partial|>$)", text).group(1)
    return [(re.findall(r'"([^"]*)"', d), int((re.search(r"unit (\d+)", d) or [0, 1])[1]))
            for d in re.findall(r"\{([^}]*)\}", dims)]


class Mesh:
    def __init__(self, op):
        self.axes = list(op["attributes"]["axes"])
        self.sizes = list(op["attributes"]["sizes"])
        self.coordinates = list(itertools.product(*[range(s) for s in self.sizes]))

    def count(self, axes):
        return int(np.prod([self.sizes[self.axes.index(a)] for a in axes] or [1]))

    def index(self, rank, axes):
        index = 0
        for axis in axes:
            position = self.axes.index(axis)
            index = index * self.sizes[position] + self.coordinates[rank][position]
        return index

    def groups(self, axes):
        """Ranks that differ only on `axes`, ordered row-major over them."""
        keep = [a for a in self.axes if a not in axes]
        groups = {}
        for rank in range(len(self.coordinates)):
            groups.setdefault(self.index(rank, keep), []).append(rank)
        return [sorted(g, key=lambda r: self.index(r, axes)) for g in groups.values()]


def local_extent(extent, unit, count):
    return extent if count == 1 else unit * -(-(-(-extent // unit)) // count)


def cut(array, dim, unit, count, index):
    """Part `index` of a dim, filled up with zeros."""
    size = local_extent(array.shape[dim], unit, count)
    part = np.take(array, range(min(index * size, array.shape[dim]),
                                min((index + 1) * size, array.shape[dim])), axis=dim)
    pads = [(0, 0)] * array.ndim
    pads[dim] = (0, size - part.shape[dim])
    return np.pad(part, pads)


def scatter(array, sharding, mesh, rank):
    for dim, (axes, unit) in enumerate(sharding):
        array = cut(array, dim, unit, mesh.count(axes), mesh.index(rank, axes))
    return array


def assemble(parts, sharding, mesh, shape):
    """The whole value; ranks that hold copies must agree on it exactly enough."""
    whole = np.zeros(shape, parts[0].dtype)
    for rank, part in enumerate(parts):
        to, of = [], []
        for dim, (axes, unit) in enumerate(sharding):
            size = local_extent(shape[dim], unit, mesh.count(axes))
            begin = min(mesh.index(rank, axes) * size, shape[dim])
            end = min(begin + size, shape[dim])
            to.append(slice(begin, end))
            of.append(slice(0, end - begin))
        whole[tuple(to)] = part[tuple(of)]
    return whole


class Operators:
    """Single nodes in ONNX Runtime, compiled once for each form."""

    def __init__(self):
        self.sessions = {}

    def run(self, op, inputs):
        mnemonic = op["name"].removeprefix("onnx.")
        if mnemonic == "Where": # ONNX Runtime has it for few types
            return [np.where(*inputs)]
        domain = "com.microsoft" if mnemonic.startswith("ms.") else ""
        mnemonic = mnemonic.removeprefix("ms.")
        if mnemonic == "SimplifiedLayerNormalization":
            domain = ""
        attributes = {k: numpy_helper.from_array(v) if isinstance(v, np.ndarray) else v
                      for k, v in op["attributes"].items()
                      if not k.startswith("dist.") and (mnemonic, k) not in LEFT_OUT}
        outputs = [i for i, t in enumerate(op["types"]) if t != "none"]
        key = (domain, mnemonic, repr(sorted(attributes.items(), key=lambda x: x[0])),
               tuple(None if x is None else (x.dtype.str, x.ndim) for x in inputs), tuple(outputs))
        if key not in self.sessions:
            names = ["" if x is None else f"x{i}" for i, x in enumerate(inputs)]
            while names and not names[-1]:
                names.pop()
            results = [f"y{i}" if i in outputs else "" for i in range(max(outputs) + 1)]
            node = helper.make_node(mnemonic, names, results, domain=domain, **attributes)
            graph = helper.make_graph(
                [node], "node",
                [helper.make_tensor_value_info(
                    f"x{i}", helper.np_dtype_to_tensor_dtype(x.dtype), [None] * x.ndim)
                 for i, x in enumerate(inputs) if x is not None],
                [onnx.ValueInfoProto(name=r) for r in results if r])
            model = helper.make_model(
                graph, ir_version=10,
                opset_imports=[helper.make_opsetid("", 24), helper.make_opsetid("com.microsoft", 1)])
            options = ort.SessionOptions()
            options.log_severity_level = 4
            options.intra_op_num_threads = 1
            self.sessions[key] = ort.InferenceSession(model.SerializeToString(), options,
                                                      providers=["CPUExecutionProvider"])
        session = self.sessions[key]
        made = session.run(None, {f"x{i}": x for i, x in enumerate(inputs)
                                  if x is not None and f"x{i}" in
                                  [y.name for y in session.get_inputs()]})
        values = [None] * len(op["types"])
        for index, value in zip(outputs, made):
            values[index] = value
        return values


class Program:
    def __init__(self, module, operators):
        self.operators = operators
        self.folder = pathlib.Path(module["attributes"].get("onnx.model_dir", "."))
        self.weights, self.cache = {}, {}
        for op in module["regions"][0]["ops"]:
            if op["name"] == "dist.mesh":
                self.mesh = Mesh(op)
            elif op["name"] == "onnx.weight":
                self.weights[op["attributes"]["sym_name"]] = op["attributes"]
            elif op["name"] == "func.func":
                self.main = op
        self.inputs = self.main["attributes"].get("arg_attrs", [])
        self.outputs = self.main["attributes"].get("res_attrs", [])

    def weight(self, name, rank):
        attributes = self.weights[name]
        value = attributes["value"]
        if isinstance(value, np.ndarray):
            return value
        key = (name, rank)
        if key in self.cache:
            return self.cache[key]
        if value.startswith("#onnx.external"):
            file, offset, length = re.match(
                r'#onnx.external<"(.*)", offset = (\d+), length = (\d+)>', value).groups()
            data = np.fromfile(self.folder / file, np.uint8, int(length), offset=int(offset))
            shape, dtype = tensor_type(attributes["type"])
            array = np.frombuffer(data.tobytes(), dtype).reshape(shape)
        else:
            sources, steps = re.match(r"#onnx.derived<\[(.*?)\], \[(.*)\]>", value).groups()
            sources = [s.strip().removeprefix("@").strip('"') for s in sources.split(",")]
            array = self.weight(sources[0], rank)
            for step, body in re.findall(r"#onnx\.(\w+)<((?:[^<>])*)>", steps):
                array = self.step(array, step, body, sources, rank)
        self.cache[key] = array
        return array

    def step(self, array, step, body, sources, rank):
        if step == "transpose":
            return array.transpose([int(x) for x in re.findall(r"\d+", body)])
        if step == "reshape":
            return array.reshape([int(x) for x in re.findall(r"\d+", body)])
        if step == "cast":
            return array.astype(DTYPES[body])
        if step == "binary":
            kind, source = re.match(r'"(\w+)", (\d+)', body).groups()
            other = self.weight(sources[int(source)], rank)
            a, b = (other, array) if "true" in body else (array, other)
            return {"add": np.add, "sub": np.subtract, "mul": np.multiply,
                    "div": np.divide, "concat": lambda a, b: np.concatenate([a, b])}[kind](a, b)
        if step == "part":
            dim, begin, size = map(int, body.split(","))
            return array.take(range(begin, begin + size), axis=dim)
        if step == "slice":
            dim, axes, count, unit = re.match(r"(\d+), \[(.*)\], (\d+), (\d+)", body).groups()
            return cut(array, int(dim), int(unit), int(count),
                       self.mesh.index(rank, re.findall(r'"([^"]*)"', axes)))
        raise NotImplementedError(f"recipe step {step}")

    def run(self, inputs, symbols):
        """`inputs[port][rank]` -> outputs likewise."""
        ranks = range(len(self.mesh.coordinates))
        body = self.main["regions"][0]
        values = dict(zip(body["arguments"], inputs))
        for op in body["ops"]:
            name, attributes = op["name"], op["attributes"]
            operands = [values[x] for x in op["operands"]]
            if name == "func.return":
                return operands
            if name == "onnx.none":
                made = [[None for _ in ranks]]
            elif name == "onnx.use":
                made = [[self.weight(attributes["weight"], r) for r in ranks]]
            elif name == "onnx.Constant":
                made = [[attributes["value"] for _ in ranks]]
            elif name == "onnx.dims_tensor":
                shape, dtype = tensor_type(op["types"][0])
                array = np.array([evaluate(e, symbols) for e in attributes["exprs"]],
                                 dtype).reshape(shape)
                made = [[array for _ in ranks]]
            elif name.startswith("dist."):
                made = [self.communicate(name, attributes, operands, op, symbols)]
            else:
                per_rank = [self.operators.run(op, [x[r] for x in operands]) for r in ranks]
                made = [list(v) for v in zip(*per_rank)]
            for result, value, text in zip(op["results"], made, op["types"]):
                if text != "none" and value[0] is not None:
                    expected = tuple(evaluate(d, symbols) for d in tensor_dims(text))
                    if value[0].shape != expected:
                        raise AssertionError(f"{name}: shape {value[0].shape}, type says "
                                             f"{expected} ({text})")
                values[result] = value
        raise AssertionError("no return")

    def communicate(self, name, attributes, operands, op, symbols):
        axes, mesh = attributes["axes"], self.mesh
        count, ranks = mesh.count(axes), range(len(mesh.coordinates))
        if name == "dist.axis_index":
            return [np.array(mesh.index(r, axes), np.int64) for r in ranks]
        x = operands[0]
        shape = [evaluate(d, symbols) for d in tensor_dims(op["types"][0])]
        if name == "dist.slice":
            return [cut(x[r], attributes["dim"], attributes["unit"], count, mesh.index(r, axes))
                    for r in ranks]
        result = [None for _ in ranks]
        for group in mesh.groups(axes):
            parts = [x[r] for r in group]
            if name == "dist.all_reduce":
                reduce = {0: np.add, 1: np.maximum, 2: np.minimum,
                          3: np.multiply}[attributes["reduction"]]
                total = parts[0]
                for part in parts[1:]:
                    total = reduce(total, part)
                for r in group:
                    result[r] = total
            elif name == "dist.all_gather":
                dim = attributes["dim"]
                whole = np.concatenate(parts, axis=dim)
                for r in group:
                    result[r] = np.take(whole, range(shape[dim]), axis=dim)
            elif name == "dist.all_to_all":
                split, concat = attributes["split"], attributes["concat"]
                for index, r in enumerate(group):
                    pieces = [cut(p, split, attributes["split_unit"], count, index) for p in parts]
                    whole = np.concatenate(pieces, axis=concat)
                    result[r] = np.take(whole, range(shape[concat]), axis=concat)
            elif name == "dist.permute":
                numbers = {mesh.index(r, attributes["from"]): r for r in group}
                for index, r in enumerate(group):
                    result[r] = x[numbers[index]]
            elif name == "dist.reduce_scatter":
                total = sum(parts[1:], parts[0])
                for index, r in enumerate(group):
                    result[r] = cut(total, attributes["dim"], attributes["unit"], count, index)
            else:
                raise NotImplementedError(name)
        return result


def read_reduction(text):
    return {"sum": 0, "max": 1, "min": 2, "prod": 3}[re.search(r"sum|max|min|prod", text)[0]]


def fix_reductions(op):
    value = op["attributes"].get("reduction")
    if op["name"].startswith("dist.") and isinstance(value, str):
        op["attributes"]["reduction"] = read_reduction(value)
    for region in op["regions"]:
        for nested in region["ops"]:
            fix_reductions(nested)


class Model:
    def __init__(self, path):
        text = pathlib.Path(path).read_text()
        # Names of ONNX nodes, by location.
        self.nodes = {alias: unquote(f'"{name}"') for alias, name in re.findall(
            r'(?m)^(#loc\d*) = loc\("((?:[^"\\]|\\.)*)"\(', text)}
        text = re.sub(r"(?m)^#loc.*$", "", text)
        aliases = dict(re.findall(r"(?m)^(#[\w]+) = (.*)$", text))
        text = re.sub(r"(?m)^#[\w]+ = .*$", "", text)
        for name, body in sorted(aliases.items(), key=lambda x: -len(x[0])):
            text = re.sub(re.escape(name) + r"(?![\w])", lambda _: body, text)
        parser = Parser(text)
        module = parser.op()
        fix_reductions(module)
        operators = Operators()
        self.programs, self.stages, self.links = {}, [], []
        self.inputs = module["attributes"]["dist.inputs"]
        for op in module["regions"][0]["ops"]:
            a = op["attributes"]
            if op["name"] == "builtin.module":
                self.programs[a["sym_name"]] = Program(op, operators)
            elif op["name"] == "dist.stage":
                self.stages.append((a["sym_name"], a["program"]))
            elif op["name"] == "dist.link":
                self.links.append(a)

    def symbols(self, feeds):
        """The extents of named dims, from the shapes of the inputs."""
        symbols = {}
        for name, type_text in self.inputs:
            for dim, extent in zip(tensor_dims(type_text), feeds[name].shape):
                if re.fullmatch(r"[A-Za-z_][\w.:/]*", dim):
                    symbols.setdefault(dim, extent)
        # Sums with one unknown symbol, e.g. "past + seq" of a mask.
        for name, type_text in self.inputs:
            for dim, extent in zip(tensor_dims(type_text), feeds[name].shape):
                unknown = [s for s in re.findall(r"[A-Za-z_][\w.:/]*", dim) if s not in symbols]
                if len(unknown) == 1:
                    symbols[unknown[0]] = extent - evaluate(dim, {**symbols, unknown[0]: 0})
        return symbols

    def run(self, feeds):
        symbols = self.symbols(feeds)
        made, outputs = {}, {}
        for stage, program_name in self.stages:
            program = self.programs[program_name]
            inputs = [None] * len(program.inputs)
            for link in self.links:
                if link["target"] != stage or "target_port" not in link:
                    continue
                port = link["target_port"]
                if "source_port" in link:
                    whole = made[link["source"], link["source_port"]]
                else:
                    whole = feeds[link["source"]]
                sharding = parse_sharding(program.inputs[port]["dist.sharding"])
                inputs[port] = [scatter(whole, sharding, program.mesh, r)
                                for r in range(len(program.mesh.coordinates))]
            results = program.run(inputs, symbols)
            for port, (parts, info) in enumerate(zip(results, program.outputs)):
                shape = [evaluate(d, symbols) for d in tensor_dims(info["dist.global"])]
                made[stage, port] = assemble(parts, parse_sharding(info["dist.sharding"]),
                                             program.mesh, shape)
            for link in self.links:
                if link["source"] == stage and "target_port" not in link:
                    outputs[link["target"]] = made[stage, link["source_port"]]
        return outputs


def read_set(folder, prefix):
    tensors = {}
    for path in sorted(folder.glob(f"{prefix}_*.pb"),
                       key=lambda p: int(p.stem.split("_")[1])):
        tensor = onnx.TensorProto()
        tensor.ParseFromString(path.read_bytes())
        tensors[tensor.name] = numpy_helper.to_array(tensor)
    return tensors


def main():
    options = argparse.ArgumentParser()
    options.add_argument("ir")
    options.add_argument("case")
    options.add_argument("--sets", default="0,1")
    options = options.parse_args()
    case = pathlib.Path(options.case)
    info = json.loads((case / "case.json").read_text())
    rtol, atol = float(info["rtol"]), float(info["atol"])
    model = Model(options.ir)
    failed = 0
    for number in options.sets.split(","):
        folder = case / f"test_data_set_{number}"
        if not folder.exists():
            continue
        outputs = model.run(read_set(folder, "input"))
        for name, expected in read_set(folder, "output").items():
            value = outputs[name]
            same = value.shape == expected.shape and np.allclose(
                value.astype(np.float64), expected.astype(np.float64), rtol=rtol, atol=atol)
            worst = (np.max(np.abs(value.astype(np.float64) - expected.astype(np.float64)), initial=0)
                     if value.shape == expected.shape else "shape")
            print(f"set {number} {name}: {'equal' if same else 'DIFFERENT'} (largest difference {worst})")
            failed += not same
    print("FAILED" if failed else "PASSED")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
