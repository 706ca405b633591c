"""A Raspberry Pi with a Camera Module 3, as far as libcamera and picam can tell: Debian's kernel in qemu with
tests/camera-module, the real picam in an initramfs, nothing else."""

import os
import shutil
import time
from pathlib import Path

from image.lab.access import MachineError
from image.lab.bootfs import pack_initramfs, start_initramfs
from image.lab.guest import ICOUNT, InitramfsGuest, shell_devices
from image.lab.rootfs import add_files
from image.lab.tools import GUEST, run

from camera.picture import read_picture

HERE = Path(__file__).resolve().parent
MODULES = ["virtio_pci", "virtio_net", "virtio_console", "virtio_rng"]
MODULES += ["videodev", "videobuf2-v4l2", "videobuf2-vmalloc"]
DEBUGFS = "/sys/kernel/debug/camera-module"
# By this picam and libcamera choose their tuning files and where they allocate.
PI4 = ["raspberrypi,4-model-b", "brcm,bcm2711", "linux,dummy-virt"]
PI5 = ["raspberrypi,5-model-b", "brcm,bcm2712", "linux,dummy-virt"]
START_PICAM = "setsid picam --camera libcamera >>/tmp/picam.log 2>&1 </dev/null & echo $! >/tmp/picam.pid"
# The time since the guest was started, seconds. What takes place between two commands of the host takes any time: where
# that matters, a test gives one command for all.
CLOCK = "cut -d' ' -f1 /proc/uptime"
# Tables for picam: pictures that a guest encodes quickly.
SMALL = "[camera]\nwidth = 640\nheight = 360\n"
QUICK = "[jpeg]\nquality = 60\n" + SMALL
# What no test may leave in the kernel's log.
COMPLAINTS = r"WARNING|BUG|Oops|Call trace|Internal error"


def build_initramfs(packages, module, files, folder, more_modules=()):
    """Writes an initramfs with the module, `more_modules` of the kernel, and picam's files, {path below usr: bytes}, into
    `folder`; its path."""
    tree = Path(folder) / "tree"
    names = [*MODULES, *more_modules]
    start_initramfs(packages, tree, HERE / "init", names)
    shutil.copy(GUEST / "S98shell", tree / "S98shell")
    shutil.copy(module, tree / "camera_module.ko")
    (tree / "modules").write_text("\n".join(names) + "\n")
    add_files(tree, files)
    target = Path(folder) / "initramfs.img"
    pack_initramfs(tree, target)
    return target


class Guest(InitramfsGuest):
    """One machine, from start to stop. With `icount` its clock counts instructions. `disk`: an image, read only."""

    patience = 5  # it has what other tests leave of the host

    def __init__(self, packages, initramfs, folder, icount=True, megabytes=1536, compatible=PI4, disk=None):
        super().__init__(folder)
        self._compatible = compatible
        self._kernel = packages.kernel_root / "boot" / f"vmlinuz-{packages.kernel}"
        self._initramfs = initramfs
        self._speed = ICOUNT if icount else ["-accel", "tcg,thread=multi", "-smp", "2"]
        self._memory = ["-m", str(megabytes)]
        self._disk = []
        if disk:
            self._disk = ["-drive", f"file={disk},if=none,id=disk,format=raw,readonly=on"]
            self._disk += ["-device", "virtio-blk-pci,drive=disk,romfile="]

    def _command(self):
        qemu, machine = "qemu-system-aarch64", ["-cpu", "cortex-a72", *self._memory, "-nodefaults", "-nographic", "-no-reboot"]
        tree = self.folder / "machine.dtb"
        run(qemu, "-M", f"virt,dumpdtb={tree}", *machine, *self._speed[-2:])
        run("fdtput", "-t", "s", tree, "/", "compatible", *self._compatible)
        if self._compatible == PI5:  # the module's sensor needs a place in it there
            run("fdtput", "-c", tree, "/imx708@1a")
        return [
            "nice", "-n", "19", qemu, "-M", "virt", *machine, *self._speed, "-serial", "stdio",
            "-kernel", str(self._kernel), "-initrd", str(self._initramfs), "-dtb", str(tree),
            "-append", "console=ttyAMA0 loglevel=6 panic=5 oops=panic",
            "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:8000",
            "-device", "virtio-net-pci,netdev=net,romfile=",
            "-device", "virtio-rng-pci", *shell_devices(self._shell_path), *self._disk,
        ]  # fmt: skip

    # The camera

    def plug(self, **parameters):
        """Loads the module with these parameters."""
        self.run("insmod /camera_module.ko " + " ".join(f"{name}={value}" for name, value in parameters.items()))

    def unplug(self):
        """Unloads it. Nothing may use the camera."""
        self.run("rmmod camera_module")

    def set(self, **values):
        """Writes files of the module's debugfs: the scene and the faults."""
        self.run(setting(**values))

    def read(self, name):
        """A file of the module's debugfs."""
        return self.run(f"cat {DEBUGFS}/{name}")

    def clock(self):
        """Seconds since the guest was started, which are its own: the journal's, and those in pictures. 10 ms exact."""
        return float(self.run(CLOCK))

    def journal(self, since=0.0):
        """The module's journal as (seconds, words of the line), from `since` on."""
        lines = [line.split() for line in self.read("journal").splitlines()]
        return [(int(time) / 1e6, words) for time, *words in lines if int(time) / 1e6 >= since]

    def complaints(self):
        """Lines of the kernel's log that no test may leave there."""
        return self.run(f"dmesg | grep -E '{COMPLAINTS}'", check=False)

    # picam

    def start_picam(self, tables=""):
        """Starts picam on the camera, with `tables` of TOML beside source and address; its log is /tmp/picam.log."""
        self.run(f"cat >/data/picam/picam.toml <<'END'\n{tables}\nEND\n{START_PICAM}")

    def stop_picam(self, seconds=30):
        """Ends picam as a supervisor would."""
        self.run("read pid </tmp/picam.pid; kill $pid; while kill -0 $pid 2>/dev/null; do usleep 50000; done", seconds)

    def picture(self):
        """The picture of a frame that began after the question."""
        return read_picture(self.wait_jpeg(20, "/jpg?fresh=1")[1])

    def wait_for(self, condition, seconds, what, pause=0.2):
        """Waits until `condition()` gives something; that."""
        deadline = time.monotonic() + seconds * self.patience
        while not (found := condition()):
            if time.monotonic() > deadline:
                log = self.run("tail -n 20 /tmp/picam.log", check=False)
                raise MachineError(f"waited {seconds * self.patience} s for {what}; {log}")
            time.sleep(pause)
        return found


def setting(**values):
    """The command that writes files of the module's debugfs."""
    return "; ".join(f"echo {value} >{DEBUGFS}/{name}" for name, value in values.items())


def wanted():
    """Whether the environment asks for these tests."""
    return bool(os.environ.get("PICAM_TEST_CAMERA"))


def full():
    """Whether it asks for the long ones."""
    return os.environ.get("PICAM_TEST_CAMERA") == "full"
