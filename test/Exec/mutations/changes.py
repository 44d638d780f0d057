"""Changes to the structure of a model: each leaves a message that Protobuf reads, and
that means something else or nothing.

A change takes a Site and gives what it did, or "" where the model has no place for it.
"""

import onnx
from onnx import AttributeProto, TensorProto, helper

LEAST, GREATEST = -(1 << 63), (1 << 63) - 1
EXTREMES = (LEAST, LEAST + 1, -(1 << 31), -2, -1, 0, 1, 2, 3, 7, 64, 1 << 31, 1 << 32, 1 << 48,
            1 << 60, 1 << 62, GREATEST - 1, GREATEST)
FLOATS = (0.0, -0.0, -1.0, 1.0, 0.5, 1e38, 1e-45, float("inf"), float("-inf"), float("nan"))
ELEMENT_TYPES = tuple(TensorProto.DataType.values())
OPERATORS = sorted({(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas()})
TEXTS = ("", "nothing", "NOTSET", "SAME_UPPER", "constant", "none", "x" * 300, "a\nb", "a'b", "é",
         "a,b->c", "...", "i...i->i", "ij,jk->ik", "max", "nearest", "cubic", "linear")


class Site:
    """A model with all parts that a change may take hold of."""

    def __init__(self, model, rng):
        self.model, self.rng = model, rng
        self.graphs, self.nodes, self.attributes, self.tensors, self.infos = [], [], [], [], []
        self._add_graph(model.graph)
        for function in model.functions:
            self._add_nodes(function.node, function.node)

    def _add_graph(self, graph):
        self.graphs.append(graph)
        self.infos += [*graph.input, *graph.output, *graph.value_info]
        self.tensors += graph.initializer
        self._add_nodes(graph.node, graph.node)

    def _add_nodes(self, nodes, siblings):
        for node in nodes:
            self.nodes.append((node, siblings))
            for attribute in node.attribute:
                self.attributes.append((attribute, node))
                if attribute.HasField("t"):
                    self.tensors.append(attribute.t)
                self.tensors += attribute.tensors
                if attribute.HasField("g"):
                    self._add_graph(attribute.g)
                for graph in attribute.graphs:
                    self._add_graph(graph)

    def choose(self, parts):
        """One of the parts, or None."""
        parts = list(parts)
        return self.rng.choice(parts) if parts else None

    def integer(self):
        return self.rng.choice(EXTREMES)

    def names(self):
        """Names of values, wherever."""
        found = [name for node, _ in self.nodes for name in [*node.input, *node.output]]
        return found + [info.name for info in self.infos]


# Attributes


def remove_attribute(site):
    found = site.choose(site.attributes)
    if not found:
        return ""
    attribute, node = found
    name = attribute.name
    node.attribute.remove(attribute)
    return f"{node.op_type}: no {name}"


def change_attribute(site):
    """An extreme value of the attribute's own type."""
    found = site.choose(site.attributes)
    if not found:
        return ""
    attribute, node = found
    kind, rng = attribute.type, site.rng
    if kind == AttributeProto.INT:
        attribute.i = site.integer()
    elif kind == AttributeProto.FLOAT:
        attribute.f = rng.choice(FLOATS)
    elif kind == AttributeProto.STRING:
        attribute.s = rng.choice(TEXTS).encode()
    elif kind == AttributeProto.INTS and attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = site.integer()
    elif kind == AttributeProto.FLOATS and attribute.floats:
        attribute.floats[rng.randrange(len(attribute.floats))] = rng.choice(FLOATS)
    elif kind == AttributeProto.STRINGS and attribute.strings:
        attribute.strings[rng.randrange(len(attribute.strings))] = rng.choice(TEXTS).encode()
    else:
        return ""
    return f"{node.op_type}: {helper.printable_attribute(attribute)}"


def resize_attribute(site):
    """A list of another length."""
    found = site.choose((attribute, node) for attribute, node in site.attributes
                        if attribute.ints or attribute.floats or attribute.strings)
    if not found:
        return ""
    attribute, node = found
    values = attribute.ints or attribute.floats or attribute.strings
    kind = site.rng.randrange(3)
    if kind == 0:
        del values[:]
    elif kind == 1:
        del values[site.rng.randrange(len(values))]
    else:
        values.extend([values[-1]] * site.rng.choice((1, 1, 9)))
    return f"{node.op_type}: {attribute.name} of {len(values)} elements"


def retype_attribute(site):
    found = site.choose(site.attributes)
    if not found:
        return ""
    attribute, node = found
    name, rng = attribute.name, site.rng
    if rng.randrange(3) == 0:  # the value stays where it was
        attribute.type = rng.choice(AttributeProto.AttributeType.values())
        return f"{node.op_type}: {name} said to be of type {attribute.type}"
    value = rng.choice((site.integer(), rng.choice(FLOATS), "text", [site.integer()], [1.5],
                        ["a", "b"], helper.make_tensor("t", TensorProto.INT64, [1], [3]),
                        onnx.GraphProto()))
    attribute.CopyFrom(helper.make_attribute(name, value))
    return f"{node.op_type}: {name} of type {attribute.type}"


def add_attribute(site):
    """One that another operator has, or nobody."""
    node, _ = site.choose(site.nodes) or (None, None)
    if node is None:
        return ""
    schema = onnx.defs.get_schema(node.op_type) if onnx.defs.has(node.op_type) else None
    names = [*(schema.attributes if schema else ()), "axis", "axes", "to", "no_such_attribute"]
    name = site.rng.choice(sorted(names))
    value = site.rng.choice((site.integer(), [site.integer(), site.integer()], 0.5, "text"))
    node.attribute.append(helper.make_attribute(name, value))
    return f"{node.op_type}: another {name}"


# Types


def change_extent(site):
    info = site.choose(info for info in site.infos if info.type.tensor_type.shape.dim)
    if not info:
        return ""
    dims, rng = info.type.tensor_type.shape.dim, site.rng
    at = rng.randrange(len(dims))
    kind = rng.choice(("value", "value", "symbol", "unknown", "remove", "add"))
    if kind == "value":
        dims[at].dim_value = site.integer()
    elif kind == "symbol":
        dims[at].dim_param = rng.choice(("n", "n", "n + 1", "n * n", "-n", "n / 0", "(", "", "é",
                                         "9223372036854775808 * n"))
    elif kind == "unknown":
        dims[at].Clear()
    elif kind == "remove":
        del dims[at]
    else:
        dims.add().dim_value = site.integer()
    return f"{info.name}: {kind} in axis {at}"


def change_shape(site):
    info = site.choose(info for info in site.infos if info.type.HasField("tensor_type"))
    if not info:
        return ""
    kind = site.rng.choice(("no shape", "scalar", "deep", "no type"))
    if kind == "no shape":
        info.type.tensor_type.ClearField("shape")
    elif kind == "no type":
        info.ClearField("type")
    else:
        del info.type.tensor_type.shape.dim[:]
        for _ in range(40 if kind == "deep" else 0):
            info.type.tensor_type.shape.dim.add().dim_value = 1
    return f"{info.name}: {kind}"


def change_element_type(site):
    kind = site.rng.randrange(3)
    wanted = site.rng.choice((*ELEMENT_TYPES, -1, 99))
    if kind == 0 and (tensor := site.choose(site.tensors)):
        tensor.data_type = wanted
        return f"tensor {tensor.name} of element type {wanted}"
    found = site.choose((a, n) for a, n in site.attributes if a.name in ("to", "dtype"))
    if kind == 1 and found:
        found[0].i = wanted
        return f"{found[1].op_type}: {found[0].name} = {wanted}"
    info = site.choose(info for info in site.infos if info.type.HasField("tensor_type"))
    if not info:
        return ""
    info.type.tensor_type.elem_type = wanted
    return f"{info.name} of element type {wanted}"


def change_kind_of_type(site):
    """A tensor becomes a sequence of tensors, an optional one, or a map."""
    info = site.choose(info for info in site.infos if info.type.HasField("tensor_type"))
    if not info:
        return ""
    tensor = onnx.TypeProto()
    tensor.CopyFrom(info.type)
    info.type.Clear()
    kind = site.rng.choice(("sequence", "optional", "map", "empty sequence"))
    if kind == "sequence":
        info.type.sequence_type.elem_type.CopyFrom(tensor)
    elif kind == "optional":
        info.type.optional_type.elem_type.CopyFrom(tensor)
    elif kind == "map":
        info.type.map_type.key_type = site.rng.choice(ELEMENT_TYPES)
        info.type.map_type.value_type.CopyFrom(tensor)
    else:
        info.type.sequence_type.SetInParent()
    return f"{info.name} as {kind}"


# Inputs and outputs of nodes


def change_inputs(site):
    node, siblings = site.choose((n, s) for n, s in site.nodes if n.input) or (None, None)
    if node is None:
        return ""
    rng = site.rng
    at = rng.randrange(len(node.input))
    kind = rng.choice(("swap", "remove", "double", "empty", "none", "cyclic", "later", "other",
                       "undefined", "many"))
    if kind == "swap":
        other = rng.randrange(len(node.input))
        node.input[at], node.input[other] = node.input[other], node.input[at]
    elif kind == "remove":
        del node.input[at]
    elif kind == "double":
        node.input.insert(at, node.input[at])
    elif kind == "empty":
        node.input[at] = ""
    elif kind == "none":
        del node.input[:]
    elif kind == "cyclic":
        node.input[at] = node.output[0] if node.output else ""
    elif kind == "later":
        later = rng.choice(list(siblings))
        node.input[at] = later.output[0] if later.output else ""
    elif kind == "other":
        node.input[at] = rng.choice(site.names())
    elif kind == "undefined":
        node.input[at] = "undefined"
    else:
        node.input.extend([node.input[at]] * 12)
    return f"{node.op_type}: inputs {kind} at {at}: {list(node.input)}"


def change_outputs(site):
    node, siblings = site.choose((n, s) for n, s in site.nodes if n.output) or (None, None)
    if node is None:
        return ""
    rng = site.rng
    at = rng.randrange(len(node.output))
    kind = rng.choice(("rename", "remove", "double", "empty", "other", "more", "swap", "none"))
    if kind == "rename":
        node.output[at] = "renamed"
    elif kind == "remove":
        del node.output[at]
    elif kind == "double":
        node.output.append(node.output[at])
    elif kind == "empty":
        node.output[at] = ""
    elif kind == "other":
        node.output[at] = rng.choice(site.names())
    elif kind == "more":
        node.output.extend(f"more_{number}" for number in range(rng.choice((1, 3, 12))))
    elif kind == "none":
        del node.output[:]
    else:
        other = rng.choice(list(siblings))
        if other.output:
            node.output[at], other.output[0] = other.output[0], node.output[at]
    return f"{node.op_type}: outputs {kind} at {at}: {list(node.output)}"


# Operators and versions


def change_operator(site):
    node, _ = site.choose(site.nodes) or (None, None)
    if node is None:
        return ""
    before, rng = node.op_type, site.rng
    kind = rng.choice(("operator", "operator", "type", "domain", "name", "overload"))
    if kind == "operator":
        node.domain, node.op_type = rng.choice(OPERATORS)
    elif kind == "type":
        node.op_type = rng.choice(("", "NoSuchOperator", "relu", "ATen", "Attention", "If", "Loop"))
    elif kind == "domain":
        node.domain = rng.choice(("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "ai.onnx.preview",
                                  "com.example", "ai.onnx.training"))
    elif kind == "name":
        node.name = rng.choice(("", "a\nb", "é", "x" * 2000, "'", "%0"))
    else:
        node.overload = "other"
    return f"{before}: {kind} now {node.domain}.{node.op_type} named {node.name[:20]!r}"


def change_versions(site):
    model, rng = site.model, site.rng
    kind = rng.choice(("opset", "opset", "opset", "ir", "none", "twice", "domain"))
    if kind == "ir":
        model.ir_version = rng.choice((*EXTREMES, 3, 4, 10, 13, 14))
        return f"IR version {model.ir_version}"
    if kind == "none" or not model.opset_import:
        del model.opset_import[:]
    elif kind == "twice":
        model.opset_import.add().CopyFrom(model.opset_import[0])
        model.opset_import[-1].version = rng.randrange(1, 28)
    elif kind == "domain":
        model.opset_import[0].domain = rng.choice(("com.example", "ai.onnx.ml", "ai.onnx"))
    else:
        model.opset_import[0].version = rng.choice((*EXTREMES, *range(1, 30)))
    return f"opsets {[(o.domain, o.version) for o in model.opset_import]}"


# Weights


def change_data(site):
    """A tensor with too much or too little data, or in the wrong field."""
    tensor = site.choose(site.tensors)
    if not tensor:
        return ""
    rng = site.rng
    kind = rng.choice(("less", "more", "none", "dims", "dims", "both", "field", "name", "location"))
    fields = [f.name for f, _ in tensor.ListFields() if f.name.endswith("_data")]
    field = fields[0] if fields else "raw_data"
    value = getattr(tensor, field)
    if kind == "less" and len(value):
        if field == "raw_data":
            tensor.raw_data = value[:rng.randrange(len(value))]
        else:
            del value[-1]
    elif kind == "more":
        if field == "raw_data":
            tensor.raw_data = value + rng.randbytes(rng.choice((1, 4, 4000)))
        elif len(value):
            value.extend([value[0]] * rng.choice((1, 2000)))
    elif kind == "none":
        tensor.ClearField(field)
    elif kind == "dims":
        if tensor.dims and rng.randrange(2):
            tensor.dims[rng.randrange(len(tensor.dims))] = site.integer()
        else:
            tensor.dims.append(site.integer())
    elif kind == "both":
        tensor.raw_data, _ = b"\1\2\3\4\5\6\7\x08", tensor.int64_data.append(3)
    elif kind == "field":
        tensor.ClearField(field)
        getattr(tensor, rng.choice(("float_data", "int32_data", "int64_data", "uint64_data",
                                    "double_data"))).extend([1] * rng.choice((1, 3, 400)))
    elif kind == "name":
        tensor.name = rng.choice(("", *site.names()))
    else:
        tensor.data_location = TensorProto.EXTERNAL
    return f"tensor {tensor.name}: {kind}, dims {list(tensor.dims)}"


def change_numbers(site):
    """Extreme integers in a tensor: shapes, axes, indices."""
    tensor = site.choose(t for t in site.tensors if t.data_type in (
        TensorProto.INT64, TensorProto.INT32) and (t.raw_data or t.int64_data or t.int32_data))
    if not tensor:
        return ""
    try:
        values = onnx.numpy_helper.to_array(tensor).copy()
    except (ValueError, TypeError):
        return ""
    if not values.size:
        return ""
    low, high = (LEAST, GREATEST) if tensor.data_type == TensorProto.INT64 else (-2**31, 2**31 - 1)
    values.reshape(-1)[site.rng.randrange(values.size)] = min(max(site.integer(), low), high)
    name = tensor.name
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))
    return f"tensor {name} = {values.reshape(-1)[:8].tolist()}"


