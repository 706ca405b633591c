"""Factory disk, signing keys and bundles."""

import re
import struct
from pathlib import Path

from .bootfs import DISK_SIGNATURE, make_fat
from .rootfs import COMPATIBLE
from .tools import ROOT, ToolError, run

SECTOR = 512
MIB = 1 << 20
# Partition numbers are a Pi's: number, MBR type, size in MiB, contents. 4 holds 5, 6 and 7.
LAYOUT = [
    (1, 0xC, 4, "autoboot"),
    (2, 0xC, 32, "boot"),
    (3, 0xC, 32, "boot"),
    (5, 0x83, 48, "root"),
    (6, 0x83, 48, "root"),
    (7, 0x83, 64, "data"),
]
BOOT_CMD = ROOT / "buildroot/board/common/boot/boot.cmd"
SLOTS_ENV = ROOT / "buildroot/board/common/boot/slots.env"
AUTOBOOT = ROOT / "buildroot/board/common/boot/autoboot.txt"


def make_keys(folder):
    """A test authority of this build, and a stranger's: {name: (key, certificate)}. Never kept in the repository."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    keys = {}
    for name in ("picam", "stranger"):
        key, certificate = folder / f"{name}.key.pem", folder / f"{name}.cert.pem"
        if not key.exists() or not certificate.exists():
            run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                "-days", "3650", "-subj", f"/O=picam test/CN={name}")  # fmt: skip
        keys[name] = (key, certificate)
    return keys


def partitions(disk):
    """{number: (type, first byte, bytes)} of an MBR with one extended partition."""
    found = {}
    with open(disk, "rb") as image:

        def entries(sector, count):
            image.seek(sector * SECTOR)
            record = image.read(SECTOR)
            if record[510:] != b"\x55\xaa":
                raise ToolError(f"{disk}: no partition table in sector {sector}")
            return [struct.unpack_from("<4xB3xII", record, 446 + 16 * i) for i in range(count)]

        for number, (kind, start, length) in enumerate(entries(0, 4), 1):
            if kind in (0x5, 0xF):
                link, logical = start, 5
                while True:
                    (kind1, start1, length1), (kind2, start2, _) = entries(link, 2)
                    found[logical] = (kind1, (link + start1) * SECTOR, length1 * SECTOR)
                    logical += 1
                    if not kind2:
                        break
                    link = start + start2
            elif kind:
                found[number] = (kind, start * SECTOR, length * SECTOR)
    return found


def uboot_files(scratch):
    """{name: bytes} that the first partition has for U-Boot: Buildroot's own script, and slot A committed."""
    script = Path(scratch) / "boot.scr"
    run("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", BOOT_CMD, script)
    return {"boot.scr": script.read_bytes(), "slots.env": SLOTS_ENV.read_bytes()}


def make_disk(target, boot, root, scratch, site=None, uboot=False):
    """Writes a factory disk: both slots the same, A committed. site: {name: text} for the first partition."""
    target, scratch = Path(target), Path(scratch)
    scratch.mkdir(parents=True, exist_ok=True)
    lines, start = [f"label: dos\nlabel-id: 0x{DISK_SIGNATURE:08x}\n"], 1
    for number, kind, size, _ in LAYOUT:
        if number == 5:
            lines.append(f"4 : start={start}MiB, type=5\n")
        if number >= 5:
            start += 1  # a logical partition's own record
        lines.append(f"{number} : start={start}MiB, size={size}MiB, type={kind:x}\n")
        start += size
    target.unlink(missing_ok=True)
    with target.open("wb") as image:
        image.truncate((start + 1) * MIB)
    run("sfdisk", "--quiet", target, input="".join(lines))

    files = uboot_files(scratch) if uboot else {"autoboot.txt": AUTOBOOT.read_bytes()}
    files |= {name: text.encode() for name, text in (site or {}).items()}
    for name, content in files.items():
        (scratch / name).write_bytes(content)
    make_fat(scratch / "autoboot.vfat", 4 * MIB, "PICAM", [scratch / name for name in files])
    data = scratch / "data.ext4"
    data.unlink(missing_ok=True)
    run("mke2fs", "-q", "-t", "ext4", "-L", "data", data, "64M")
    contents = {"autoboot": scratch / "autoboot.vfat", "boot": boot, "root": root, "data": data}
    places = partitions(target)
    for number, _, size, content in LAYOUT:
        if Path(contents[content]).stat().st_size > size * MIB:
            raise ToolError(f"{contents[content]} does not fit partition {number} of {size} MiB")
        run("dd", f"if={contents[content]}", f"of={target}", "bs=1M", f"seek={places[number][1] // MIB}",
            "conv=notrunc,sparse")  # fmt: skip
    return target


def read_file(disk, number, name):
    """A file of a FAT partition, as bytes; None if it is not there."""
    offset = partitions(disk)[number][1]
    try:
        listing = run("mdir", "-b", "-i", f"{disk}@@{offset}", "::")
        if not re.search(rf"^::/{re.escape(name)}$", listing, re.MULTILINE | re.IGNORECASE):
            return None
        scratch = Path(f"{disk}.file")
        run("mcopy", "-n", "-o", "-i", f"{disk}@@{offset}", f"::{name}", scratch)
    except ToolError:
        return None
    data = scratch.read_bytes()
    scratch.unlink()
    return data


def make_bundle(target, boot, root, version, keys, scratch, compatible=COMPATIBLE):
    """Writes a signed verity bundle with both images of a slot. keys: (key, certificate)."""
    target, content = Path(target), Path(scratch)
    content.mkdir(parents=True, exist_ok=True)
    for name, image in (("boot.img", boot), ("rootfs.img", root)):
        (content / name).unlink(missing_ok=True)
        (content / name).hardlink_to(image)
    (content / "manifest.raucm").write_text(
        f"[update]\ncompatible={compatible}\nversion={version}\n\n[bundle]\nformat=verity\n\n"
        "[image.boot]\nfilename=boot.img\n\n[image.rootfs]\nfilename=rootfs.img\n"
    )
    target.unlink(missing_ok=True)
    run("rauc", f"--key={keys[0]}", f"--cert={keys[1]}", "bundle", content, target)
    return target
