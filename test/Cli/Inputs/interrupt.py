"""Interrupts a command as soon as it has begun to write into the folder of the last
argument. Fails unless the command ends by that signal.

    interrupt.py COMMAND... FOLDER/NAME
"""

import pathlib
import signal
import subprocess
import sys
import time

folder = pathlib.Path(sys.argv[-1]).parent
process = subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL)
while process.poll() is None and not any(folder.iterdir()):
    time.sleep(0.001)
process.send_signal(signal.SIGINT)
sys.exit(process.wait(timeout=120) != -signal.SIGINT)
