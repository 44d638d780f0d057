"""What ONNX Runtime gives for a model: in a process of its own, for it can crash."""

import os
import pickle
import signal

import onnx
import onnxruntime


class NoReference(Exception):
    """ONNX Runtime refuses the model, or crashes on it."""


def all_values(model):
    """The model with every value that a node gives as an output."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    given = {info.name for info in wide.graph.output}
    for node in wide.graph.node:
        for name in node.output:
            if name and name not in given:
                wide.graph.output.add().name = name
                given.add(name)
    return wide


def _run(model, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names = [output.name for output in session.get_outputs()]
    return [dict(zip(names, session.run(names, feed))) for feed in feeds]


def run_reference(model, feeds, seconds=20):
    """For each step, the values of all outputs by name."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.alarm(seconds)
        # What it says of its refusals is told by the exception.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            answer = _run(model, feeds)
        except Exception as error:
            answer = str(error)
        with os.fdopen(writer, "wb") as stream:
            pickle.dump(answer, stream)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        data = stream.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        raise NoReference(f"ended by signal {os.WTERMSIG(status)}")
    answer = pickle.loads(data)
    if isinstance(answer, str):
        raise NoReference(answer)
    return answer
