"""The Raspberry Pi's firmware as far as an update depends on it: which partition boots, with what.

Follows the documented meaning of autoboot.txt (`tryboot_a_b`, `boot_partition`, `[all]`, `[tryboot]`, `[none]`, at most
512 bytes) and of config.txt (`[boot_partition=N]`, `kernel`, `initramfs`, `cmdline`, `kernel_watchdog_timeout`), and what
the release notes of the bootloaders say of older and newer ones.
"""

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

from . import disk
from .tools import ToolError

AUTOBOOT_LIMIT = 512
# What PM_RSTS says of how this start came about. A restart in order is a reset by the watchdog, too.
POWER_ON, WATCHDOG_RESET = 0x1000, 0x20
SOC = {"pi4": "brcm,bcm2711", "pi5": "brcm,bcm2712"}


@dataclass(frozen=True)
class Bootloader:
    """The one in the EEPROM of a board, pi4 or pi5, which no update replaces; built: its day."""

    board: str = "pi5"
    built: str = "2026-02-01"

    @property
    def knows_sections(self):
        """Of autoboot.txt. A Pi 4's older one reads all lines, the last one counts, and it tries nothing."""
        return self.board != "pi4" or self.built >= "2022-11-25"

    @property
    def knows_boot_partition(self):
        """As a filter of config.txt: on a Pi 4 start4.elf reads that, which comes with the slot."""
        return self.board != "pi5" or self.built >= "2025-03-10"

    @property
    def walks(self):
        """To the next bootable partition (PARTITION_WALK), where the wanted one is not bootable."""
        return self.built >= "2025-08-13"

    def device_tree(self, partition, tryboot, power_on=True):
        """{property: number} that it leaves in /chosen/bootloader. power_on: this is no reset."""
        built = datetime.datetime.fromisoformat(self.built).replace(tzinfo=datetime.timezone.utc)
        reset = POWER_ON if power_on else WATCHDOG_RESET
        return {"partition": partition, "tryboot": int(tryboot), "build-timestamp": int(built.timestamp()), "rsts": reset}


@dataclass
class Boot:
    """What the firmware starts. watchdog: seconds until it resets a kernel that shows no life; 0 for never."""

    partition: int
    tryboot: bool
    kernel: Path
    initramfs: Path | None
    command_line: str
    watchdog: int

    def loader(self):
        """qemu's options for it."""
        initramfs = ["-initrd", str(self.initramfs)] if self.initramfs else []
        return ["-kernel", str(self.kernel), *initramfs, "-append", self.command_line]


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


def choose(read, tryboot, bootloader):
    """What boots after a reset: (partition, tryboot, settings of its config.txt). read(partition, name): a file or None."""
    autoboot = read(1, "autoboot.txt")
    if autoboot is None or len(autoboot) > AUTOBOOT_LIMIT:
        raise ToolError("autoboot.txt is missing or too long: a Pi would boot nothing here")
    tryboot = bool(tryboot) and bootloader.knows_sections

    def counts(name):
        return name == "all" or (name == "tryboot" and tryboot) or not bootloader.knows_sections

    wanted = int(settings(autoboot.decode(), counts)["boot_partition"])
    others = [number for number in (1, 2, 3) if number != wanted] if bootloader.walks else []
    for partition in [wanted, *others]:

        def holds(name, partition=partition):
            own = bootloader.knows_boot_partition and name == f"boot_partition={partition}"
            return own or name == "all" or (name == "tryboot" and tryboot)

        config = read(partition, "config.txt")
        if config is not None:
            config = settings(config.decode(), holds)
            if read(partition, config.get("kernel", "")) is not None:
                return partition, tryboot, config
    raise ToolError(f"partition {wanted} is not bootable" + (", nor is another" if others else ""))


def start(image, tryboot, scratch, bootloader):
    """Reads the disk as the firmware does at a reset; returns a Boot, its files written to `scratch`."""
    partition, tryboot, config = choose(lambda number, name: disk.read_file(image, number, name), tryboot, bootloader)

    def load(name):
        data = disk.read_file(image, partition, name)
        if data is None:
            raise ToolError(f"partition {partition} has no {name}")
        path = Path(scratch) / name
        path.write_bytes(data)
        return path

    return Boot(
        partition=partition,
        tryboot=tryboot,
        kernel=load(config["kernel"]),
        initramfs=load(config["initramfs"].split()[0]) if "initramfs" in config else None,
        command_line=load(config["cmdline"]).read_text().strip(),
        watchdog=int(config.get("kernel_watchdog_timeout", 0)),
    )
