"""Recorded cases with more rows: what micro-batches are made of.

Rows of a batch do not depend on each other, so that any choice of recorded rows is a
step whose outputs are known. They are chosen so that no two parts of 3 or 4 rows are
equal: micro-batches that are taken for each other, or rows that are shifted, are seen.
"""

import numpy as np
import onnx
from onnx import numpy_helper

from cases import Case
from simulate import read_set

# Of two recorded rows. (A step that was recorded with one has 12 equal ones.)
PATTERN = [0, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 0]
ROWS = len(PATTERN)


def batch_dims(model):
    """The dim that is the batch, by the name of each input and output."""
    dims = {}
    for value in [*model.graph.input, *model.graph.output]:
        names = [dim.dim_param for dim in value.type.tensor_type.shape.dim]
        if "batch" in names:
            dims[value.name] = names.index("batch")
    return dims


class TiledCase(Case):
    """A case whose steps have ROWS rows, written into `folder`."""

    def __init__(self, case, folder):
        super().__init__(case.folder)
        dims = batch_dims(onnx.load(case.model, load_external_data=False))
        folder.mkdir()
        self.steps = []
        for number, step in enumerate(case.steps):
            self.steps.append(folder / f"step_{number}")
            self.steps[-1].mkdir()
            for prefix in ("input", "output"):
                for index, (name, value) in enumerate(read_set(step, prefix).items()):
                    if name in dims:
                        recorded = value.shape[dims[name]]
                        value = np.take(value, [row % recorded for row in PATTERN],
                                        axis=dims[name])
                    tensor = numpy_helper.from_array(np.ascontiguousarray(value), name)
                    (self.steps[-1] / f"{prefix}_{index}.pb").write_bytes(
                        tensor.SerializeToString())
