"""The disk that brings the original into the guest: Debian's Python and libcamera, Picamera2 from PyPI, the client."""

import platform
import shutil
import sys
import zipfile
from pathlib import Path

from image.lab.packages import UNSTABLE, Apt
from image.lab.tools import CACHE, run

HERE = Path(__file__).resolve().parent
# The release that has the libcamera which picam is built with.
PACKAGES = ["python3", "python3-libcamera", "libcamera-ipa", "python3-numpy", "python3-pil"]
# What Picamera2 imports at once.
PACKAGES += ["python3-jsonschema", "python3-piexif", "python3-prctl", "python3-tqdm"]
# Debian's OpenCV would do, but loads a toolkit for 3D graphics: 150 MB more.
WHEELS = ["picamera2==0.3.38", "videodev2==0.0.4", "simplejpeg==1.9.0", "opencv-python-headless==4.14.0.94"]
# A renderer that nothing here uses, and what nobody reads.
LEFT_OUT = ["usr/lib/*/libLLVM*", "usr/lib/*/libgallium*", "usr/lib/*/libz3*"]
LEFT_OUT += ["usr/share/doc", "usr/share/man", "usr/share/locale", "usr/include"]
# Where on the disk the files of this folder are.
BESIDE = "opt/beside"


def build_disk(folder, cache=CACHE):
    """Writes the disk into `folder`; (its path, {name: version} of what the figures depend on)."""
    apt = Apt(cache, "apt-sid", release=UNSTABLE)
    tree = apt.unpacked("original", apt.with_dependencies(PACKAGES))
    for name in ("proc", "sys", "dev", "run", "tmp"):
        (tree / name).mkdir(exist_ok=True)
    beside = tree / BESIDE
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(HERE / "standins", beside / "site")
    python = (tree / "usr/bin/python3").readlink().name.removeprefix("python")
    for wheel in _wheels(Path(cache) / "wheels", python):
        zipfile.ZipFile(wheel).extractall(beside / "site")
    for name in ("original.py", "supervise"):
        shutil.copy(HERE / name, beside)
    compiler = "gcc" if platform.machine() == "aarch64" else "aarch64-linux-gnu-gcc"
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-static", "-s"]
    run(compiler, *options, "-o", beside / "client", HERE / "client.c")
    disk = Path(folder) / "original.squashfs"
    run("mksquashfs", tree, disk, "-comp", "zstd", "-Xcompression-level", "3", "-all-root", "-noappend", "-no-progress",
        "-quiet", "-no-xattrs", "-wildcards", "-e", *LEFT_OUT)  # fmt: skip
    libcamera = next(tree.glob("usr/lib/*/libcamera.so.*.*.*")).name.removeprefix("libcamera.so.")
    return disk, {"Python": python, "libcamera": libcamera, **dict(wheel.split("==") for wheel in WHEELS)}


def _wheels(folder, python):
    """The files of WHEELS for the guest, downloaded where they are missing."""
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest", folder]
    options += ["--python-version", python, "--platform", "manylinux_2_28_aarch64", "--platform", "manylinux_2_17_aarch64"]
    for wheel in WHEELS:
        name, version = wheel.split("==")
        found = list(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
        if not found:
            # OpenCV's wheel is for the stable ABI of any Python 3.
            abi = ["--abi", "abi3"] if name.startswith("opencv") else []
            run(sys.executable, "-m", "pip", "download", *options, *abi, wheel)
            found = list(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
        yield found[0]
