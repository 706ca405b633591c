"""What the tests install and boot: a factory disk, keys, and bundles, each variant once."""

from pathlib import Path

from . import bootfs, disk
from .packages import Packages
from .rootfs import RootTree, default_distribution
from .tools import run

FACTORY_VERSION = "1.0.0"


class Factory:
    """Builds into `folder`; what it built is kept there. Who inherits makes, or finds, the boot slot and the root."""

    def __init__(self, folder, keys):
        """keys: {"picam", "stranger": (key, certificate)}; the first one is whom the image trusts."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.keys = keys
        self.boot = self.folder / "boot.img"
        self.root = self.folder / f"root-{FACTORY_VERSION}.img"
        self.tree = RootTree(self.folder / "root")

    def built(self, build, reuse):
        """Calls `build`, unless an earlier factory has built all of it here and is `reuse`d."""
        stamp = self.folder / "complete"
        if not (reuse and stamp.exists()):
            stamp.unlink(missing_ok=True)
            build()
            stamp.touch()

    @property
    def kernel(self):
        """The release of its kernel, as uname says it."""
        return next((self.tree.folder / "lib/modules").iterdir()).name

    def disk(self, target, site=None, uboot=False):
        """A factory disk with the files of `site` on its first partition; for U-Boot or for the firmware player."""
        raise NotImplementedError

    def boot_variant(self, target, files):
        """A boot slot with other contents of some files, {name: bytes}."""
        raise NotImplementedError

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


class DebianFactory(Factory):
    """The image of Debian's packages, the overlay and picam."""

    def __init__(self, folder, reuse=False):
        super().__init__(folder, disk.make_keys(Path(folder) / "keys"))
        self.packages = Packages()

        def build():
            bootfs.boot_image(self.packages, self.folder / "boot", self.boot)
            self.tree.build(self.packages, default_distribution(), self.keys["picam"][1], FACTORY_VERSION)
            self.tree.squashfs(self.root)

        self.built(build, reuse)

    def disk(self, target, site=None, uboot=False):
        return disk.make_disk(target, self.boot, self.root, Path(f"{target}.parts"), site, uboot)

    def boot_variant(self, target, files):
        folder = self.folder / "boot-variant"
        run("rm", "-rf", folder)
        run("cp", "-a", self.folder / "boot", folder)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        bootfs.make_fat(target, bootfs.SIZE, "BOOT", folder.iterdir())
        return target
