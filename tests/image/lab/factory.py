"""Everything that `make image` makes: a disk, keys, and bundles, each variant once."""

from pathlib import Path

from . import bootfs, disk
from .packages import Packages
from .rootfs import RootTree, default_distribution
from .tools import run

FACTORY_VERSION = "1.0.0"


class Factory:
    """Builds into `folder`; what it built is kept there. With `reuse`, what an earlier one built there is taken."""

    def __init__(self, folder, distribution=None, reuse=False):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.distribution = Path(distribution or default_distribution())
        self.keys = disk.make_keys(self.folder / "keys")
        self.boot = self.folder / "boot.img"
        self.root = self.folder / f"root-{FACTORY_VERSION}.img"
        self.tree = RootTree(self.folder / "root")
        stamp = self.folder / "complete"
        self.packages = Packages()
        if reuse and stamp.exists():
            return
        stamp.unlink(missing_ok=True)
        bootfs.boot_image(self.packages, self.folder / "boot", self.boot)
        self.tree.build(self.packages, self.distribution, self.keys["picam"][1], FACTORY_VERSION)
        self.tree.squashfs(self.root)
        stamp.touch()

    def disk(self, target, site=None, uboot=False):
        """A factory disk with the files of `site` on its first partition; for U-Boot or for the firmware player."""
        return disk.make_disk(target, self.boot, self.root, Path(f"{target}.parts"), site, uboot)

    def boot_variant(self, target, files):
        """A boot slot with other contents of some files, {name: bytes}."""
        folder = self.folder / "boot-variant"
        run("rm", "-rf", folder)
        run("cp", "-a", self.folder / "boot", folder)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        bootfs.make_fat(target, bootfs.SIZE, "BOOT", folder.iterdir())
        return target

    def bundle(self, name, version, change=None, boot=None, signer="picam", compatible=None):
        """A bundle of a root with `version` in it. change: called with the tree of the root, to break it."""
        tree = RootTree(self.folder / f"variant-{name}")
        run("rm", "-rf", tree.folder)
        run("cp", "-al", self.tree.folder, tree.folder)
        tree.set_version(version)
        if change:
            change(tree)
        root = tree.squashfs(self.folder / f"root-{name}.img")
        target = self.folder / "bundles" / f"{name}.raucb"
        target.parent.mkdir(exist_ok=True)
        options = {"compatible": compatible} if compatible else {}
        return disk.make_bundle(
            target, boot or self.boot, root, version, self.keys[signer], self.folder / f"bundle-{name}", **options
        )
