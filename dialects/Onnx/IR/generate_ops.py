#!/usr/bin/env python3
"""Writes OnnxOps.td from the operator schemas of the onnx package.

One TableGen op for each operator of the standard domains at its newest
version, and one for each entry of microsoft_ops.yaml and partial_ops.yaml. Run
by the build; the result is never committed.

    generate_ops.py --microsoft microsoft_ops.yaml --partial partial_ops.yaml -o OnnxOps.td
"""

import argparse
import re
import textwrap

import onnx.defs as defs
import yaml

# Domain -> (dialect mnemonic prefix, C++ name prefix).
DOMAINS = {
    "": ("", ""),
    "ai.onnx.ml": ("ml.", "Ml"),
    "ai.onnx.preview": ("preview.", "Preview"),
    "ai.onnx.preview.training": ("training.", "Training"),
    "com.microsoft": ("ms.", "Ms"),
    "dougong.part": ("part.", "Part"),
}

# ONNX element type -> TableGen type constraint of OnnxTypes.td.
ELEMENTS = {
    "float": "F32", "double": "F64", "float16": "F16", "bfloat16": "BF16",
    "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64", "bool": "I1",
    "uint8": "UI8", "uint16": "UI16", "uint32": "UI32", "uint64": "UI64",
    "int4": "Onnx_I4", "uint4": "Onnx_UI4", "int2": "Onnx_I2", "uint2": "Onnx_UI2",
    "string": "Onnx_String",
    "complex64": "Onnx_Complex64", "complex128": "Onnx_Complex128",
    "float8e4m3fn": "F8E4M3FN", "float8e4m3fnuz": "F8E4M3FNUZ",
    "float8e5m2": "F8E5M2", "float8e5m2fnuz": "F8E5M2FNUZ",
    "float4e2m1": "F4E2M1FN", "float8e8m0": "F8E8M0FNU",
}

# Operators whose results differ from call to call: not to be merged or dropped
# with their seeds.
IMPURE = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
          "Multinomial", "Bernoulli"}

ATTRIBUTES = {
    "INT": "I64Attr", "FLOAT": "F32Attr", "STRING": "StrAttr", "TENSOR": "ElementsAttr",
    "INTS": "DenseI64ArrayAttr", "FLOATS": "DenseF32ArrayAttr", "STRINGS": "StrArrayAttr",
    "TYPE_PROTO": "TypeAttr", "SPARSE_TENSOR": "DictionaryAttr", "TENSORS": "ArrayAttr",
}


class Parameter:
    """An input or output: its name, type constraints, and how often it occurs."""

    def __init__(self, name, types, option, variable=None):
        self.name = name
        self.types = types  # ONNX type strings
        self.option = option  # Single, Optional or Variadic
        self.variable = variable  # type variable, or None

    def constraint(self):
        elements = sorted({ELEMENTS[m.group(1)] for t in self.types
                           if (m := re.fullmatch(r"tensor\((\w+)\)", t))})
        parts = [f"Onnx_TensorOf<[{', '.join(elements)}]>"] if elements else []
        if any(t.startswith("seq(") for t in self.types):
            parts.append("Onnx_AnySequence")
        if any(t.startswith("optional(") for t in self.types):
            parts.append("Onnx_AnyOptional")
        if any(t.startswith("map(") or t.startswith("seq(map(") for t in self.types):
            parts.append("Onnx_AnyMap")
        if any(t.startswith("sparse_tensor(") for t in self.types) and not parts:
            parts.append("Onnx_TensorOf<[AnyType]>")
        if self.option == "Optional":
            parts.append("NoneType")
        one = parts[0] if len(parts) == 1 else f"AnyTypeOf<[{', '.join(parts)}]>"
        return f"Variadic<{one}>" if self.option == "Variadic" else one


class Attribute:
    """An attribute: its TableGen kind, and whether it must be there."""

    def __init__(self, name, kind, required, default=None):
        self.name, self.kind, self.required, self.default = name, kind, required, default

    def constraint(self):
        base = ATTRIBUTES[self.kind]
        if self.required:
            return base
        if self.default is None:
            return f"OptionalAttr<{base}>"
        return f"DefaultValuedAttr<{base}, {td_default(self.kind, self.default)}>"


