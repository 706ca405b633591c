"""The same disk on qemu's Raspberry Pi 3: SD card and USB network. One boot, to see that nothing in the image is about
one machine. (qemu's raspi4b does not boot Debian's kernel; neither machine has a working watchdog.)"""

import time

from image.conftest import BOOT


def test_boots_to_a_jpeg(factory, make_machine, report):
    dtb = next((factory.packages.kernel_root / "usr/lib").rglob("bcm2837-rpi-3-b.dtb"))
    machine = make_machine(kind="raspi3b", dtb=dtb)
    # qemu wants an SD card's size to be a power of two.
    with machine.image.open("r+b") as image:
        image.truncate(256 << 20)
    started = time.monotonic()
    machine.power_on()
    _, body = machine.wait_jpeg(BOOT)
    report(f"raspi3b: first JPEG after {time.monotonic() - started:.1f} s, {len(body) / 1e3:.0f} kB")
    machine.wait(lambda: machine.runs[-1].slot == "A", 1, "slot A")
