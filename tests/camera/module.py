"""Builds tests/camera-module for the guest's kernel, from Debian's headers, with this machine's cross compiler."""

import sys
from pathlib import Path

from image.lab.packages import Apt, Packages
from image.lab.tools import CACHE, ROOT, ToolError, run

SOURCE = ROOT / "tests/camera-module"
# What the programs of linux-kbuild are linked to. They run here, but they want the guest's release of these.
LIBRARIES = ["libc6", "libelf1t64", "libssl3t64", "zlib1g", "libzstd1"]


def build_module(packages, cache=CACHE):
    """The path of camera_module.ko for the kernel of `packages`; it is built anew only where something has changed."""
    here = run("dpkg", "--print-architecture").strip()
    version = packages.kernel.removesuffix("-arm64")
    headers = [f"linux-headers-{version}-arm64:arm64", f"linux-headers-{version}-common"]
    programs = [f"{name}:{here}" for name in (f"linux-kbuild-{version}", *LIBRARIES)]
    apt = Apt(cache, "apt-headers", dict.fromkeys(("arm64", here)))
    tree = apt.unpacked("headers", headers + programs)
    module = Path(cache) / "camera-module/camera_module.ko"
    run(SOURCE / "build", module, version, tree)
    return module


if __name__ == "__main__":
    try:
        print(build_module(Packages()))
    except ToolError as error:
        sys.exit(f"camera module: {error}")