class Operator:
    def __init__(self, domain, name, version, doc, inputs, outputs, attributes, regions):
        self.domain, self.name, self.version, self.doc = domain, name, version, doc
        self.inputs, self.outputs = inputs, outputs
        self.attributes, self.regions = attributes, regions


def td_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def td_default(kind, value):
    """The C++ expression of a default, as a TableGen string."""
    if kind == "INT":
        return td_string(str(value))
    if kind == "FLOAT":
        return td_string(f"{value!r}f" if "e" in repr(value) or "." in repr(value) else f"{value}.0f")
    if kind == "STRING":
        return td_string('"' + value + '"')
    if kind == "INTS":
        return td_string("{" + ", ".join(str(v) for v in value) + "}")
    if kind == "FLOATS":
        return td_string("{" + ", ".join(f"{v!r}f" for v in value) + "}")
    raise ValueError(f"no default form for attributes of kind {kind}")


def default_of(attribute):
    """The default that a schema declares, or None."""
    value = attribute.default_value
    kind = attribute.type.name
    if not value.name:
        return None
    return {"INT": lambda: value.i, "FLOAT": lambda: float(repr_float(value.f)),
            "STRING": lambda: value.s.decode(), "INTS": lambda: list(value.ints),
            "FLOATS": lambda: [float(repr_float(f)) for f in value.floats]}.get(kind, lambda: None)()


def repr_float(value):
    """The shortest decimal that reads back as the same float32."""
    import numpy
    return str(numpy.float32(value))


def from_schema(schema):
    variables = {c.type_param_str: list(c.allowed_type_strs) for c in schema.type_constraints}

    def parameter(p):
        types = variables.get(p.type_str, [p.type_str])
        variable = p.type_str if p.type_str in variables and p.is_homogeneous else None
        return Parameter(p.name, types, p.option.name, variable)

    attributes, regions = [], []
    for name, attribute in sorted(schema.attributes.items()):
        if attribute.type.name == "GRAPH":
            regions.append(name)
            continue
        attributes.append(Attribute(name, attribute.type.name, attribute.required,
                                    default_of(attribute)))
    return Operator(schema.domain, schema.name, schema.since_version, schema.doc or "",
                    [parameter(p) for p in schema.inputs], [parameter(p) for p in schema.outputs],
                    attributes, regions)


def from_table(domain, name, entry):
    """One entry of microsoft_ops.yaml (its head explains the form) or partial_ops.yaml."""
    variables = {v: [f"tensor({t})" for t in types.split()] for v, types in entry["types"].items()}

    def parameters(text):
        result = []
        for item in filter(None, (i.strip() for i in text.split(","))):
            parameter, variable = item.split()
            option = {"?": "Optional", "*": "Variadic"}.get(parameter[-1], "Single")
            result.append(Parameter(parameter.rstrip("?*"), variables[variable], option, variable))
        return result

    attributes = []
    for item in filter(None, (i.strip() for i in entry.get("attributes", "").split(","))):
        declaration, _, default = item.partition("=")
        kind, attribute = declaration.split()
        required = attribute.endswith("!")
        kind = kind.upper()
        value = None
        if default:
            value = {"INT": int, "FLOAT": float, "STRING": str}[kind](default.strip())
        attributes.append(Attribute(attribute.rstrip("!"), kind, required, value))
    return Operator(domain, name, 1, entry["doc"], parameters(entry["inputs"]),
                    parameters(entry["outputs"]), attributes, [])


def cpp_identifier(name, taken):
    """`name` made a C++ identifier that no accessor clashes with."""
    name = re.sub(r"\W", "_", name)
    while name in taken or name in {"operation", "operands", "results", "loc"}:
        name += "_"
    taken.add(name)
    return name


def summary_of(operator):
    text = re.sub(r"\s+", " ", re.sub(r"[`*#<>\[\]]", "", operator.doc)).strip()
    sentence = re.split(r"(?<=\.)\s", text)[0] if text else f"the ONNX operator {operator.name}"
    return textwrap.shorten(sentence, 100, placeholder=" ...")


