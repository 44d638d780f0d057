"""The lit suite: IR tests (.mlir) and the tools as users call them (.test)."""

import os
import pathlib

import lit.formats

root = pathlib.Path(__file__).resolve().parent.parent
build = pathlib.Path(lit_config.params["build"]).resolve()

config.name = "dougong"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "Unit", "CMakeLists.txt"]
config.test_source_root = str(root / "test")
config.test_exec_root = str(build / "test")
# FileCheck, not and split-file come with Debian's LLVM.
config.environment["PATH"] = os.pathsep.join(
    [str(build / "bin"), "/usr/lib/llvm-22/bin", os.environ["PATH"]])
config.substitutions.append(("%python", str(root / "build" / "venv" / "bin" / "python")))
config.substitutions.append(("%build", str(build)))
config.substitutions.append(("%refused", f"{root}/build/venv/bin/python {root}/test/Cli/Inputs/refused.py"))
config.substitutions.append(("%root", str(root)))
config.substitutions.append(("%data", str(root.parent / "shared" / "data")))
if (root.parent / "shared" / "data").is_dir():
    config.available_features.add("data")