def store_outside(site):
    tensor = site.choose(site.tensors)
    if not tensor:
        return ""
    rng = site.rng
    del tensor.external_data[:]
    for key, values in (("location", ("", ".", "..", "/etc/passwd", "../model.onnx", "log", "nowhere",
                                      "model.onnx", "a/../../b", "/dev/zero")),
                        ("offset", ("0", "-1", "1", "x", "", "9223372036854775807",
                                    "99999999999999999999")),
                        ("length", ("0", "-1", "4", "x", "9223372036854775807"))):
        if rng.randrange(6):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, rng.choice(values)
    tensor.data_location = TensorProto.EXTERNAL
    if rng.randrange(2):
        tensor.ClearField("raw_data")
    return f"tensor {tensor.name} in {[(e.key, e.value) for e in tensor.external_data]}"


def add_initializer(site):
    """An input becomes a constant, with extreme numbers where it has integers."""
    graph = site.model.graph
    info = site.choose(i for i in graph.input if i.type.HasField("tensor_type"))
    if not info:
        return ""
    dims = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
    element, size = info.type.tensor_type.elem_type, 1
    for dim in dims:
        size *= dim
    if min(dims, default=0) < 0 or size > 4096 or element not in (TensorProto.INT64, TensorProto.INT32, TensorProto.FLOAT,
                                      TensorProto.BOOL, TensorProto.DOUBLE):
        return ""
    values = [site.rng.choice((0, 1, 2, 1)) for _ in range(size)]
    if size and element == TensorProto.INT64:
        values[site.rng.randrange(size)] = site.integer()
    graph.initializer.append(helper.make_tensor(info.name, element, dims, values))
    name = info.name
    if site.rng.randrange(4):
        graph.input.remove(info)
    return f"input {name} constant: {values[:8]}"


