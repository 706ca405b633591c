"""The A/B boot by U-Boot, for boards whose firmware does not know tryboot: Debian's U-Boot for qemu runs Buildroot's
boot.cmd, reads and writes slots.env on the card's first partition and counts the attempts of a trial."""

import pytest

from image.conftest import BOOT
from image.lab.fileserver import FileServer
from image.test_update import INSTALL, TRIAL, does_not_start, has_no_init


@pytest.fixture(scope="module")
def server(factory):
    bundles = factory.bundle("uboot-good", "1.1.0").parent
    factory.bundle("uboot-no-start", "1.2.0", does_not_start)
    factory.bundle("uboot-no-boot", "1.3.0", has_no_init)
    with FileServer(bundles) as running:
        yield running


def install(machine, url):
    """Starts an update and waits for the restart that it ends with; the number of boots before it."""
    boots = len(machine.runs)
    machine.shell(f"picam-update {url} >/run/update.out 2>&1 &")
    machine.wait_boots(boots + 1, INSTALL)
    assert machine.runs[boots - 1].ended == "restart", machine.history()
    return boots


def slots(machine):
    return machine.shell("tr -d '\\000' </boot/slots.env").split()


def test_committed_and_counted_down(make_machine, server, report):
    machine = make_machine(kind="uboot")
    machine.power_on()
    machine.wait_jpeg(BOOT)
    assert machine.runs[0].slot == "A" and slots(machine) == ["committed=A", "left=0", "trial=-"]

    boots = install(machine, server.url("uboot-good.raucb"))
    machine.wait_console("picam: slot B, 2 attempts left", 60, since=boots)
    machine.wait_console("slot B is committed", TRIAL + BOOT, since=boots)
    assert slots(machine) == ["committed=B", "left=0", "trial=-"]
    machine.power_cut()
    machine.power_on()
    machine.wait_jpeg(BOOT)
    assert machine.runs[-1].slot == "B"

    # The guard sees that nothing comes of it: one attempt is enough.
    boots = install(machine, server.url("uboot-no-start.raucb"))
    machine.wait_console("picam: slot A, 2 attempts left", 60, since=boots)
    machine.wait_console("the update in slot A did not hold; slot B goes on", TRIAL + BOOT, since=boots + 1)
    assert len(machine.runs) == boots + 2, machine.history()
    machine.wait_jpeg(BOOT)
    assert slots(machine) == ["committed=B", "left=0", "trial=-"]

    # Nobody is there to see it: the attempts are used up.
    boots = install(machine, server.url("uboot-no-boot.raucb"))
    machine.wait_console("the update in slot A did not hold; slot B goes on", 4 * BOOT, since=boots)
    assert [run.slot for run in machine.runs[boots:]] == ["A", "A", "A", "B"], machine.history()
    machine.wait_jpeg(BOOT)
    assert "1.3.0 did not hold" in machine.shell("picam-update --status")
    report(f"U-Boot: committed, one failed trial, three failed starts; {machine.history()}")
