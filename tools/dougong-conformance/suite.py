"""The cases of the ONNX backend suite, and the forms in which each is run."""

import dataclasses
import pathlib
import re
import shutil

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import DATA_DIR, load_model_tests
from onnx.backend.test.runner import Runner

FORMS = ("given", "dynamic", "constant")
KINDS = ("node", "real", "simple", "pytorch-operator", "pytorch-converted")
CASES = 1914  # of onnx 1.22.0; later releases hold no files of node cases


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    kind: str
    model: pathlib.Path
    rtol: float
    atol: float

    def steps(self):
        """Folders with inputs and expected outputs; none where inputs are made up."""
        return sorted(self.model.parent.glob("test_data_set_*")) if self.kind != "real" else []


def all_cases():
    """Every case, by name. Refuses another release of the suite."""
    cases = []
    for kind in KINDS:
        for test in load_model_tests(kind=kind):
            if test.model_dir:
                model = pathlib.Path(test.model_dir) / "model.onnx"
            else:  # "onnx/backend/test/data/light/light_resnet50.onnx"
                model = pathlib.Path(DATA_DIR) / "light" / pathlib.PurePosixPath(test.url).name
            cases.append(Case(test.name, kind, model, test.rtol, test.atol))
    if len(cases) != CASES:
        raise SystemExit(f"error: onnx {onnx.__version__} holds {len(cases)} cases, expected "
                         f"{CASES}: install onnx 1.22.0")
    return sorted(cases, key=lambda case: case.name)


def operator_of(case, operators):
    """The operator that a case is about, or its part of the suite. `operators` keeps
    the answers for cases seen before: an expanded case follows its direct one."""
    if case.kind != "node":
        return {"real": "(whole models)"}.get(case.kind, f"({case.kind})")
    base = re.sub(r"_expanded.*$", "", case.name)
    if base not in operators:
        graph = onnx.load(case.model).graph
        direct = case.model.parent.parent / base / "model.onnx"
        if base != case.name and direct.exists():
            graph = onnx.load(direct).graph
        # The last node is the subject; those before prepare its operands.
        node = graph.node[-1]
        operators[base] = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    return operators[base]


def is_numeric(case):
    """Whether all inputs and outputs are tensors of numbers or bools."""
    graph = onnx.load(case.model, load_external_data=False).graph
    return all(info.type.HasField("tensor_type") and
               info.type.tensor_type.elem_type != onnx.TensorProto.STRING
               for values in (graph.input, graph.output) for info in values)


def graph_inputs(model):
    """Inputs that a caller must give: old models list initializers too."""
    given = {tensor.name for tensor in model.graph.initializer}
    given |= {tensor.values.name for tensor in model.graph.sparse_initializer}
    return [info for info in model.graph.input if info.name not in given]


def _forget_types(model):
    """Drops what the model says of shapes behind its inputs: ranks stay."""
    del model.graph.value_info[:]
    for info in model.graph.output:
        if info.type.HasField("tensor_type") and info.type.tensor_type.HasField("shape"):
            for dim in info.type.tensor_type.shape.dim:
                dim.Clear()


def make_dynamic(model):
    """Every extent of every tensor input becomes a symbol of its own."""
    for info in graph_inputs(model):
        if info.type.HasField("tensor_type"):
            for axis, dim in enumerate(info.type.tensor_type.shape.dim):
                dim.Clear()
                dim.dim_param = f"{re.sub(r'[^0-9A-Za-z_]', '_', info.name)}_{axis}"
    _forget_types(model)


def make_constant(model, inputs):
    """Tensor inputs become initializers; other inputs stay."""
    kept = [info for info in model.graph.input]
    infos = graph_inputs(model)
    for info, value in zip(infos, inputs):
        if isinstance(value, onnx.TensorProto):
            tensor = model.graph.initializer.add()
            tensor.CopyFrom(value)
            tensor.name = info.name
            if model.ir_version >= 4:
                kept.remove(info)
    del model.graph.input[:]
    model.graph.input.extend(kept)


