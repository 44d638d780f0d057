"""Runs what `dougong export --to onnx` wrote, all ranks in this process, with onnxruntime.

    run_onnx_export.py EXPORT OUTPUTS INPUTS...

INPUTS: a folder with input_0.pb, ... for each step; what is missing and is a state comes
from the step before. OUTPUTS/step_N/output_0.pb, ... is written. What the manifest says:
docs/onnx-export.md.
"""
import functools, json, math, pathlib, sys
import numpy as np
import onnx
import onnxruntime

OPERATORS = {"+": lambda *terms: sum(terms), "*": lambda *factors: math.prod(factors),
             "floordiv": lambda a, b: a // b, "ceildiv": lambda a, b: -(-a // b),
             "mod": lambda a, b: a % b, "min": min, "max": max}
REDUCTIONS = {"sum": np.add, "max": np.maximum, "min": np.minimum, "prod": np.multiply}


class Export:
    def __init__(self, folder):
        self.folder, self.sessions = pathlib.Path(folder), {}
        self.manifest = json.loads((self.folder / "manifest.json").read_text())
        assert (self.manifest["format"], self.manifest["version"]) == ("dougong.onnx-export", 1)
        self.ports = {(stage["name"], port["value"]): port | {
                          "boxes": dict(zip(stage["ranks"], port["boxes"]))}
                      for stage in self.manifest["stages"]
                      for port in stage["inputs"] + stage["outputs"]}

    def number(self, expr):
        if isinstance(expr, list) and expr[0] == "dim":
            return self.inputs[expr[1]].shape[expr[2]]
        if isinstance(expr, list):
            return OPERATORS[expr[0]](*map(self.number, expr[1:]))
        return self.symbols[expr] if isinstance(expr, str) else expr

    def place(self, box, part):
        """Where a box of the whole lies in a part that itself is a box of the whole."""
        slices = [slice(None)] * len(box)
        for dim, (inner, outer) in enumerate(zip(box, part)):
            if inner is not None:
                begin, end = self.number(inner["begin"]), self.number(inner["end"])
                origin = 0 if outer is None else self.number(outer["begin"])
                slices[dim] = slice(begin - origin, max(begin, end) - origin)
        return tuple(slices)

    def new(self, dims, like):
        """Zeros; extents that only data tell are those of `like`."""
        return np.zeros([n if dim is None else self.number(dim)
                         for dim, n in zip(dims, like.shape)], like.dtype)

    def cut(self, whole, stage, value):
        port = self.ports[stage, value]
        for rank, box in port["boxes"].items():
            part = self.values[rank][value] = self.new(port["local"], whole)
            part[self.place(box, box)] = whole[self.place(box, [None] * len(box))]

    def join(self, stage, value):
        port = self.ports[stage, value]
        whole = self.new(port["dims"], self.values[next(iter(port["boxes"]))][value])
        for rank, box in port["boxes"].items():
            part = self.values[rank][value]
            whole[self.place(box, [None] * len(box))] = part[self.place(box, box)]
        return whole

    def transfer(self, source, target, moves):
        boxes, port = (self.ports[end["stage"], end["value"]] for end in (source, target))
        for move in moves:
            part = self.values[move["source"]][source["value"]]
            out = self.values[move["target"]].setdefault(target["value"],
                                                         self.new(port["local"], part))
            out[self.place(move["box"], port["boxes"][move["target"]])] = part[
                self.place(move["box"], boxes["boxes"][move["source"]])]

    def run(self, stage, step):
        for rank in stage["ranks"]:
            path = str(self.folder / stage["name"] / f"rank{rank}" / step["run"])
            if path not in self.sessions:
                self.sessions[path] = onnxruntime.InferenceSession(path)
            outputs = self.sessions[path].run(
                step["outputs"], {name: self.values[rank][name] for name in step["inputs"]})
            self.values[rank].update(zip(step["outputs"], outputs))

    def communicate(self, step):
        for group in step["groups"]:
            parts, count = [self.values[rank][step["input"]] for rank in group], len(group)
            if "reduction" in step:
                total = functools.reduce(REDUCTIONS[step["reduction"]], parts)
                results = np.split(total, count, step["split"]) if "split" in step else [total] * count
            else:
                sent = [np.split(part, count, step["split"]) if "split" in step else [part] * count
                        for part in parts]
                results = [np.concatenate(received, step["concat"]) for received in zip(*sent)]
            for rank, result in zip(group, results):
                self.values[rank][step["output"]] = result

    def step(self, inputs):
        self.inputs, self.symbols = inputs, {}
        for symbol in self.manifest["symbols"]:
            self.symbols[symbol["name"]] = self.number(symbol["value"])
        self.values = {rank: {} for stage in self.manifest["stages"] for rank in stage["ranks"]}
        for entry in self.manifest["inputs"]:
            for end in entry["to"]:
                self.cut(inputs[entry["name"]], **end)
        for stage in self.manifest["stages"]:
            for transfer in self.manifest["transfers"]:
                if transfer["to"]["stage"] == stage["name"]:
                    self.transfer(transfer["from"], transfer["to"], transfer["moves"])
            for step in stage["steps"]:
                self.run(stage, step) if "run" in step else self.communicate(step)
        return {out["name"]: self.join(**out["from"]) for out in self.manifest["outputs"]}


def main(folder, outputs, *steps):
    export, state = Export(folder), {}
    names = [entry["name"] for entry in export.manifest["inputs"]]
    for number, step in enumerate(map(pathlib.Path, steps)):
        files = {name: step / f"input_{index}.pb" for index, name in enumerate(names)}
        results = export.step(state | {
            name: onnx.numpy_helper.to_array(onnx.load_tensor(path))
            for name, path in files.items() if path.exists()})
        state = {pair["input"]: results[pair["output"]] for pair in export.manifest["states"]}
        (pathlib.Path(outputs) / f"step_{number}").mkdir(parents=True, exist_ok=True)
        for index, (name, array) in enumerate(results.items()):
            onnx.save_tensor(onnx.numpy_helper.from_array(array, name),
                             pathlib.Path(outputs) / f"step_{number}" / f"output_{index}.pb")


if __name__ == "__main__":
    main(*sys.argv[1:])
