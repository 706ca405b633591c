"""The appliance's root without its kernel: rootfs-overlay laid over this machine's own root, in namespaces of its own.

The scripts run as they are, under BusyBox, with their own process ids, mounts and network. Stand-ins take the place of
what would reach outside: `reboot`, `logger` and `modprobe` write a line to `events` instead, `sync` does nothing. Needs
root; nothing of this machine is changed.
"""

import contextlib
import ctypes
import os
import re
import shutil
import struct
import subprocess
import time
from pathlib import Path

from support.appliance import BINARY, PATIENCE, ROOT

CLONE_NEWNET = 0x40000000
# What the distributions add to these files.
USERS = {
    "passwd": "picam:x:900:900::/:/bin/false\npicam-announce:x:901:901::/:/bin/false\n",
    "group": "picam:x:900:\npicam-announce:x:901:\n",
}
# logger: with a text behind `--`, or with lines on its standard input.
_STAND_INS = {
    "logger": 'case "$*" in *" -- "*) echo "logger $*" >>/events/log ;; *) exec cat >>/events/log ;; esac',
    "reboot": 'echo "reboot $*" >>/events/log',
    "sync": ":",
    # The roots of the two slots, for want of block devices here, are folders.
    "mount": '''case "$*" in
    *"-t squashfs"*)
        eval "place=\\${$#} device=\\${$(($# - 1))}"
        exec /programs/busybox mount -o bind "/slots/${device##*/}" "$place"
        ;;
    *) exec /programs/busybox mount "$@" ;;
    esac''',
    "modprobe": 'echo "modprobe $*" >>/events/log',
}
# What an image has beside its BusyBox, as far as the scripts and their tests call it.
_OTHER_PACKAGES = ["dbus-daemon", "e2fsck", "fsck.fat", "mkfs.ext4", "setpriv"]
_START = """
set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/tree /mnt/root
cp -a {folder}/tree/. /mnt/tree
mount -t overlay overlay -o lowerdir=/mnt/tree:/ /mnt/root
cd /mnt/root
mount --rbind /dev dev
mount -t proc proc proc
mount --bind {folder}/cmdline proc/cmdline
for name in run data boot tmp; do mount -t tmpfs tmpfs $name; done
mount --bind {folder}/events events
mount --bind {folder}/sys sys
cp {folder}/boot/* boot
[ {slot} = A ] || {{ mkdir data/update; echo {slot} >data/update/staged; }}
ip link set lo up
exec chroot . sh -c 'echo ready; while :; do sleep 1; done'
"""


def _enter(namespace):
    if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def unavailable():
    """Why no such root can be made here, or None."""
    if os.geteuid() != 0:
        return "laying the overlay over this machine's root needs root"
    if not shutil.which("busybox"):
        return "there is no BusyBox"
    return None


