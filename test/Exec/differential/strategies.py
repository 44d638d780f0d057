"""Random strategy files: values of a graph cut along random dims of a mesh."""

import random
import re

import onnx

MESHES = ["{a: 2}", "{a: 3}", "{a: 4}", "{a: 2, b: 2}", "{a: 2, b: 3}", "{a: 2, b: 2, c: 2}"]
# Why an entry cannot hold; the file goes on without it.
REFUSED = re.compile(r"strategy\.yaml:(\d+): (?:cannot cut|lists|pattern|the node has no)")


def ranks_of(model):
    """Ranks of values, where inference tells."""
    inferred = onnx.shape_inference.infer_shapes(model)
    infos = [*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output]
    ranks = {info.name: len(info.type.tensor_type.shape.dim) for info in infos
             if info.type.tensor_type.HasField("shape")}
    ranks.update({tensor.name: len(tensor.dims) for tensor in model.graph.initializer})
    return ranks


def entries(model, seed, axes):
    """Lines of the key `shard`: an operand or a result of every other node or so. What is
    said of a node does not depend on the others: models are made small."""
    ranks = ranks_of(model)
    for node in model.graph.node:
        chooser = random.Random(f"{seed} {node.name}")
        places = [("operand", i, name) for i, name in enumerate(node.input)]
        places += [("result", i, name) for i, name in enumerate(node.output)]
        places = [place for place in places if ranks.get(place[2])]
        if not places or node.op_type == "Constant" or chooser.random() < .4:
            continue
        kind, number, name = chooser.choice(places)
        dims = ["_"] * ranks[name]
        for axis in chooser.sample(axes, chooser.randint(1, len(axes))):
            dim = chooser.randrange(len(dims))
            dims[dim] = axis if dims[dim] == "_" else f"{dims[dim]}+{axis}"
        yield f"- {{node: \"{node.name}\", {kind}: {number}, dims: [{', '.join(dims)}]}}"


def run_sharded(worker, seed, model, steps, folder, outputs):
    """Runs under a strategy that the seed chooses, without the entries that are refused. Gives
    "" or what is wrong."""
    mesh = random.Random(f"{seed}").choice(MESHES)
    axes = re.findall("[abc](?=:)", mesh)
    lines = [f"mesh: {mesh}", "shard:", *entries(model, seed, axes)]
    path = folder / "strategy.yaml"
    while True:
        path.write_text("\n".join(lines if len(lines) > 2 else lines[:1]) + "\n")
        reason = worker.run(folder / "model.onnx", steps, outputs, [f"--strategy={path}"])
        refused = REFUSED.search(reason)
        if not refused:
            return reason
        del lines[int(refused[1]) - 1]
