"""The factory of an image that somebody else made: Buildroot's for qemu.

Boot slot, kernel, programs and the sizes of the partitions are the image's. What the tests add to its root is their
shell, and the version that they expect.
"""

import os
import re
import shutil
from pathlib import Path

from . import disk
from .factory import FACTORY_VERSION, DebianFactory, Factory
from .rootfs import COMPATIBLE, SHELL
from .tools import ROOT, ToolError, run

# Names the folder with the image to test, in the place of the one made of Debian's packages.
GIVEN = "PICAM_IMAGE"
DISK, BOOT, SQUASHFS = "sdcard.img", "boot.vfat", "rootfs.squashfs"
KEYS = ROOT / "dist/keys"


def image_files(images):
    """(disk, boot slot, root) in the folder `images`, made by Buildroot for qemu; ToolError if it is something else."""
    found = tuple(Path(images) / name for name in (DISK, BOOT, SQUASHFS))
    for path in found:
        if not path.is_file():
            raise ToolError(f"{path} is missing: expected Buildroot's output/images, as `make buildroot-image` prints it")
    release = run("unsquashfs", "-cat", found[-1], "etc/picam-release")
    board = re.search(r"^COMPATIBLE=(.*)$", release, re.MULTILINE)[1]
    if board != COMPATIBLE:
        raise ToolError(f"{images} is for {board}: qemu has no such board, it boots {COMPATIBLE}")
    return found


def copy_disk(source, target, site):
    """Copies a card, with the files of `site`, {name: text}, on its first partition."""
    run("cp", "--sparse=always", source, target)
    first = disk.partitions(target)[1][1]
    _put(f"{target}@@{first}", {name: text.encode() for name, text in site.items()}, Path(f"{target}.file"))


def _put(image, files, scratch):
    """Writes {name: bytes} into a FAT image, as mtools name it; by the file `scratch`."""
    for name, content in files.items():
        scratch.write_bytes(content)
        run("mcopy", "-n", "-o", "-i", image, scratch, f"::{name}")
        scratch.unlink()


def _signer():
    """(key, certificate) that the image trusts."""
    names = {"KEY": "key.pem", "CERT": "cert.pem"}
    found = tuple(ROOT / (os.environ.get(f"PICAM_RAUC_{name}") or KEYS / file) for name, file in names.items())
    for path in found:
        if not path.is_file():
            raise ToolError(f"{path} is missing: PICAM_RAUC_KEY and PICAM_RAUC_CERT name what signs bundles for the image")
    return found


class GivenFactory(Factory):
    """Of the folder `images`."""

    def __init__(self, images, folder, reuse=False):
        keys = {**disk.make_keys(Path(folder) / "keys"), "picam": _signer()}
        super().__init__(folder, keys)
        self._card, self.boot, self._squashfs = image_files(images)
        self.built(self._build, reuse)

    def _build(self):
        # Variants are packed as if all belonged to root, so packing needs no root.
        listed = run("unsquashfs", "-lln", self._squashfs)
        for owner, name in re.findall(r"^[-a-z]\S{9} (\d+/\d+) .* squashfs-root(/\S*)", listed, re.MULTILINE):
            if owner != "0/0":
                print(f"{self._squashfs.name}: {name} belongs to {owner}, in the tests to root")
        shutil.rmtree(self.tree.folder, ignore_errors=True)
        run("unsquashfs", "-no-progress", "-dest", self.tree.folder, self._squashfs)
        self.tree.write(f"etc/init.d/{SHELL.name}", SHELL.read_bytes(), 0o755)
        self.tree.set_version(FACTORY_VERSION)
        self.tree.squashfs(self.root)

    def disk(self, target, site=None, uboot=False):
        if uboot:
            raise ToolError(f"{GIVEN}: U-Boot starts no image for {COMPATIBLE}")
        copy_disk(self._card, target, site or {})
        places = disk.partitions(target)
        for number in (5, 6):
            if self.root.stat().st_size > places[number][2]:
                raise ToolError(f"{self.root} does not fit partition {number} of {places[number][2] >> 20} MiB")
            run("dd", f"if={self.root}", f"of={target}", "bs=512", f"seek={places[number][1] // disk.SECTOR}", "conv=notrunc")
        return target

    def boot_variant(self, target, files):
        shutil.copy(self.boot, target)
        _put(target, files, Path(f"{target}.file"))
        return target


def is_given():
    """Whether the image to test is somebody else's."""
    return bool(os.environ.get(GIVEN))


def make_factory(reuse=False):
    """Of the image to test. reuse: what an earlier factory built of it is taken."""
    if is_given():
        return GivenFactory(ROOT / os.environ[GIVEN], ROOT / "dist/image-given", reuse)
    return DebianFactory(ROOT / "dist/image", reuse=reuse)
