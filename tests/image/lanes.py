#!/usr/bin/env python3
"""Runs the image tests in two lanes side by side: the story of the updates mostly waits for time limits.

    tests/image/lanes.py [full]

Builds the image first, once. Prints each lane's report when it is done; the exit code is the worse of the two.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
LANES = [
    ["test_update.py"],
    ["test_boot.py", "test_libcamera.py", "test_watchdog.py", "test_raspi3b.py", "test_uboot.py", "test_power_cut.py"],
]


def main():
    """Returns the exit code."""
    started = time.monotonic()
    how = "full" if sys.argv[1:] == ["full"] else "yes"
    environment = {**os.environ, "PICAM_TEST_IMAGE": how, "PICAM_IMAGE_REUSE": "yes"}
    built = subprocess.run([sys.executable, "-m", "image.lab"], cwd=HERE.parent)
    if built.returncode:
        return built.returncode
    running = []
    for number, lane in enumerate(LANES, 1):
        report = HERE.parents[1] / f"dist/image/lane-{number}.log"
        command = [sys.executable, "-m", "pytest", "-v", *(str(HERE / name) for name in lane)]
        with report.open("w") as log:
            process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        running.append((process, report))
    try:
        for process, _ in running:
            process.wait()
    finally:
        for process, _ in running:
            if process.poll() is None:
                process.terminate()
                process.wait()
    for _, report in running:
        sys.stdout.write(report.read_text(errors="replace"))
    print(f"image tests: {time.monotonic() - started:.0f} s in all", flush=True)
    return max(process.returncode for process, _ in running)


if __name__ == "__main__":
    sys.exit(main())