def read_value(path, type_proto):
    """A stored input or output, as its message."""
    for field, message in (("sequence_type", onnx.SequenceProto),
                           ("optional_type", onnx.OptionalProto),
                           ("map_type", onnx.MapProto)):
        if type_proto.HasField(field):
            break
    else:
        message = onnx.TensorProto
    value = message()
    value.ParseFromString(path.read_bytes())
    return value


def to_numpy(value):
    """A message as what the suite compares: arrays, lists of them, None."""
    if isinstance(value, onnx.SequenceProto):
        return numpy_helper.to_list(value)
    if isinstance(value, onnx.OptionalProto):
        return numpy_helper.to_optional(value)
    if isinstance(value, onnx.MapProto):
        return numpy_helper.to_dict(value)
    return numpy_helper.to_array(value)


def numbered(folder, prefix):
    count = len(list(folder.glob(f"{prefix}_*.pb")))
    return [folder / f"{prefix}_{index}.pb" for index in range(count)]


def prepare(case, form, folder):
    """Writes the model in `form` and its inputs below `folder`. Gives the model's path,
    and for each step the folder of inputs and the expected outputs, as messages."""
    model = onnx.load(case.model)
    steps = []
    if case.kind == "real":
        # As the suite's own runner does: inputs are made up, outputs stored.
        inputs = [numpy_helper.from_array(Runner.generate_dummy_data(info, name=case.name))
                  for info in graph_inputs(model)]
        stem = case.model.with_suffix("")
        outputs = [read_value(pathlib.Path(f"{stem}_output_{index}.pb"), info.type)
                   for index, info in enumerate(model.graph.output)]
        steps.append((inputs, outputs))
    else:
        for data in case.steps():
            steps.append(([read_value(path, info.type) for path, info in
                           zip(numbered(data, "input"), model.graph.input)],
                          [read_value(path, info.type) for path, info in
                           zip(numbered(data, "output"), model.graph.output)]))
    path, copies = case.model, []
    for number, (inputs, outputs) in enumerate(steps):
        step = folder / f"step_{number}"
        step.mkdir(parents=True)
        kept = [value for value in inputs
                if form != "constant" or not isinstance(value, onnx.TensorProto)]
        for index, value in enumerate(kept):
            (step / f"input_{index}.pb").write_bytes(value.SerializeToString())
        copies.append((step, outputs))
    if form == "dynamic":
        make_dynamic(model)
    elif form == "constant":
        make_constant(model, steps[0][0])
        copies = copies[:1]  # the other steps give other constants
    if form != "given":
        path = folder / "model.onnx"
        onnx.save(model, path)
    return path, copies


def flatten(value):
    """The arrays in lists of lists; the lists' lengths, and -1 for None, as arrays too."""
    if isinstance(value, list):
        return [np.array(len(value)), *(array for item in value for array in flatten(item))]
    return [np.array(-1) if value is None else value]


def compare(case, got, expected):
    """Why the values differ, or "". Integers, strings and bools must be equal; floats
    lie within the tolerances of the case, by the suite's own comparison."""
    try:
        got, expected = flatten(got), flatten(expected)
        if case.name.startswith("test_bernoulli"):
            # Stored values come from a generator without a seed: "for informational
            # purpose", says the suite.
            for value, reference in zip(got, expected, strict=True):
                assert np.isin(value, [0, 1]).all(), "values other than 0 and 1: DESIRED 0 or 1"
                np.testing.assert_equal((value.dtype, value.shape),
                                        (reference.dtype, reference.shape))
            return ""
        Runner.assert_similar_outputs(expected, got, rtol=case.rtol, atol=case.atol)
        for value, reference in zip(got, expected):
            if isinstance(reference, np.ndarray) and reference.dtype.kind in "biu":
                np.testing.assert_array_equal(value, reference)
    except AssertionError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        wanted = ("Mismatched", "incorrect shape", "Max absolute", "dtype", "DESIRED")
        chosen = [line for line in lines if any(word in line for word in wanted)]
        return "wrong values: " + "; ".join(chosen[:3] or lines[:2])
    except (AttributeError, TypeError, ValueError) as error:
        return f"wrong values: {error}"
    return ""


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
