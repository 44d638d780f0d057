"""Copies the tool to a folder, beside a runner that a signal ends."""

import pathlib
import shutil
import sys

folder = pathlib.Path(sys.argv[1])
folder.mkdir()
tool = pathlib.Path(shutil.which("dougong")).resolve()
shutil.copy(tool, folder)
# (it looks for its libraries beside its folder)
(folder.parent / "lib").symlink_to(tool.parents[1] / "lib")
runner = folder / "dougong-runner"
runner.write_text("#!/bin/sh\nkill -SEGV $$\n")
runner.chmod(0o755)
