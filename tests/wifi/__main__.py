"""Tells the stories of the Wi-Fi with the wpa_supplicant of each distribution, side by side: python -m wifi

Makes what the guests consist of first. Prints each report when all are done; the exit code is the worst of them.
"""

import os
import subprocess
import sys
import time

from image.lab.packages import Packages
from image.lab.tools import ToolError

from wifi.guest import HERE, build_initramfs
from wifi.supplicant import BUILT, NAMES


def main():
    """Returns the exit code."""
    packages = Packages()
    for name in NAMES:
        build_initramfs(name, packages)
    started = time.monotonic()
    running = []
    for name in NAMES:
        report = BUILT / f"{name}.log"
        command = [sys.executable, "-m", "pytest", "-v", str(HERE)]
        with report.open("w") as log:
            environment = {**os.environ, "PICAM_TEST_WIFI": name}
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
    print(f"Wi-Fi: {time.monotonic() - started:.0f} s in all", flush=True)
    return max(abs(process.returncode) for process, _ in running)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit(f"Wi-Fi: {error}")
