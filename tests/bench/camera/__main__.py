"""`make bench-camera`: picam beside the service that it replaces, in one guest, on the camera made of software.

    python -m bench.camera     # in tests; prints the tables and writes them into docs/performance.md
"""

import sys
import tempfile
import time

from camera.guest import build_initramfs
from camera.module import build_module
from image.lab.access import MachineError
from image.lab.packages import Packages
from image.lab.rootfs import default_distribution, picam_files
from image.lab.tools import ROOT, ToolError

from ..page import write_into
from .disk import build_disk
from .services import MODULES, ORIGINAL, PICAM, Beside
from .measure import FAULTS, ONE_STREAM, break_camera, measure
from .table import SIZES, result

HERTZ = 8
BEGAN = time.monotonic()
PAGE = ROOT / "docs/performance.md"


def main():
    with tempfile.TemporaryDirectory() as folder:
        _say("building the disk, the module and the initramfs")
        disk, versions = build_disk(folder)
        packages = Packages()
        initramfs = build_initramfs(packages, build_module(packages), picam_files(default_distribution()), folder, MODULES)
        guest = Beside(packages, initramfs, f"{folder}/guest", megabytes=2048, disk=disk)
        try:
            guest.start().prepare()
            services = [_run(guest, service) for service in (ORIGINAL, PICAM)]
            versions["picam"] = guest.run("picam --version").split()[1]
            complaints = guest.complaints()
        finally:
            guest.stop()
    text = result(*services, {"kernel": packages.kernel, **versions})
    print(text)
    write_into(PAGE, text, "make bench-camera")
    _say(f"written into {PAGE.relative_to(ROOT)}")
    if complaints:
        raise ToolError(f"the guest's kernel complained: {complaints}")


def _run(guest, service):
    """(figures by size, outages by fault) of a service."""
    _say(f"{service.name}: once, so that its files are in memory")
    with guest.service(service, SIZES[0], HERTZ):
        guest.run(ONE_STREAM)
    figures, outages = {}, {}
    for size in SIZES:
        _say(f"{service.name}: {size[0]}x{size[1]}")
        figures[size] = measure(guest, service, size, HERTZ)
    for which in FAULTS:
        _say(f"{service.name}: {which.name}")
        outages[which.name] = break_camera(guest, service, SIZES[0], HERTZ, which)
    return figures, outages


def _say(what):
    print(f"{time.monotonic() - BEGAN:4.0f} s  {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (ToolError, MachineError) as error:
        sys.exit(f"make bench-camera: {error}")
