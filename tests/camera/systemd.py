"""The side of Yocto's image: Debian's systemd and udev on the appliance's disk, with the units of meta-picam's recipes, in the
guest of the camera. The kernel and the programs are Debian's; picam, its scripts and its units are the image's own."""

import re
import shutil
from pathlib import Path

from image.lab.bootfs import COMMAND_LINE, DISK_SIGNATURE, initramfs, make_fat
from image.lab.disk import make_bundle, make_disk, make_keys
from image.lab.rootfs import COMPATIBLE, RootTree, add_files, copy_modules
from image.lab.tools import GUEST, ROOT, run

from camera.guest import MODULES, Guest

OVERLAY = ROOT / "rootfs-overlay"
RECIPES = ROOT / "meta-picam/recipes-picam"
# dash: a package's sh that no dependency names. BusyBox is there for the rest, as in the image.
PACKAGES = ["systemd", "systemd-sysv", "udev", "kmod", "mount", "util-linux", "coreutils", "dash", "base-files", "base-passwd", "passwd"]
PACKAGES += ["busybox-static", "e2fsprogs", "dosfstools", "grep", "sed", "procps", "dbus", "rauc", "rauc-service", "dropbear-bin"]
LEFT_OUT = ["usr/share/*", "usr/lib/udev/hwdb.d", "usr/lib/systemd/catalog", "usr/lib/aarch64-linux-gnu/perl*", "etc/systemd/network"]
KEPT = ("usr/share/base-passwd", "usr/share/dbus-1")
UNITS = ["picam.service", "picam-announce.service", "picam-data.service", "picam-guard.service", "picam-ssh.service"]
UNITS += ["picam-update.timer", "systemd-networkd.service", "lab-shell.service"]
# The image's kernels have the last four built in.
DRIVERS = [*MODULES, "i6300esb", "ext4", "vfat", "nls_cp437", "nls_ascii", "loop", "nbd", "dm_verity", "sha256_generic"]
VERSION, NEWER = "1.0.0", "1.1.0"
# In the image: bundles of VERSION and NEWER for a server of the guest's own, and the private key for picam-ssh.
SERVED = "srv"
SSH_KEY = "/root/key"
# What an image for a camera does not have, or what takes minutes where each instruction is emulated.
MASKED = ["ldconfig", "systemd-journal-catalog-update", "systemd-hwdb-update", "systemd-update-done", "console-getty", "systemd-logind"]
# As the recipe does it.
MASKED += ["rauc-mark-good"]
MASKED += ["systemd-pstore", "systemd-machine-id-commit", "systemd-timesyncd", "systemd-resolved"]
RELEASE = f"VERSION={{version}}\nCOMPATIBLE={COMPATIBLE}\nBUILD_TIME=1795305600\n"
SERVICE = """\
[Unit]
DefaultDependencies=no
Before=shutdown.target
[Service]
{lines}
[Install]
WantedBy=multi-user.target
"""


