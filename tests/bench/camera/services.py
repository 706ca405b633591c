"""The guest in which the two services run, one at a time, and what is done to them there.

The guest's clock counts instructions, so what must happen at one time is one command: between two of them the guest
may be seconds further. What the client kept is fetched when the service has ended, through its port.
"""

import contextlib
import io
import re
import tarfile
from typing import NamedTuple

from camera.guest import DEBUGFS, Guest, setting

from .disk import BESIDE

MODULES = ["virtio_blk", "squashfs"]
DEBIAN = "/debian"
CLIENT = f"{DEBIAN}/{BESIDE}/client"
KEPT = "/tmp/kept"
LOG = "/tmp/service.log"
CGROUP = "/sys/fs/cgroup/service"
# Debian's libcamera asks udev: a device counts when there is such a file.
UDEV = """mkdir -p {debian}/run/udev/data
for file in /sys/bus/media/devices/*/dev /sys/class/video4linux/*/dev; do
    read -r number <$file; echo I:1 >{debian}/run/udev/data/c$number
done"""


class Service(NamedTuple):
    """One of the two. command: what starts it, in the guest, at {width}, {height}, {hertz}."""

    name: str
    command: str


ORIGINAL = Service(
    "original",
    # The tree has no compiled Python: the first start writes it to memory.
    f"env PYTHONPATH=/{BESIDE}/site PYTHONPYCACHEPREFIX=/tmp/compiled "
    "LD_LIBRARY_PATH=/usr/lib/aarch64-linux-gnu/blas:/usr/lib/aarch64-linux-gnu/lapack "
    f"chroot {DEBIAN} /usr/bin/python3 /{BESIDE}/original.py {{width}}x{{height}} {{hertz}}",
)
PICAM = Service("picam", "picam --camera libcamera")


class Beside(Guest):
    """A guest with the disk of disk.py and the camera."""

    def prepare(self):
        """Mounts the disk and plugs the camera in."""
        self.run(f"mkdir -p {DEBIAN}; mount -t squashfs /dev/vda {DEBIAN}")
        self.run(f"for name in proc sys dev; do mount -o bind /$name {DEBIAN}/$name; done")
        self.run(f"for name in run tmp; do mount -t tmpfs tmpfs {DEBIAN}/$name; done")
        self.run(f"mount -t cgroup2 cgroup2 /sys/fs/cgroup; mkdir {CGROUP}")
        # Else the kernel keeps what is freed in lists of its own, of up to an eighth of the memory, and counts it as used.
        self.run("echo 100000 >/proc/sys/vm/percpu_pagelist_high_fraction")
        self.plug()
        self.run(UDEV.format(debian=DEBIAN))
        return self

    @contextlib.contextmanager
    def service(self, service, size, hertz):
        """Runs it under a supervisor; yields the seconds from its start to its first JPEG."""
        width, height = size
        self.run(f"printf '[camera]\\nwidth = {width}\\nheight = {height}\\nrate = {hertz:.1f}\\n' >/data/picam/picam.toml")
        command = service.command.format(width=width, height=height, hertz=hertz)
        supervise = f"setsid {DEBIAN}/{BESIDE}/supervise {command}"
        try:
            first = self.run(f"rm -f {LOG}; {supervise} & echo $! >/tmp/supervisor.pid; {CLIENT} first /jpg", 300)
            started = int(self.run(f"head -n 1 {LOG}").split()[0])
            yield (int(first.split()[1]) - started) / 1e6
        finally:
            self.run(
                "read pid </tmp/supervisor.pid; kill -9 $pid; read pid </tmp/service.pid; kill $pid; "
                "while kill -0 $pid 2>/dev/null; do usleep 10000; done; true"
            )
            self.set(reset=1)

    def held(self):
        """What the service holds now: memory in KiB, descriptors, and the camera's buffers as (number, bytes)."""
        status = self.run("read pid </tmp/service.pid; cat /proc/$pid/status; ls /proc/$pid/fd | wc -l")
        fields = {name: int(kib) for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", status, re.MULTILINE)}
        buffers = tuple(int(word) for word in self.read("buffers").split())
        return {**fields, "descriptors": int(status.split()[-1]), "buffers": buffers, "available": self.available()}

    def available(self):
        """MemAvailable of the guest in KiB."""
        return int(self.run("sed -n 's/^MemAvailable: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo"))

    def fetch(self):
        """{path: bytes} of what was kept, which is gone then. No service may run."""
        self.run(f"mkdir -p {KEPT} /tmp/www; tar -cf /tmp/www/kept.tar -C {KEPT} .; rm -r {KEPT}", 120)
        self.run("httpd -p 8000 -h /tmp/www")
        try:
            with tarfile.open(fileobj=io.BytesIO(self.get("/kept.tar", timeout=300)[2])) as tar:
                return {
                    member.name.removeprefix("./"): tar.extractfile(member).read() for member in tar if member.isfile()
                }
        finally:
            self.run("kill $(pidof httpd); rm -r /tmp/www")


def processor(command):
    """A command that runs `command` and prints what the service used of the processor meanwhile, in µs, and how long
    it took, as "before after began ended"."""
    usage = f"$(sed -n 's/usage_usec //p' {CGROUP}/cpu.stat)"
    return f"a={usage} b=$({CLIENT} now); {command}; echo processor $a {usage} $b $({CLIENT} now)"


def fault(broken, seconds, repaired):
    """A command that breaks the camera when a frame has just started: writes values to debugfs, and `seconds` later those
    of `repaired`."""
    frame = f"$(cat {DEBUGFS}/frame)"
    breaks = f"n={frame}; while [ {frame} = $n ]; do :; done; {setting(**broken)}; usleep {int(seconds * 1e6)}"
    return f"{breaks}; {setting(**repaired)}" if repaired else breaks
