"""The Raspberry Pi's firmware as far as an update depends on it: which partition boots, with what.

Follows the documented meaning of autoboot.txt (`tryboot_a_b`, `boot_partition`, `[all]`, `[tryboot]`, at most 512
bytes) and of config.txt (`[boot_partition=N]`, `kernel`, `initramfs`, `cmdline`, `kernel_watchdog_timeout`).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from . import disk
from .tools import ToolError

AUTOBOOT_LIMIT = 512


@dataclass
class Boot:
    """What the firmware starts. watchdog: seconds until it resets a kernel that shows no life; 0 for never."""

    partition: int
    tryboot: bool
    kernel: Path
    initramfs: Path
    command_line: str
    watchdog: int

    def loader(self):
        """qemu's options for it."""
        return ["-kernel", str(self.kernel), "-initrd", str(self.initramfs), "-append", self.command_line]


class UBoot:
    """Debian's U-Boot for qemu in the place of the firmware: it reads the disk itself, and says which slot it starts."""

    partition, tryboot, watchdog = 1, False, 0
    BINARY = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
    SAYS = re.compile(r"picam: slot ([AB]), \d+ attempts left")

    def loader(self):
        """qemu's options for it. The kernel's command line is in the device tree, as the Pi's firmware leaves it."""
        return ["-bios", self.BINARY]


def settings(text, holds):
    """{key: value} of the sections whose filter `holds`; a file starts in [all]."""
    active, found = True, {}
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            active = holds(line.strip("[]"))
        elif active and line and not line.startswith("#"):
            key, _, value = line.partition("=") if "=" in line else line.partition(" ")
            found[key.strip()] = value.strip()
    return found


def choose(image, tryboot, scratch):
    """Reads the disk as the firmware does at a reset; returns a Boot, its files written to `scratch`."""
    autoboot = disk.read_file(image, 1, "autoboot.txt")
    if autoboot is None or len(autoboot) > AUTOBOOT_LIMIT:
        raise ToolError("autoboot.txt is missing or too long: a Pi would boot nothing here")
    chosen = settings(autoboot.decode(), lambda name: name == "all" or (name == "tryboot" and tryboot))
    partition = int(chosen["boot_partition"])

    def holds(name):
        return name in ("all", f"boot_partition={partition}") or (name == "tryboot" and tryboot)

    config = disk.read_file(image, partition, "config.txt")
    if config is None:
        raise ToolError(f"partition {partition} has no config.txt")
    config = settings(config.decode(), holds)

    def load(name):
        data = disk.read_file(image, partition, name)
        if data is None:
            raise ToolError(f"partition {partition} has no {name}")
        path = Path(scratch) / name
        path.write_bytes(data)
        return path

    return Boot(
        partition=partition,
        tryboot=bool(tryboot),
        kernel=load(config["kernel"]),
        initramfs=load(config["initramfs"].split()[0]),
        command_line=load(config["cmdline"]).read_text().strip(),
        watchdog=int(config.get("kernel_watchdog_timeout", 0)),
    )