def emit(operator):
    prefix, cpp_prefix = DOMAINS[operator.domain]
    traits = []
    if operator.regions:
        traits += ["RecursiveMemoryEffects", "AutomaticAllocationScope"]
    elif operator.name not in IMPURE:
        traits.append("Pure")
    taken = set()
    arguments, names = [], {}
    for p in operator.inputs:
        arguments.append(f"{p.constraint()}:${cpp_identifier(p.name, taken)}")
    for a in operator.attributes:
        # An attribute keeps its name: it is what the file says.
        if a.name in taken:
            raise ValueError(f"{operator.name}: attribute {a.name} is also an input")
        taken.add(a.name)
        arguments.append(f"{a.constraint()}:${a.name}")
    results = [f"{p.constraint()}:${cpp_identifier(p.name, taken)}" for p in operator.outputs]
    regions = [f"AnyRegion:${cpp_identifier(r, taken)}" for r in operator.regions]
    variables = ", ".join(td_string(p.variable or "") .replace("\\", "") for p in operator.inputs)
    out_variables = ", ".join(td_string(p.variable or "").replace("\\", "") for p in operator.outputs)
    region_names = ", ".join(f'"{r}"' for r in operator.regions)
    attribute_names = ", ".join(f'"{a.name}"' for a in operator.attributes)
    variadic = lambda ps: str(any(p.option == "Variadic" for p in ps)).lower()
    minimum = lambda ps: max([i + 1 for i, p in enumerate(ps) if p.option == "Single"], default=0)
    traits_text = "".join(f", {t}" for t in traits)
    doc = operator.doc.replace("}]", "} ]").strip()
    return f"""
def Onnx_{cpp_prefix}{operator.name}Op : Onnx_Op<"{prefix}{operator.name}", [DeclareOpInterfaceMethods<OnnxOpInterface>{traits_text}]> {{
  let summary = {td_string(summary_of(operator))};
  let description = [{{
{textwrap.indent(doc, "    ")}
  }}];
  let arguments = (ins {(","+chr(10)+"    ").join(arguments)});
  let results = (outs {(","+chr(10)+"    ").join(results)});
  let regions = (region {", ".join(regions)});
  let extraClassDefinition = extraOnnxDefinition # [{{
    const ::dougong::onnx::OpSchema &$cppClass::getSchema() {{
      static const ::llvm::StringRef inputs[] = {{{variables or '""'}}};
      static const ::llvm::StringRef outputs[] = {{{out_variables or '""'}}};
      static const ::llvm::StringRef regionNames[] = {{{region_names or '""'}}};
      static const ::llvm::StringRef attributeNames[] = {{{attribute_names or '""'}}};
      static const ::dougong::onnx::OpSchema schema = {{
          "{operator.domain}", "{operator.name}", {operator.version},
          ::llvm::ArrayRef<::llvm::StringRef>(inputs, size_t({len(operator.inputs)})),
          ::llvm::ArrayRef<::llvm::StringRef>(outputs, size_t({len(operator.outputs)})),
          ::llvm::ArrayRef<::llvm::StringRef>(regionNames, size_t({len(operator.regions)})),
          ::llvm::ArrayRef<::llvm::StringRef>(attributeNames, size_t({len(operator.attributes)})),
          {minimum(operator.inputs)}, {minimum(operator.outputs)},
          {variadic(operator.inputs)}, {variadic(operator.outputs)}}};
      return schema;
    }}
  }}];
}}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--microsoft", required=True)
    parser.add_argument("--partial", required=True)
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    operators = [from_schema(s) for s in defs.get_all_schemas() if s.domain in DOMAINS]
    for domain, table in (("com.microsoft", options.microsoft), ("dougong.part", options.partial)):
        with open(table) as file:
            operators += [from_table(domain, name, entry)
                          for name, entry in yaml.safe_load(file).items()]
    operators.sort(key=lambda o: (o.domain, o.name))
    with open(options.output, "w") as file:
        file.write("// Generated by generate_ops.py from the ONNX schemas. Do not edit.\n"
                   'include "Onnx/IR/OnnxBase.td"\n')
        for operator in operators:
            file.write(emit(operator))


if __name__ == "__main__":
    main()
