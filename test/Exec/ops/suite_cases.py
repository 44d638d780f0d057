"""Cases of the ONNX suite in the form of cases.py: one node, tensors in and out."""

import dataclasses
import pathlib

import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

import check_ops
from cases import Case

# Inputs that are constants of a model: the rules read axes, shapes and kin.
CONSTANTS = {"axes", "axis", "shape", "repeats", "pads", "starts", "ends", "steps", "split", "k",
             "K", "depth", "scales", "sizes", "roi"}


@dataclasses.dataclass
class SuiteCase(Case):
    stored: list = None  # the suite's outputs, in the order of `outputs`
    name: str = ""


def read_tensors(folder, prefix):
    paths = sorted(folder.glob(f"{prefix}_*.pb"), key=lambda path: int(path.stem.split("_")[-1]))
    return [numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes())) for path in paths]


def read_case(test, opset, operators):
    """The case, or None where it is of another form or operator, or of an older version of the
    operator than `opset` has."""
    if "_expanded" in test.name:
        return None
    model = onnx.load(f"{test.model_dir}/model.onnx")
    if len(model.graph.node) != 1:
        return None
    (node,) = model.graph.node
    if node.op_type not in operators or node.domain not in ("", "ai.onnx"):
        return None
    if any(value.type.WhichOneof("value") != "tensor_type"
           for value in [*model.graph.input, *model.graph.output]):
        return None
    schema = onnx.defs.get_schema(node.op_type, opset, node.domain)
    version = max(entry.version for entry in model.opset_import if entry.domain == node.domain)
    if schema.since_version > version or any(a.type == onnx.AttributeProto.GRAPH
                                             for a in node.attribute):
        return None
    folder = pathlib.Path(test.model_dir) / "test_data_set_0"
    given = dict(zip([value.name for value in model.graph.input], read_tensors(folder, "input")))
    if any(array.dtype.kind in "OUS" for array in given.values()):
        return None
    names = [value.name for value in schema.inputs]
    constants = [number for number, name in enumerate(node.input)
                 if name in given and names[min(number, len(names) - 1)] in CONSTANTS]
    produced = {value.name: array for value, array in zip(model.graph.output,
                                                          read_tensors(folder, "output"))}
    outputs = tuple(number for number, name in enumerate(node.output) if name)
    if any(node.output[number] not in produced for number in outputs):
        return None
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    case = SuiteCase(node.op_type, [given.get(name) if name else None for name in node.input],
                     attributes, outputs, tuple(constants), rtol=test.rtol, atol=test.atol)
    case.stored = [produced[node.output[number]] for number in outputs]
    case.name = test.name
    return case


def find_cases(opset, operators):
    """The cases of these operators."""
    tests = sorted(load_model_tests(kind="node"), key=lambda test: test.name)
    return [case for test in tests if (case := read_case(test, opset, operators))]


def compute_expected(family):
    """The outputs of each case: those of the suite, else of check_ops.compute_expected."""
    others = iter(check_ops.compute_expected([c for c in family if not isinstance(c, SuiteCase)]))
    return [case.stored if isinstance(case, SuiteCase) else [next(others) for _ in case.outputs]
            for case in family]
