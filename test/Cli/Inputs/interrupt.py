"""Interrupts a command while it writes into the folder of its last argument, and fails
unless the folder is empty after that. A command that was faster than the interrupt is
run again.

    interrupt.py COMMAND... FOLDER/NAME
"""

import pathlib
import shutil
import signal
import subprocess
import sys
import time

result = pathlib.Path(sys.argv[-1])
folder = result.parent
signal.signal(signal.SIGINT, signal.SIG_DFL)  # (lit's workers ignore it, and so would we)
for attempt in range(20):
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not any(folder.iterdir()):
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    code = process.wait(timeout=120)
    left = [path.name for path in folder.iterdir()]
    if code == -signal.SIGINT and not left:
        sys.exit(0)
    if code != 0 or left != [result.name]:
        sys.exit(f"exit code {code}, left behind: {left}")
    shutil.rmtree(result)
sys.exit("it was never interrupted")