class Overlay:
    """Context manager. `constants`: other values for NAME=NUMBER lines of a script, {script: {NAME: number}}, so that
    no test waits for minutes; `files`: {path: (text, mode)} more; `slot`: the one that runs; A is committed, B is on trial;
    `other`: the version in the slot that does not run; 1.0.0 runs;
    `busybox`: one whose applets are all that there is, beside _OTHER_PACKAGES, instead of this machine's and all else."""

    def __init__(self, folder, constants=None, files=None, slot="A", busybox=None, other="1.0.0"):
        self.folder = Path(folder)
        self._path = "/programs" if busybox else "/programs:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        tree = self.folder / "tree"
        shutil.copytree(ROOT / "rootfs-overlay", tree, symlinks=True)
        for name in ("data", "boot", "events", "sys"):
            (tree / name).mkdir()
            (self.folder / name).mkdir()
        self._programs(tree, busybox)
        if "usr/bin/picam" not in (files or {}):
            shutil.copy(BINARY, tree / "usr/bin/picam")
        shutil.copy(BINARY.with_name("picam-announce"), tree / "usr/bin/picam-announce")
        for name, values in (constants or {}).items():
            script = tree / "usr/lib/picam" / name
            text = script.read_text()
            for constant, value in values.items():
                text, count = re.subn(rf"^{constant}=\d+$", f"{constant}={value}", text, flags=re.M)
                assert count == 1, f"{name} has no {constant}"
            script.write_text(text)
        for name, (text, mode) in (files or {}).items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.write_text(text)
            path.chmod(mode)
        for name, version in (("root-a", other if slot == "B" else "1.0.0"), ("root-b", other if slot == "A" else "1.0.0")):
            self.set_version(name, version)
        (self.folder / "cmdline").write_text(f"console=ttyS0 rauc.slot={slot}\n")
        shutil.copy(ROOT / "buildroot/board/common/boot/autoboot.txt", self.folder / "boot")
        self.slot = slot
        self.set_firmware(partition={"A": 2, "B": 3}[slot], tryboot=int(slot == "B"))
        (self.folder / "events/log").touch()
        (self.folder / "events/log").chmod(0o666)

    def _programs(self, tree, busybox):
        programs = tree / "programs"
        programs.mkdir()
        shutil.copy(busybox or shutil.which("busybox"), programs / "busybox")
        applets = subprocess.run([programs / "busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
        for name in set(applets) - {"busybox"}:
            (programs / name).symlink_to("busybox")
        if busybox:
            for name in _OTHER_PACKAGES:
                (programs / name).unlink(missing_ok=True)
                (programs / name).symlink_to(shutil.which(name, path="/usr/bin:/usr/sbin"))
            for name in ("picam", "picam-update", "rauc"):
                (programs / name).symlink_to(f"/usr/bin/{name}")
        for name, script in _STAND_INS.items():
            (programs / name).unlink(missing_ok=True)
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        (tree / "usr/bin/sh").symlink_to("/programs/busybox")
        for name, lines in USERS.items():
            (tree / "etc" / name).write_text(Path("/etc", name).read_text() + lines)
        (tree / "etc/picam-release").write_text("VERSION=1.0.0\nCOMPATIBLE=picam-test\nBUILD_TIME=0\n")

    def set_firmware(self, compatible="brcm,bcm2712", **properties):
        """Writes what the firmware says in the device tree: the SoC, and numbers of /chosen/bootloader."""
        tree = self.folder / "sys/firmware/devicetree/base"
        shutil.rmtree(tree, ignore_errors=True)
        (tree / "chosen/bootloader").mkdir(parents=True)
        (tree / "compatible").write_bytes(compatible.encode() + b"\0")
        for name, value in properties.items():
            (tree / "chosen/bootloader" / name.replace("_", "-")).write_bytes(struct.pack(">I", value))

    def set_version(self, name, version):
        """Writes what the root in root-a or root-b says of itself; before the start."""
        release = self.folder / "tree/slots" / name / "etc/picam-release"
        release.parent.mkdir(parents=True, exist_ok=True)
        release.write_text(f"VERSION={version}\nCOMPATIBLE=picam-test\nBUILD_TIME=0\n")

    def __enter__(self):
        script = _START.format(folder=self.folder, slot=self.slot)
        isolated = ["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child"]
        self._holder = subprocess.Popen([*isolated, "sh", "-c", script], stdout=subprocess.PIPE, text=True)
        ready = self._holder.stdout.readline()
        if ready != "ready\n":
            self.__exit__()
            raise AssertionError("the root cannot be made; see above")
        # `exec` keeps the process: the only child of unshare. It has changed its root when it is ready, and reaps orphans.
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        self.pid = children[0]
        assert Path(f"/proc/{self.pid}/root/programs").exists(), "not in the new root: nothing is run there"
        self._inside = ["nsenter", "--target", self.pid, "--mount", "--pid", "--net", "--uts", "--root", "--wd"]
        return self

    def __exit__(self, *_):
        self._holder.kill()
        self._holder.wait()
        self._holder.stdout.close()

    def command(self, *words):
        """The command line that runs `words` inside."""
        return [*self._inside, "/usr/bin/env", f"PATH={self._path}", *words]

    def start(self, *words, **options):
        """Starts a program inside; it ends with the root at the latest."""
        return subprocess.Popen(self.command(*words), stdin=subprocess.DEVNULL, **options)

    def shell(self, script, timeout=PATIENCE):
        """What a script run by BusyBox's shell prints, both outputs, without the last line end."""
        done = subprocess.run(
            self.command("sh", "-c", script), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=timeout,
        )  # fmt: skip
        return done.stdout.rstrip("\n")

    @contextlib.contextmanager
    def network(self):
        """Sockets that this thread makes within, and the threads that it starts, are on the root's own network."""
        with open("/proc/thread-self/ns/net") as outside, open(f"/proc/{self.pid}/ns/net") as inside:
            _enter(inside)
            try:
                yield
            finally:
                _enter(outside)

    def events(self):
        """What the stand-ins were called with, and the log's lines."""
        return (self.folder / "events/log").read_text()

    def wait_event(self, pattern, timeout=PATIENCE):
        """Match object of the first event that matches."""
        return self.wait(lambda: re.search(pattern, self.events()), pattern, timeout)

    def wait(self, condition, what, timeout=PATIENCE):
        """What `condition` returns, once that is true."""
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{what}: not within {timeout} s; events:\n{self.events()[-3000:]}"
            time.sleep(0.05)
        return found
