"""A prompt of two sequences of different lengths, padded on the right.

The recorded prompts are full. Here the attention mask of the last sequence hides
its end; the oracle is onnxruntime, at the time of the test. What stands at hidden
positions is nobody's business: operators may leave anything there.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from simulate import read_set

HIDDEN = 3


class PaddedPrompt:
    """Inputs, as files in `folder`, and the outputs expected of them."""

    def __init__(self, case, folder):
        feeds = read_set(case.steps[0], "input")
        mask = feeds["attention_mask"].copy()
        mask[-1, -HIDDEN:] = 0
        feeds["attention_mask"] = mask
        folder.mkdir()
        for index, (name, value) in enumerate(feeds.items()):
            tensor = numpy_helper.from_array(value, name)
            (folder / f"input_{index}.pb").write_bytes(tensor.SerializeToString())
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(str(case.model), options,
                                               providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        self.expected = dict(zip(names, session.run(names, feeds)))
        self.rtol, self.atol, self.folder = case.rtol, case.atol, folder

    @staticmethod
    def visible(name, value):
        """The last sequence up to its end, and all of the others, as one vector. Caches
        are [batch, heads, positions, size], logits [batch, positions, vocabulary]."""
        last = value[-1][..., :-HIDDEN, :]
        return np.concatenate([value[:-1].ravel(), last.ravel()]).astype(np.float64)

    def difference(self, outputs):
        """What differs first in a folder of outputs, or None."""
        for index, (name, expected) in enumerate(self.expected.items()):
            tensor = onnx.TensorProto()
            tensor.ParseFromString((outputs / f"output_{index}.pb").read_bytes())
            got = numpy_helper.to_array(tensor)
            if got.shape != expected.shape:
                return f"{name} has shape {got.shape}, expected {expected.shape}"
            a, b = self.visible(name, got), self.visible(name, expected)
            beyond = ~(np.abs(a - b) <= self.atol + self.rtol * np.abs(b))
            if beyond.any():
                return f"{name}: {beyond.sum()} of {b.size} visible elements differ"
        return None
