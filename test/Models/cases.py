"""The recorded cases of shared test data: models with inputs and outputs.

Used by the tests and the benchmarks. The folder lies beside the project; where
it is missing, there are no cases.
"""

import json
import pathlib

DATA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"


class Case:
    """A model with one or more recorded steps and its tolerance."""

    def __init__(self, folder):
        self.folder = folder
        self.name = f"{folder.parent.name}/{folder.name}"
        self.model = folder / "model.onnx"
        facts = json.loads((folder / "case.json").read_text())
        self.rtol, self.atol = facts["rtol"], facts["atol"]
        self.carried = facts.get("carried", {})
        self.steps = sorted(folder.glob("test_data_set_*"),
                            key=lambda path: int(path.name.rsplit("_", 1)[1]))


def all_cases():
    if not DATA.is_dir():
        return []
    folders = [path.parent for kind in ("models", "llm")
               for path in sorted((DATA / kind).glob("*/case.json"))]
    return [Case(folder) for folder in folders]