# Graphs


def shuffle_nodes(site):
    graph = site.choose(graph for graph in site.graphs if graph.node)
    if not graph:
        return ""
    nodes = list(graph.node)
    kind = site.rng.choice(("shuffle", "reverse", "remove", "double", "none"))
    if kind == "shuffle":
        site.rng.shuffle(nodes)
    elif kind == "reverse":
        nodes.reverse()
    elif kind == "remove":
        del nodes[site.rng.randrange(len(nodes))]
    elif kind == "double":
        nodes.append(site.rng.choice(nodes))
    else:
        nodes = []
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    return f"nodes: {kind}"


def change_interface(site):
    """Inputs and outputs of a graph."""
    graph = site.choose(site.graphs)
    values = site.rng.choice((graph.input, graph.output))
    if not values:
        return ""
    at = site.rng.randrange(len(values))
    kind = site.rng.choice(("remove", "double", "rename", "other", "swap", "empty"))
    name = values[at].name
    if kind == "remove":
        del values[at]
    elif kind == "double":
        values.add().CopyFrom(values[at])
    elif kind == "rename":
        values[at].name = "renamed"
    elif kind == "other":
        values[at].name = site.rng.choice(site.names())
    elif kind == "empty":
        values[at].name = ""
    else:
        values[at].name, values[0].name = values[0].name, values[at].name
    return f"interface of '{graph.name}': {kind} {name}"


