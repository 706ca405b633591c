"""How old are the pictures that OpenCV shows at 4 Hz, whatever the phase between camera and client?

    python tests/bench/phases.py [busy] [KB ...]

Prints, for frames of each size, the median age in seconds at eight phases, and the largest of them. `busy`: beside a
program that keeps one core busy.
"""

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conftest import photograph_tables  # noqa: E402
from support.appliance import Picam  # noqa: E402
from support.opencv_reader import FRAME_INTERVAL, Reader, median_age  # noqa: E402
from support.process import PYTHON, stop  # noqa: E402

PHASES = 8
SECONDS = 8.0


@contextlib.contextmanager
def busy_core(wanted):
    """A program that does nothing but compute, ended by its own id."""
    if not wanted:
        yield
        return
    process = subprocess.Popen([PYTHON, "-c", "while True: pass"])
    try:
        yield
    finally:
        stop(process)


def main():
    words = sys.argv[1:]
    sizes = [int(word) for word in words if word != "busy"] or [100, 500, 2000, 4000]
    for kilobytes in sizes:
        with tempfile.TemporaryDirectory() as folder, busy_core("busy" in words):
            picam = Picam(folder, photograph_tables(kilobytes)).wait_ready()
            ages = []
            for number in range(PHASES):
                phase = number * FRAME_INTERVAL / PHASES
                reader = Reader(picam.url + "/stream", 4.0, SECONDS, phase=phase)
                ages.append(median_age(reader.result(), SECONDS))
            picam.stop()
        row = " ".join(f"{age:.3f}" for age in ages)
        print(f"{kilobytes:>5} KB: {row}  most {max(ages):.3f} s", flush=True)


if __name__ == "__main__":
    main()
