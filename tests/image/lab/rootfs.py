"""The guest's root: Debian's programs, the real overlay, the real picam, as a squashfs."""

import lzma
import os
import re
import shutil
import struct
import tarfile
import time
from pathlib import Path

from .packages import UNSTABLE, Apt, Packages
from .tools import GUEST, ROOT, ToolError, run

# ELF's e_machine.
ELF_AARCH64 = 183
COMPATIBLE = "picam-qemu-aarch64"
SHELL = GUEST / "S98shell"
MODULES = ["loop", "dm_mod", "dm_verity", "nbd", "squashfs", "sha256_generic"]
EXECUTABLES = [
    "usr/bin/rauc",
    "usr/bin/dbus-daemon",
    "usr/sbin/e2fsck",
    "usr/sbin/mkfs.ext4",
    "usr/sbin/dropbear",
    "usr/bin/dropbearkey",
    "usr/bin/curl",
]
# hawkBit's updater. Its package is in no other release, and wants nothing that the guest's does not have.
UPDATER = "usr/bin/rauc-hawkbit-updater"
LIBRARIES = "usr/lib/aarch64-linux-gnu"
# Loaded by name, so no executable says that it needs them.
EXTRA_LIBRARIES = ["libnss_dns.so.2", "libnss_files.so.2", "libgcc_s.so.1"]


def picam_files(distribution):
    """{path below usr: bytes} of `distribution`: make dist's tarball, or a static aarch64 executable alone."""
    path = Path(distribution)
    if not path.exists():
        raise ToolError(f"{path} is missing: `make dist` makes it, PICAM_DIST_ARCHIVE=FILE names another tarball or executable")
    if path.read_bytes()[:4] == b"\x7fELF":
        files = {"bin/picam": path.read_bytes()}
    else:
        files = {}
        with tarfile.open(path) as tar:
            for member in tar:
                match = re.fullmatch(r"(?:\./)?(?:[^/]+/)?(bin/picam(?:-announce)?|share/.*)", member.name)
                if member.isfile() and match:
                    files[match[1]] = tar.extractfile(member).read()
    executable = files.get("bin/picam", b"")
    if executable[18:20] != struct.pack("<H", ELF_AARCH64) or b"/lib/ld-linux-aarch64" in executable[:4096]:
        raise ToolError(f"{path}: expected a static aarch64 picam, in a tarball as bin/picam")
    return files


def add_files(tree, files):
    """Writes picam_files() below usr of `tree`."""
    for name, content in files.items():
        path = Path(tree) / "usr" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644 if name.startswith("share/") else 0o755)


def default_distribution():
    """PICAM_DIST_ARCHIVE, or the newest tarball of dist/."""
    if os.environ.get("PICAM_DIST_ARCHIVE"):
        return Path(os.environ["PICAM_DIST_ARCHIVE"])
    found = sorted((ROOT / "dist").glob("picam-*-aarch64.tar.xz"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else ROOT / "dist/picam-VERSION-aarch64.tar.xz"


def copy_modules(packages, target, names):
    """Copies kernel modules and what they depend on into `target`, uncompressed; returns nothing."""
    base = packages.kernel_root / "usr/lib/modules" / packages.kernel
    if not (base / "modules.dep").exists():
        run("depmod", "-b", packages.kernel_root, packages.kernel)
    wanted = set()
    for name in names:
        for line in run("modprobe", "-d", packages.kernel_root, "-S", packages.kernel, "-D", name).splitlines():
            if line.startswith("insmod "):
                wanted.add(Path(line.split()[1]))
    folder = Path(target) / "lib/modules" / packages.kernel
    for path in wanted:
        to = folder / str(path).split(f"/{packages.kernel}/", 1)[1]
        to.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".xz":
            to = to.with_suffix("")
            to.write_bytes(lzma.decompress(path.read_bytes()))
        else:
            shutil.copy(path, to)
    for name in ("modules.builtin", "modules.order", "modules.builtin.modinfo"):
        if (base / name).exists():
            shutil.copy(base / name, folder)
    run("depmod", "-b", target, packages.kernel)


def needed_libraries(executables, folder):
    """The libraries in `folder` that executables or libraries need, and those that these need."""
    wanted, found = list(executables), {}
    while wanted:
        dynamic = run("readelf", "--dynamic", "--wide", wanted.pop())
        for name in set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)) - set(found):
            found[name] = folder / name
            if not found[name].exists():
                raise ToolError(f"no package of the guest has {name}")
            wanted.append(found[name])
    return list(found.values())


