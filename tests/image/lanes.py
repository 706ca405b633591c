"""Runs the image tests in two lanes side by side: the story of the updates mostly waits for time limits.

    python -m image.lanes [full]

Builds the image first, once. Prints each lane's report when all are done; the exit code is the worst of them.
"""

import subprocess
import sys
import time
from pathlib import Path

from support.lanes import Lane, run

HERE = Path(__file__).resolve().parent
LANES = [
    ["test_update.py"],
    ["test_boot.py", "test_libcamera.py", "test_watchdog.py", "test_raspi3b.py", "test_uboot.py", "test_power_cut.py"],
]


def main():
    """Returns the exit code."""
    started = time.monotonic()
    how = "full" if sys.argv[1:] == ["full"] else "yes"
    environment = {"PICAM_TEST_IMAGE": how, "PICAM_IMAGE_REUSE": "yes"}
    built = subprocess.run([sys.executable, "-m", "image.lab"], cwd=HERE.parent)
    if built.returncode:
        return built.returncode
    worst = run([
        Lane([str(HERE / name) for name in lane], environment, HERE.parents[1] / f"dist/image/lane-{number}.log")
        for number, lane in enumerate(LANES, 1)
    ])  # fmt: skip
    print(f"image tests: {time.monotonic() - started:.0f} s in all", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main())
