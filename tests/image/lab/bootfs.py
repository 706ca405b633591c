"""The guest's boot slot: kernel, initramfs, config.txt and one command line a slot. The same for A and B."""

import gzip
import shutil
from pathlib import Path

from .rootfs import copy_modules
from .tools import GUEST, run

DISK_SIGNATURE = 0x7069CA01
# Loaded by guest/init before the root is mounted. Not bcm2835_wdt: qemu resets a Raspberry Pi 3 as soon as its watchdog
# is started, whatever its time.
MACHINE_MODULES = {
    "virt": [
        "virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net", "virtio_console", "virtio_rng", "i6300esb",
        "crc32c_generic", "squashfs", "ext4", "vfat", "nls_cp437", "nls_ascii",
    ],
    "raspi3b": [
        "clk-raspberrypi", "phy-generic", "crc32c_generic", "mmc_block",
        "sdhci_iproc", "bcm2835", "dwc2", "usbnet", "cdc_ether", "rndis_host", "squashfs", "ext4", "vfat",
        "nls_cp437", "nls_ascii",
    ],
}  # fmt: skip
# The firmware arms the watchdog before the kernel starts, so that one that never gets going is noticed.
CONFIG = """\
cmdline=cmdline-a.txt
[boot_partition=2]
cmdline=cmdline-a.txt
[boot_partition=3]
cmdline=cmdline-b.txt
[all]
kernel=Image
initramfs initrd.img followkernel
kernel_watchdog_timeout=60
"""
COMMON_COMMAND_LINE = "console=ttyAMA0,115200 console=ttyS1,115200 loglevel=4 rootfstype=squashfs ro panic=5"
COMMAND_LINE = COMMON_COMMAND_LINE + " root=PARTUUID={signature:08x}-{number:02x} rauc.slot={slot}\n"
SIZE = 32 << 20


def initramfs(packages, folder, target):
    """Writes the initramfs for every machine of MACHINE_MODULES."""
    folder = Path(folder)
    start_initramfs(packages, folder, GUEST / "init", [name for names in MACHINE_MODULES.values() for name in names])
    (folder / "mnt").mkdir()
    for machine, names in MACHINE_MODULES.items():
        (folder / f"modules.{machine}").write_text("\n".join(names) + "\n")
    pack_initramfs(folder, target)


def start_initramfs(packages, folder, init, modules):
    """Makes `folder` anew with what every initramfs has: busybox, the program `init`, and these kernel modules."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("bin", "dev", "proc", "sys", "usr/lib"):
        (folder / name).mkdir(parents=True)
    (folder / "lib").symlink_to("usr/lib")
    shutil.copy(packages.root / "usr/bin/busybox", folder / "bin/busybox")
    (folder / "bin/sh").symlink_to("busybox")
    shutil.copy(init, folder / "init")
    copy_modules(packages, folder, modules)


def pack_initramfs(folder, target):
    """Writes an initramfs with what is in `folder`; everything in it belongs to root."""
    files = "\n".join(sorted(str(path.relative_to(folder)) for path in folder.rglob("*")))
    shell = 'cpio --create --format=newc --quiet --owner=0:0 | zstd -q -3 -o "$1"'
    Path(target).unlink(missing_ok=True)
    run("sh", "-c", shell, "sh", target, cwd=folder, input=files + "\n")


def boot_image(packages, folder, target):
    """Writes the FAT image of a boot slot."""
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kernel = (packages.kernel_root / "boot" / f"vmlinuz-{packages.kernel}").read_bytes()
    # Both the Pi's firmware and qemu unpack it; a third of the bytes to install.
    (folder / "Image").write_bytes(kernel if kernel[:2] == b"\x1f\x8b" else gzip.compress(kernel, 6, mtime=0))
    initramfs(packages, folder.with_name("initramfs"), folder / "initrd.img")
    (folder / "config.txt").write_text(CONFIG)
    for slot, number in (("a", 5), ("b", 6)):
        line = COMMAND_LINE.format(signature=DISK_SIGNATURE, number=number, slot=slot.upper())
        (folder / f"cmdline-{slot}.txt").write_text(line)
    make_fat(target, SIZE, "BOOT", folder.iterdir())
    return Path(target)


def make_fat(target, size, label, files):
    """Writes a FAT image of `size` bytes with `files` in its root."""
    target = Path(target)
    target.unlink(missing_ok=True)
    with target.open("wb") as image:
        image.truncate(size)
    run("mkfs.vfat", "-n", label, "-i", "7069ca01", "--invariant", target)
    run("mcopy", "-i", target, *sorted(files), "::")
