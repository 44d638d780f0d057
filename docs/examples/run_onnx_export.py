"""Runs what `dougong export --to onnx` wrote (docs/onnx-export.md), all ranks in this process:
run_onnx_export.py EXPORT OUTPUTS INPUTS... takes a folder with input_0.pb, ... for each step (a
state that it leaves out is that of the step before), writes OUTPUTS/step_N/output_0.pb, ..."""
import functools, json, math, pathlib, sys
import numpy as np
import onnx, onnxruntime

OPERATORS = {"+": lambda *terms: sum(terms), "*": lambda *factors: math.prod(factors),
             "floordiv": lambda a, b: a // b, "ceildiv": lambda a, b: -(-a // b),
             "mod": lambda a, b: a % b, "min": min, "max": max}
REDUCTIONS = {"sum": np.add, "max": np.maximum, "min": np.minimum, "prod": np.multiply}

class Export:
    def __init__(self, folder):
        self.folder, self.sessions = pathlib.Path(folder), {}
        self.manifest = json.loads((self.folder / "manifest.json").read_text())
        assert (self.manifest["format"], self.manifest["version"]) == ("dougong.onnx-export", 1)
        # (stage, value) -> extents of a part, and the box of each rank; null is the whole model.
        self.ports = {(None, entry["name"]): (entry["dims"], {None: [None] * len(entry["dims"])})
                      for entry in self.manifest["inputs"] + self.manifest["outputs"]}
        for stage in self.manifest["stages"]:
            for port in stage["inputs"] + stage["outputs"]:
                boxes = dict(zip(stage["ranks"], port["boxes"]))
                self.ports[stage["name"], port["value"]] = port["local"], boxes

    def number(self, expr):
        if isinstance(expr, list):
            return OPERATORS[expr[0]](*map(self.number, expr[1:]))
        return self.symbols[expr] if isinstance(expr, str) else expr

    def place(self, box, part):
        """Where a box lies in a part, which is one too: null (all) or [begin, end] of each dim."""
        origin = [self.number(dim[0]) if dim else 0 for dim in part]
        return tuple(slice(*(max(self.number(n) - begin, 0) for n in dim)) if dim else slice(None)
                     for dim, begin in zip(box, origin))

    def transfer(self, entry):
        """Copies boxes of the whole from rank to rank; the rest of a part is zero."""
        source, target = ((entry[end]["stage"], entry[end]["value"]) for end in ("from", "to"))
        (_, sources), (dims, targets) = self.ports[source], self.ports[target]
        for move in entry["moves"]:
            sent, values = self.values[move["source"]][source[1]], self.values[move["target"]]
            if target[1] not in values:  # extents that only data tell are those of the source
                shape = [n if dim is None else self.number(dim) for dim, n in zip(dims, sent.shape)]
                values[target[1]] = np.zeros(shape, sent.dtype)
            values[target[1]][self.place(move["box"], targets[move["target"]])] = sent[
                self.place(move["box"], sources[move["source"]])]

    def run(self, stage, part):
        for rank in stage["ranks"]:
            path = str(self.folder / stage["name"] / f"rank{rank}" / part["run"])
            if path not in self.sessions:
                self.sessions[path] = onnxruntime.InferenceSession(path)
            feeds = {name: self.values[rank][name] for name in part["inputs"]}
            outputs = self.sessions[path].run(part["outputs"], feeds)
            self.values[rank].update(zip(part["outputs"], outputs))

    def communicate(self, call):
        for group, senders in zip(call["groups"], call.get("senders", call["groups"])):
            parts = [self.values[rank][call["input"]] for rank in senders]
            if "reduction" in call:
                parts = [functools.reduce(REDUCTIONS[call["reduction"]], parts)]
            results = [[part] for part in parts] if "senders" in call else [parts] * len(group)
            if "split" in call:  # for each rank, its piece of each part
                results = list(zip(*(np.split(part, len(group), call["split"]) for part in parts)))
            for rank, pieces in zip(group, results):
                self.values[rank][call["output"]] = (
                    np.concatenate(pieces, call["concat"]) if "concat" in call else pieces[0])

    def step(self, inputs):
        self.symbols = {}
        for symbol in self.manifest["symbols"]:
            extent = inputs[symbol["input"]].shape[symbol["dim"]]
            self.symbols[symbol["name"]] = extent + self.number(symbol["plus"])
        self.values = {rank: {} for stage in self.manifest["stages"] for rank in stage["ranks"]}
        self.values[None] = dict(inputs)
        for stage in self.manifest["stages"] + [{"name": None, "steps": []}]:
            for entry in self.manifest["transfers"]:
                if entry["to"]["stage"] == stage["name"]:
                    self.transfer(entry)
            for entry in stage["steps"]:
                self.run(stage, entry) if "run" in entry else self.communicate(entry)
        return {entry["name"]: self.values[None][entry["name"]] for entry in self.manifest["outputs"]}

def main(folder, outputs, *steps):
    export, results = Export(folder), {}
    for number, step in enumerate(map(pathlib.Path, steps)):
        inputs = {pair["input"]: results[pair["output"]] for pair in export.manifest["states"] if results}
        for index, entry in enumerate(export.manifest["inputs"]):
            if (step / f"input_{index}.pb").exists():
                tensor = onnx.load_tensor(step / f"input_{index}.pb")
                inputs[entry["name"]] = onnx.numpy_helper.to_array(tensor)
        results = export.step(inputs)
        for index, (name, array) in enumerate(results.items()):
            path = pathlib.Path(outputs) / f"step_{number}" / f"output_{index}.pb"
            path.parent.mkdir(parents=True, exist_ok=True)
            onnx.save_tensor(onnx.numpy_helper.from_array(array, name), path)

if __name__ == "__main__":
    main(*sys.argv[1:])
