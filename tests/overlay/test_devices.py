"""Which drivers are loaded at the start, and who may open what they make, by BusyBox's mdev and by udev's rules."""

import re

import pytest
from support.appliance import ROOT
from support.overlay import Overlay, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

# As on a Pi 4: a device of the device tree has a file with its alias, one of vchiq's bus tells it in its events.
PLATFORM = "of:NcsiT(null)Cbrcm,bcm2835-unicam"
VCHIQ = ["vchiq:bcm2835-isp", "vchiq:bcm2835-codec"]
# {device: its type} of a camera, as the kernel names them.
CAMERA = ["video0", "video12", "media0", "media3", "v4l-subdev0", "v4l-subdev11", "dma_heap/system", "dma_heap/linux,cma", "udmabuf"]
OTHERS = {"null": "root root 666", "mmcblk0p7": "root root 660", "watchdog": "root root 660", "ttyAMA0": "root root 660", "tty1": "root tty 660"}


@pytest.fixture
def root(tmp_path):
    devices = tmp_path / "sys/bus"
    with Overlay(tmp_path) as root:
        for bus, aliases in (("platform", [PLATFORM]), ("vchiq-bus", VCHIQ)):
            for alias in aliases:
                folder = devices / bus / "devices" / re.sub(r"\W", "-", alias)
                folder.mkdir(parents=True)
                (folder / "uevent").write_text(f"DRIVER=\nMODALIAS={alias}\n")
                if bus == "platform":
                    (folder / "modalias").write_text(alias + "\n")
        (devices / "cpu/devices/cpu0").mkdir(parents=True)
        (devices / "cpu/devices/cpu0/uevent").write_text("OF_NAME=cpu\n")
        yield root


def test_coldplug_loads_with_mdev_what_it_loads_with_udev(root):
    events = root.shell("cat /sys/bus/*/devices/*/uevent")
    by_udev = set(re.findall("^MODALIAS=(.*)$", events, re.M))  # from the events, each of which it asks for again
    by_mdev = set(root.shell("find /sys/ -name modalias -print0 | xargs -0 cat").split())  # Buildroot's S10mdev
    assert root.shell("/etc/init.d/S11coldplug start") == ""
    ours = re.findall("^modprobe -bq (.*)$", root.events(), re.M)
    assert sorted(ours) == sorted(VCHIQ)
    assert by_mdev | set(ours) == by_udev == {PLATFORM, *VCHIQ}


def test_a_device_that_appears_late_is_the_cameras_group_s(root):
    """mdev is called as the kernel would call it, long after picam's start."""
    root.shell("mount -t tmpfs tmpfs /dev; mknod /dev/null c 1 3")
    for number, name in enumerate([*CAMERA, *OTHERS]):
        folder = root.folder / f"sys/class/x/{name}"
        folder.mkdir(parents=True)
        (folder / "dev").write_text(f"240:{number}\n")
        assert root.shell(f"ACTION=add SUBSYSTEM=x DEVPATH=/class/x/{name} DEVNAME={name} mdev") == ""
    owners = {name: root.shell(f"stat -c '%U %G %a' '/dev/{name}'") for name in [*CAMERA, *OTHERS]}
    assert owners == {name: "root video 660" for name in CAMERA} | OTHERS


def test_a_driver_is_loaded_for_what_appears_late(root):
    root.shell("mount -t tmpfs tmpfs /dev; mknod /dev/null c 1 3")
    assert root.shell("ACTION=add SUBSYSTEM=vchiq-bus DEVPATH=/bus/vchiq-bus/devices/x MODALIAS=vchiq:bcm2835-isp mdev") == ""
    assert "modprobe -bq vchiq:bcm2835-isp" in root.events()


def test_udev_gives_the_same_devices_to_the_same_group():
    rules = (ROOT / "rootfs-overlay/etc/udev/rules.d/60-picam.rules").read_text()
    assert 'SUBSYSTEM=="video4linux|media|dma_heap", GROUP="video", MODE="0660"' in rules
    assert 'KERNEL=="udmabuf", GROUP="video", MODE="0660"' in rules
