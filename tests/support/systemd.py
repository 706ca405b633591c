"""systemd in a box: this machine's own, as the first process of namespaces of its own, over a copy-on-write view of this
machine's root. Units run with all that they ask for (capabilities, system call filters, mounts of their own, notification,
watchdog) at this machine's speed. Needs root and a cgroup2 file system; nothing of this machine is changed.

What is not as on an appliance: no devices, no udev, BusyBox only where a test puts it, and /proc/sys and /sys are read-only.
"""

import contextlib
import os
import subprocess
import time
from pathlib import Path

from support.appliance import PATIENCE

SYSTEMD = Path("/usr/lib/systemd/systemd")
# Reaches beyond the namespaces: the clock, the kernel itself.
_DROPPED = "-sys_time,-sys_module,-sys_rawio"
_START = """
set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
cp -a {folder}/tree/. /mnt/upper
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
cd /mnt/root
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --bind {folder}/cmdline proc/cmdline
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs sys/firmware
cp -a {folder}/firmware/. sys/firmware
mount -t cgroup2 cgroup2 sys/fs/cgroup
for name in run tmp data boot dev etc/systemd/system; do mount -t tmpfs -o mode=755 tmpfs $name; done
chmod 1777 tmp
cp -a {folder}/tree/etc/systemd/system/. etc/systemd/system
cp -a {folder}/boot/. boot
{devices}
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
: >dev/console
ip link set lo up
exec chroot . setpriv --bounding-set={dropped} env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin {systemd} --unit=multi-user.target
"""


def _cgroups():
    """This process's place in the cgroup2 file system, if that can be written to."""
    own = next((line[3:].strip("/") for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")), "")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2" and "rw" in options.split(","):
            return Path(place, own)
    return None


def unavailable():
    """Why no systemd can be started here, or None."""
    if os.geteuid() != 0:
        return "systemd in namespaces of its own needs root"
    if not SYSTEMD.exists():
        return "there is no systemd"
    if _cgroups() is None:
        return "no cgroup2 file system can be written to"
    return None


class Systemd:
    """Context manager. Of this machine's /etc/systemd/system nothing is seen, so that only what is enabled here is started.
    `slot`: what the kernel's command line says; `devices`: {name below /dev: device of this machine} besides the usual.
    What lies in the folders `tree`, `boot` and `firmware` of `folder` is laid over the root, and put into /boot and
    /sys/firmware."""

    def __init__(self, folder, slot="A", devices=None):
        self.folder = Path(folder)
        self._devices = {name: f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")} | (devices or {})
        self.tree = self.folder / "tree"
        for name in ("tree/etc/systemd/system", "tree/data", "tree/boot", "boot", "firmware"):
            (self.folder / name).mkdir(parents=True)
        # Not this machine's: its file systems, its identity, and its word that packages start nothing.
        for name, text, mode in (("etc/fstab", "", 0o644), ("etc/machine-id", "", 0o644), ("usr/sbin/policy-rc.d", "#!/bin/sh\n", 0o755)):
            self.put(name, text, mode)
        for name in ("console-getty", "systemd-logind", "systemd-resolved", "systemd-networkd", "systemd-udevd"):
            (self.tree / f"etc/systemd/system/{name}.service").symlink_to("/dev/null")
        (self.folder / "cmdline").write_text(f"rauc.slot={slot}\n")

    def put(self, name, text, mode=0o644):
        """A file of the tree."""
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def enable(self, *units):
        subprocess.run(["systemctl", f"--root={self.tree}", "enable", *units], check=True, capture_output=True)

    def __enter__(self):
        self._cgroup = _cgroups() / f"picam-test-{os.getpid()}-{time.monotonic_ns()}"
        self._cgroup.mkdir()
        devices = "\n".join(f": >dev/{name}; mount --bind {device} dev/{name}" for name, device in self._devices.items())
        script = _START.format(folder=self.folder, dropped=_DROPPED, systemd=SYSTEMD, devices=devices)
        isolated = ["unshare", "--mount", "--cgroup", "--pid", "--uts", "--ipc", "--net", "--fork", "--kill-child", "sh", "-c", script]
        enter = 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"'
        with (self.folder / "start.log").open("w") as log:
            self.holder = subprocess.Popen(["sh", "-c", enter, "sh", self._cgroup, *isolated], stdin=subprocess.DEVNULL, stderr=log)
        try:
            self._wait_for_systemd()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait_for_systemd(self):
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")

        def started():
            assert self.holder.poll() is None, (self.folder / "start.log").read_text()
            pids = children.read_text().split()
            return pids and Path(f"/proc/{pids[0]}/comm").read_text() == "systemd\n" and pids[0]

        pid = wait(started, "systemd")
        self._inside = ["nsenter", "--target", pid, "--all", "--root", "--wd", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        wait(lambda: self.shell("systemctl is-system-running") in ("running", "degraded"), "all units")

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()
        for folder, _, _ in os.walk(self._cgroup, topdown=False):
            wait(lambda folder=folder: _removed(folder), f"the end of {folder}")

    def shell(self, script, timeout=PATIENCE):
        """What a script prints, both outputs, without the last line end."""
        return self.run(script, timeout).stdout.rstrip("\n")

    def run(self, script, timeout=PATIENCE):
        command = [*self._inside, "sh", "-c", script]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout
        )

    def show(self, unit, name):
        """A property of a unit."""
        return self.shell(f"systemctl show --value --property={name} {unit}")

    def log(self, unit=None):
        return self.shell("journalctl --no-pager --output=cat" + (f" --unit={unit}" if unit else ""))


def _removed(folder):
    with contextlib.suppress(FileNotFoundError):
        try:
            os.rmdir(folder)
        except OSError:
            return False
    return True


def wait(condition, what, timeout=PATIENCE):
    """What `condition` returns, once that is true."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(0.05)
    return found