class RootTree:
    """A folder that becomes a root file system. Variants copy it and change a file or two."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def build(self, packages: Packages, distribution, keyring, version):
        """Fills the folder anew. keyring: the certificate that bundles must lead to."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("proc", "sys", "dev", "run", "tmp", "data", "boot", "root", "mnt", "etc", "var/lib", "usr/bin", "usr/sbin", LIBRARIES):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for link in ("bin", "sbin", "lib"):
            (self.folder / link).symlink_to(f"usr/{link}")
        for link in ("run", "log", "tmp"):
            (self.folder / "var" / link).symlink_to("/run" if link == "run" else "/tmp")
        self._add_programs(packages)
        shutil.copytree(ROOT / "rootfs-overlay", self.folder, symlinks=True, dirs_exist_ok=True)
        add_files(self.folder, picam_files(distribution))
        for name in ("passwd", "shadow", "group"):
            shutil.copy(GUEST / name, self.folder / "etc" / name)
        shutil.copy(SHELL, self.folder / "etc/init.d" / SHELL.name)
        script = "S85rauc-hawkbit-updater"
        self.write(f"etc/init.d/{script}", (ROOT / "buildroot/package/picam" / script).read_bytes(), 0o755)
        shutil.copy(keyring, self.folder / "etc/rauc/keyring.pem")
        configuration = self.folder / "etc/rauc/system.conf"
        configuration.write_text(configuration.read_text().replace("@COMPATIBLE@", COMPATIBLE))
        copy_modules(packages, self.folder, MODULES)
        self.set_version(version)

    def _add_programs(self, packages):
        busybox = self.folder / "usr/bin/busybox"
        shutil.copy(packages.root / "usr/bin/busybox", busybox)
        for name in run("qemu-aarch64-static", busybox, "--list-full").split():
            path = self.folder / (name if name.startswith("usr/") else f"usr/{name}")
            if not path.exists() and not path.is_symlink():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to("/bin/busybox")
        for name in EXECUTABLES:
            path = self.folder / name
            path.unlink(missing_ok=True)
            shutil.copy(packages.root / name, path)
        updater = Apt(name="apt-sid", release=UNSTABLE).unpacked("updater", ["rauc-hawkbit-updater"]) / UPDATER
        shutil.copy(updater, self.folder / UPDATER)
        self._add_libraries(packages, updater)
        for name in ("usr/share/dbus-1", "etc/dbus-1"):
            if (packages.root / name).exists():
                shutil.copytree(packages.root / name, self.folder / name, dirs_exist_ok=True)

    def _add_libraries(self, packages, updater):
        """Copies what the executables need."""
        folder = packages.root / LIBRARIES
        extra = [folder / name for name in EXTRA_LIBRARIES]
        executables = [*(packages.root / name for name in EXECUTABLES), updater]
        for path in extra + needed_libraries(executables + extra, folder):
            shutil.copy(path, self.folder / LIBRARIES / path.name)
        (self.folder / "usr/lib/ld-linux-aarch64.so.1").symlink_to(f"/{LIBRARIES}/ld-linux-aarch64.so.1")

    def write(self, name, content, mode=0o644):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)

    def set_version(self, version):
        self.version = version
        built = int(time.time())
        self.write("etc/picam-release", f"VERSION={version}\nCOMPATIBLE={COMPATIBLE}\nBUILD_TIME={built}\n")

    def squashfs(self, target):
        """Writes the root file system; everything in it belongs to root."""
        Path(target).unlink(missing_ok=True)
        run("mksquashfs", self.folder, target, "-comp", "zstd", "-Xcompression-level", "3", "-all-root", "-noappend",
            "-no-progress", "-quiet", "-no-xattrs")
        return Path(target)
