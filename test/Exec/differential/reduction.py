"""Makes a failing model small: fewer nodes, one step, smaller extents."""

import numpy as np
import onnx
from onnx import helper

from reference import NoReference, all_values, run_reference


def needed(model, outputs):
    """The model that computes `outputs` alone."""
    graph = model.graph
    wanted, nodes = set(outputs), []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            nodes.insert(0, node)
            wanted |= set(node.input)
    infos = {info.name: info for info in graph.output}
    small = helper.make_graph(
        nodes, graph.name, [info for info in graph.input if info.name in wanted],
        [infos.get(name) or helper.make_empty_tensor_value_info(name) for name in outputs],
        [tensor for tensor in graph.initializer if tensor.name in wanted])
    return helper.make_model(small, opset_imports=model.opset_import, ir_version=model.ir_version)


def typed(model, values):
    """The model whose outputs have a type, and a shape only if they had one."""
    for info in model.graph.output:
        if not info.type.HasField("tensor_type"):
            array = values[0][info.name]
            info.CopyFrom(helper.make_tensor_value_info(
                info.name, helper.np_dtype_to_tensor_dtype(array.dtype), None))
    return model


def with_input(model, name, values):
    """The model in which a value is given, not computed."""
    shapes = list(zip(*(step[name].shape for step in values)))
    dims = [extents[0] if len(set(extents)) == 1 else "d" + "_".join(map(str, extents))
            for extents in shapes]
    kept = [node for node in model.graph.node if name not in node.output]
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    del cut.graph.node[:]
    cut.graph.node.extend(kept)
    cut.graph.input.append(helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(values[0][name].dtype), dims))
    return needed(cut, [info.name for info in model.graph.output])


class Reduction:
    """`fails(model, feeds, values)` says whether the failure is there still."""

    def __init__(self, fails):
        self.fails = fails

    def attempt(self, model, feeds):
        feeds = [{info.name: feed[info.name] for info in model.graph.input} for feed in feeds]
        try:
            values = run_reference(all_values(model), feeds)
        except (NoReference, KeyError):
            return None
        model = typed(model, values)
        return (model, feeds, values) if self.fails(model, feeds, values) else None

    def run(self, model, feeds, values):
        """The smallest found: the model, its feeds, their values."""
        best = model, feeds, values
        for index in range(len(feeds)):  # one step
            if len(feeds) > 1 and (found := self.attempt(model, feeds[index:index + 1])):
                best = found
                break
        names = [name for node in best[0].graph.node for name in node.output
                 if node.op_type != "Constant"]
        for name in names:  # the first value that is wrong
            if found := self.attempt(needed(best[0], [name]), best[1]):
                best = found
                break
        else:
            for info in list(best[0].graph.output):
                rest = [other.name for other in best[0].graph.output if other.name != info.name]
                if rest and (found := self.attempt(needed(best[0], rest), best[1])):
                    best = found
        names = [name for node in best[0].graph.node for name in node.output
                 if node.op_type != "Constant"]
        for name in reversed(names):  # the fewest nodes before it
            model, feeds, values = best
            outputs = {info.name for info in model.graph.output}
            if name in outputs or all(name not in node.input for node in model.graph.node):
                continue
            given = [feed | {name: step[name]} for feed, step in zip(feeds, values)]
            if found := self.attempt(with_input(model, name, values), given):
                best = found
        return self.shrink_symbols(best)

    def shrink_symbols(self, best):
        """The smallest extents of symbols with which it fails."""
        symbols = {dim.dim_param for info in best[0].graph.input
                   for dim in info.type.tensor_type.shape.dim if dim.dim_param.isidentifier()}
        for symbol in sorted(symbols):
            for extent in (1, 2, 3):
                model, feeds, _ = best
                smaller = [dict(feed) for feed in feeds]
                for feed in smaller:
                    for info in model.graph.input:
                        for axis, dim in enumerate(info.type.tensor_type.shape.dim):
                            if dim.dim_param == symbol:
                                feed[info.name] = np.take(
                                    feed[info.name],
                                    range(min(extent, feed[info.name].shape[axis])), axis)
                if found := self.attempt(model, smaller):
                    best = found
                    break
        return best
