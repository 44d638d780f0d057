"""The main job, end to end: compile a model for two vendors' chips, run it, compare.

    python tools/demo/demo.py --build build/dev

Exit code 0 when all that ran agrees; 1 with a message otherwise.
"""

import argparse
import sys
import time
from pathlib import Path

from common import Dougong, DemoError, say
from decoder import run_decoder
from sentences import run_sentences


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/dev", help="build folder")
    build = parser.parse_args().build
    start = time.monotonic()
    try:
        dougong = Dougong(build)
        folder = Path(build).resolve() / "demo"
        run_sentences(dougong, folder / "sentences")
        say()
        run_decoder(dougong, folder / "decoder")
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    say(f"\ndone in {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