def exchange_graphs(site):
    """Bodies in each other's place, empty, or inside each other."""
    bodies = [(a, n) for a, n in site.attributes if a.HasField("g")]
    found = site.choose(bodies)
    if not found:
        return ""
    attribute, node = found
    kind = site.rng.choice(("exchange", "clear", "main", "nest", "deep"))
    copy = onnx.GraphProto()
    if kind == "exchange":
        copy.CopyFrom(site.rng.choice(bodies)[0].g)
    elif kind == "main":
        copy.CopyFrom(site.model.graph)
    elif kind in ("nest", "deep"):
        for _ in range(2 if kind == "nest" else 20):
            inner = onnx.GraphProto()
            inner.CopyFrom(attribute.g)
            inner.node.add().CopyFrom(helper.make_node("If", ["c"], ["d"]))
            inner.node[-1].attribute.append(helper.make_attribute("then_branch", copy))
            if inner.ByteSize() > 200_000:
                break
            copy = inner
    attribute.g.CopyFrom(copy)
    return f"{node.op_type}: {attribute.name} {kind}"


def add_function(site):
    """A function of the model that calls itself, or stands for a standard operator."""
    node, _ = site.choose(site.nodes) or (None, None)
    if node is None:
        return ""
    function = site.model.functions.add()
    function.name, function.domain = node.op_type, node.domain
    function.input.extend(f"i{number}" for number in range(len(node.input)))
    function.output.extend(f"o{number}" for number in range(len(node.output)))
    kind = site.rng.choice(("recursive", "identity", "empty"))
    if kind == "recursive":
        function.node.add().CopyFrom(helper.make_node(
            node.op_type, list(function.input), list(function.output), domain=node.domain))
    elif kind == "identity" and node.input:
        for output in function.output:
            function.node.add().CopyFrom(helper.make_node("Identity", ["i0"], [output]))
    if site.rng.randrange(4):
        function.opset_import.add().version = site.rng.choice((1, 13, 27, GREATEST))
    return f"function for {node.op_type}: {kind}"


CHANGES = (remove_attribute, change_attribute, change_attribute, change_attribute, resize_attribute,
           retype_attribute, add_attribute, change_extent, change_extent, change_shape,
           change_element_type, change_kind_of_type, change_inputs, change_inputs, change_outputs,
           change_operator, change_versions, change_data, change_numbers, store_outside,
           add_initializer, add_initializer, shuffle_nodes, change_interface, exchange_graphs,
           add_function)


def change(data, rng):
    """Gives the bytes of the changed model, and what was done."""
    model = onnx.ModelProto.FromString(data)
    done = []
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
        for _ in range(10):
            if what := rng.choice(CHANGES)(Site(model, rng)):
                done.append(what)
                break
    return model.SerializeToString(), "; ".join(done)