def build_systemd(packages, module, files, folder):
    """(initramfs, disk) in `folder`, with the drivers, the camera's among them, loaded at the start, and picam's files,
    {path below usr: bytes}."""
    folder = Path(folder)
    tree = folder / "root"
    shutil.copytree(packages.unpacked("systemd", packages.with_dependencies(PACKAGES)), tree, symlinks=True)
    _leave_out(tree)
    for name in ("proc", "sys", "dev", "run", "tmp", "data", "boot", "root", "var", "etc/systemd/system"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    add_files(tree, files)
    _as_the_recipes_say(tree)
    _users(tree)
    _applets(tree)
    extra = tree / "usr/lib/modules" / packages.kernel / "extra"
    extra.mkdir(parents=True)
    shutil.copy(module, extra)
    (tree / "usr/lib/modules-load.d").mkdir(exist_ok=True)
    (tree / "usr/lib/modules-load.d/drivers.conf").write_text("camera_module\ni6300esb\nloop\nnbd\ndm_verity\n")
    copy_modules(packages, tree, DRIVERS)
    shutil.copy(GUEST / "S98shell", tree / "usr/lib/lab-shell")
    shell = SERVICE.format(lines="Type=forking\nExecStart=/usr/lib/lab-shell start\nKillMode=process")
    (tree / "usr/lib/systemd/system/lab-shell.service").write_text(shell)
    run("systemctl", f"--root={tree}", "enable", *UNITS)
    run("systemctl", f"--root={tree}", "mask", *(f"{name}.service" for name in MASKED))
    run("systemctl", f"--root={tree}", "set-default", "multi-user.target")
    boot = folder / "boot.vfat"
    make_fat(boot, 4 << 20, "BOOT", [tree / "etc/picam-release"])  # the kernel is qemu's
    _bundles(tree, boot, folder)
    site = {"hostname.txt": "cam-7\r\n", "authorized_keys": _ssh_key(tree)}
    disk = make_disk(folder / "disk.img", boot, RootTree(tree).squashfs(folder / "root.squashfs"), folder / "partitions", site)
    initramfs(packages, folder / "initramfs", folder / "initramfs.img")
    return folder / "initramfs.img", disk


def _bundles(tree, boot, folder):
    """The root of these says its version and has little else: they are read and installed, not started."""
    keys = make_keys(folder / "keys")["picam"]
    configuration = (OVERLAY / "etc/rauc/system.conf").read_text()
    (tree / "etc/rauc").mkdir(exist_ok=True)
    (tree / "etc/rauc/system.conf").write_text(configuration.replace("@COMPATIBLE@", COMPATIBLE))
    shutil.copy(keys[1], tree / "etc/rauc/keyring.pem")
    (tree / SERVED).mkdir(exist_ok=True)
    for version in (VERSION, NEWER):
        small = folder / f"root-{version}"
        (small / "etc").mkdir(parents=True)
        (small / "etc/picam-release").write_text(RELEASE.format(version=version))
        shutil.copy(tree / "usr/bin/busybox", small)  # a bundle has a least size
        root = RootTree(small).squashfs(folder / f"root-{version}.img")
        make_bundle(tree / SERVED / f"{version}.raucb", boot, root, version, keys, folder / f"bundle-{version}")


def _ssh_key(tree):
    """Makes SSH_KEY; the line for authorized_keys."""
    command = ("qemu-aarch64-static", "-L", tree, tree / "usr/bin/dropbearkey")
    return re.search("^ssh-ed25519 .*$", run(*command, "-t", "ed25519", "-f", f"{tree}{SSH_KEY}"), re.M)[0] + "\n"


def _leave_out(tree):
    kept = [tree / name for name in KEPT]
    for pattern in LEFT_OUT:
        for path in tree.glob(pattern):
            if path not in kept:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    # The units of a machine with screens, many users and other disks.
    generators = tree / "usr/lib/systemd/system-generators"
    for path in generators.iterdir():
        if path.name != "systemd-fstab-generator":
            path.unlink()


def _as_the_recipes_say(tree):
    """Of rootfs-overlay what the recipes' SRC_URI names, and the recipes' own files."""
    text = (RECIPES / "picam-system/picam-system.bb").read_text()
    for name in re.findall(r"file://((?:etc|usr)/\S+)", text):
        source, target = OVERLAY / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    for name in ("usr/lib/systemd/system/picam.service", "usr/lib/systemd/system/picam-announce.service", "etc/picam/picam.toml"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(OVERLAY / name, tree / name)
    (tree / "etc/picam-release").write_text(RELEASE.format(version=VERSION))
    # OpenEmbedded's systemd-conf asks for an address on every cable.
    network = tree / "usr/lib/systemd/network/80-wired.network"
    network.write_text("[Match]\nType=ether\n[Network]\nDHCP=yes\n")
    (tree / "etc/machine-id").write_text("")
    (tree / "etc/hostname").write_text("picam\n")
    (tree / "etc/fstab").write_text("tmpfs /tmp tmpfs mode=1777 0 0\ntmpfs /var tmpfs mode=755 0 0\n")
    (tree / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")


def _users(tree):
    """Debian's and systemd's, and those of the recipe's USERADD_PARAM."""
    for name in ("passwd", "group"):
        text = (tree / f"usr/share/base-passwd/{name}.master").read_text()
        (tree / f"etc/{name}").write_text(text.replace("/bin/bash", "/bin/sh"))
    wanted = re.findall(r"--user-group (?:--groups (\w+) )?([\w-]+)", (RECIPES / "picam/picam.bb").read_text())
    assert ("video", "picam") in wanted
    lines = []
    for group, name in wanted:
        lines += [f'u {name} - "" /nonexistent /bin/false', *([f"m {name} {group}"] if group else [])]
    (tree / "usr/lib/sysusers.d/picam.conf").write_text("\n".join(lines) + "\n")
    run("qemu-aarch64-static", "-L", tree, tree / "usr/bin/systemd-sysusers", f"--root={tree}")


def _applets(tree):
    busybox = tree / "usr/bin/busybox"
    for name in run("qemu-aarch64-static", busybox, "--list-full").split():
        path = tree / (name if name.startswith("usr/") else f"usr/{name}")
        there = [path, tree / "usr/bin" / path.name, tree / "usr/sbin" / path.name]
        if path.name not in ("init", "reboot", "poweroff", "halt") and not any(it.exists() or it.is_symlink() for it in there):
            path.symlink_to("/usr/bin/busybox")


class SystemdGuest(Guest):
    """One machine, from its start on. What it writes to its disk is forgotten."""

    def __init__(self, packages, parts, folder):
        initramfs, disk = parts
        super().__init__(packages, initramfs, folder, disk=disk)
        self._disk[1] = self._disk[1].replace("readonly=on", "snapshot=on")

    def _command(self):
        command = super()._command()
        line = COMMAND_LINE.format(signature=DISK_SIGNATURE, number=5, slot="A")
        command[command.index("-append") + 1] = line.strip() + " oops=panic systemd.show_status=no"
        return [*command, "-device", "i6300esb"]

    def show(self, unit, name):
        """A property of a unit."""
        return self.run(f"systemctl show --value --property={name} {unit}")

    def log(self, unit):
        """What a unit has said since the machine's start."""
        return self.run(f"journalctl --boot --no-pager --output=cat --unit={unit}")
