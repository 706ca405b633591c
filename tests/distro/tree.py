"""Reads what the two distributions and rootfs-overlay say, for the tests of this folder."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OVERLAY = ROOT / "rootfs-overlay"
BUILDROOT_TREE = ROOT / "buildroot"
COMMON = BUILDROOT_TREE / "board/common"
LAYER = ROOT / "meta-picam"

# The boards that both distributions build for: Buildroot's name → OpenEmbedded's.
MACHINES = {"rpi4_64": "raspberrypi4-64", "rpi5": "raspberrypi5", "zero2w_64": "raspberrypi0-2w-64"}
# With U-Boot only in Buildroot.
BOARDS = [*MACHINES, "zero2w_64_uboot", "qemu_aarch64"]
# Of the disk, in its MBR: by it and a partition's number the kernel knows its root, wherever the disk is.
SIGNATURE = "7069ca01"
# Number → name of each partition, as rootfs-overlay/usr/lib/picam/data makes links for them.
PARTITIONS = {1: "autoboot", 2: "boot-a", 3: "boot-b", 5: "root-a", 6: "root-b", 7: "data"}


def version():
    """picam's version, from Cargo.toml."""
    return re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]


def libcamera_source():
    """The name of libcamera's source beside the tarball, from cross/parts/sources.sh."""
    text = (ROOT / "cross/parts/sources.sh").read_text()
    return f"libcamera_{re.search(r'^libcamera_version=(.*)$', text, re.M)[1]}.orig.tar.gz"


def assignments(path):
    """KEY=VALUE lines of a file, comments left out."""
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def board(name):
    """COMPATIBLE and CONSOLE of a Buildroot board."""
    return assignments(BUILDROOT_TREE / f"board/{name}/board.conf")


def genimage_partitions():
    """(number, name, image, size) of each partition of the SD card that Buildroot makes."""
    text = (COMMON / "genimage.cfg.in").read_text()
    found = re.findall(r"^\tpartition (\w+) \{(.*?)^\t\}", text, re.M | re.S)
    numbers = [1, 2, 3, *range(5, 9)]  # the fourth entry of an MBR is the extended partition
    result = []
    for number, (name, body) in zip(numbers, found):
        image = re.search(r'image = "(.*)"', body)[1]
        size = re.search(r"size = (\w+)", body) or re.search(
            rf"image {re.escape(image)} \{{.*?\bsize = (\w+)", text, re.S
        )
        result.append((number, name.replace("_", "-"), image, size[1]))
    return result


def wks_partitions():
    """(number, source file or None, size) of each partition of the SD card that wic makes."""
    lines = (LAYER / "files/wic/picam-sdcard.wks.in").read_text().splitlines()
    found = [line for line in lines if line.startswith("part ")]
    result = []
    for number, line in zip([1, 2, 3, *range(5, 9)], found):
        source = re.search(r'file=([^"]*)', line)
        result.append((number, source and source[1], re.search(r"--fixed-size (\w+)", line)[1]))
    return result


def rauc_slots():
    """Slot name, such as rootfs.1 → its settings, from the overlay's system.conf."""
    slots, current = {}, None
    for line in (OVERLAY / "etc/rauc/system.conf").read_text().splitlines():
        if section := re.fullmatch(r"\[(.*)\]", line):
            current = slots.setdefault(section[1].removeprefix("slot."), {}) if "slot." in line else None
        elif current is not None and "=" in line:
            key, value = line.split("=", 1)
            current[key] = value
    return slots


def sections(path):
    """(section, line) of each line of autoboot.txt or config.txt that counts."""
    current = "all"
    for line in path.read_text().splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif line and not line.startswith("#"):
            yield current, line


def oe_recipes(machine, work="/work"):
    """Recipe → variables and tasks for a machine, parsed by bitbake; fails with what is wrong."""
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("oe_parse.py")), machine, str(work)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)
