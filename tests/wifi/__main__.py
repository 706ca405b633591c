"""Tells the stories of the Wi-Fi with the wpa_supplicant of each distribution, side by side: python -m wifi

Makes what the guests consist of first. Prints each report when all are done; the exit code is the worst of them.
"""

import sys
import time

from image.lab.packages import Packages
from image.lab.tools import ToolError
from support.lanes import Lane, run

from wifi.guest import HERE, build_initramfs
from wifi.supplicant import BUILT, NAMES


def main():
    """Returns the exit code."""
    packages = Packages()
    for name in NAMES:
        build_initramfs(name, packages)
    started = time.monotonic()
    worst = run([Lane([str(HERE)], {"PICAM_TEST_WIFI": name}, BUILT / f"{name}.log") for name in NAMES])
    print(f"Wi-Fi: {time.monotonic() - started:.0f} s in all", flush=True)
    return worst


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit(f"Wi-Fi: {error}")
