"""Which slot boots, and which may be committed: rauc-backend and guard as they are, between resets that the player of the
firmware makes of their autoboot.txt and of the images' config.txt."""

import pytest
from image.lab.firmware import SOC, Bootloader, choose
from support.appliance import ROOT
from support.overlay import Overlay, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

BOOT = ROOT / "buildroot/board/common/boot"
NEW = {board: Bootloader(board) for board in SOC}
OLD = {"pi4": Bootloader("pi4", "2022-09-02"), "pi5": Bootloader("pi5", "2025-02-12")}
LIVE = """#!/bin/sh
case $1 in
--probe)
    n=$(($(cat /run/n 2>/dev/null || echo 0) + 1))
    echo $n >/run/n
    echo live $n
    ;;
--print-config) printf '[server]\\nlisten = "0.0.0.0:8000"\\n[camera]\\nrate = 8.0\\n' ;;
esac
"""
BLIND = LIVE.replace("echo live $n", "echo blind no signal")
SHORT = {"guard": {"PAUSE": 1, "TRIAL_FRESH": 3, "TRIAL_LIMIT": 600}}


def reset(autoboot, tryboot, bootloader, broken=()):
    """(slot, tryboot) of the next start, with these boot partitions broken."""
    files = {"autoboot.txt": autoboot.encode(), "config.txt": (BOOT / "config.txt").read_bytes(), "Image": b"kernel"}

    def read(partition, name):
        if partition == 1:
            return files[name] if name == "autoboot.txt" else None
        return None if partition in broken else files.get(name if name != "autoboot.txt" else "")

    partition, tryboot, config = choose(read, tryboot, bootloader)
    assert partition in (2, 3)
    return {"cmdline-a.txt": "A", "cmdline-b.txt": "B"}[config["cmdline"]], partition, tryboot


@pytest.fixture
def start(tmp_path_factory):
    """start(boot, bootloader): a root as `reset` has started it, whose update was armed for slot B, with a picam that has
    frames."""
    running = []

    def make(boot, bootloader, armed="B", picam=LIVE, times=SHORT):
        slot, partition, tryboot = boot
        root = Overlay(tmp_path_factory.mktemp("root"), times, {"usr/bin/picam": (picam, 0o755)}, slot)
        root.set_firmware(SOC[bootloader.board], **{k.replace("-", "_"): v for k, v in bootloader.device_tree(partition, tryboot).items()})
        running.append(root.__enter__())
        root.shell(f"mkdir -p /data/update; rm -f /data/update/staged; [ -z '{armed}' ] || echo {armed} >/data/update/staged")
        return root

    yield make
    for root in running:
        root.__exit__()


def autoboot(root):
    return root.shell("cat /boot/autoboot.txt") + "\n"


FACTORY = (BOOT / "autoboot.txt").read_text()


@pytest.mark.parametrize("bootloader", NEW.values(), ids=NEW)
def test_a_slot_that_was_tried_is_committed(start, bootloader):
    assert reset(FACTORY, False, bootloader) == ("A", 2, False)
    root = start(reset(FACTORY, True, bootloader), bootloader)
    root.start("/usr/lib/picam/guard")
    root.wait_event("slot B is committed")
    written = autoboot(root)
    assert len(written) == len(FACTORY) <= 512
    assert reset(written, False, bootloader) == ("B", 3, False)
    assert reset(written, True, bootloader) == ("A", 2, True)
    assert reset(written, False, OLD["pi4"])[:2] == ("B", 3), "what knows no sections starts the committed one, too"


def wait_asked(root, times):
    """Waits until the guard has asked so often."""
    root.wait(lambda: int(root.shell("cat /run/n 2>/dev/null || echo 0")) > times, "the guard to look")


@pytest.mark.parametrize("bootloader", NEW.values(), ids=NEW)
def test_a_slot_that_the_firmware_walked_to_is_adopted_once_it_has_proven_itself(start, bootloader):
    """Slot A is committed and cannot be started. Whether an update was armed before, or none ever, does not matter."""
    boot = reset(FACTORY, False, bootloader, broken={2})
    assert boot == ("B", 3, False)
    for armed in ("B", ""):
        root = start(boot, bootloader, armed)
        told = "slot B runs because the firmware could not start slot A: it is adopted once it has served frames for a while"
        assert f"committed: no; {told}" in root.shell("picam-update --status").splitlines()
        assert root.shell("picam-update x.raucb; echo $?") == f"picam-update: {told}: wait until it is\n2"
        assert "not on trial" in root.shell("/usr/lib/picam/rauc-backend set-state B good"), "by the guard alone"
        assert autoboot(root) == FACTORY
        root.start("/usr/lib/picam/guard")
        root.wait_event("slot B runs because the firmware could not start slot A: adopted after 3 s of fresh frames")
        root.wait_event("slot B is adopted in the place of slot A, which is marked bad: fresh frames for")
        root.wait(lambda: root.shell("cat /run/picam/starts").endswith(" B 1.0.0 walk adopted"), "the log of the starts")
        assert reset(autoboot(root), False, bootloader) == ("B", 3, False)
        assert root.shell("ls /data/update") == "slot-A.bad\nstarts" and "reboot" not in root.events()
        status = root.shell("picam-update --status").splitlines()
        assert status[:2] == ["running: 1.0.0 (picam-test) in slot B", "committed: yes"]
        assert status[-1].startswith("start: 1 ") and status[-1].endswith(" B 1.0.0 walk adopted")
        # The next update goes into the other slot, which is tried.
        assert root.shell("/usr/lib/picam/rauc-backend set-primary A; cat /run/picam/armed") == "A"


def test_a_slot_that_the_firmware_walked_to_has_nothing_to_fall_back_to(start):
    """Without frames it is neither adopted nor restarted after a trial's time."""
    boot = reset(FACTORY, False, NEW["pi5"], broken={2})
    root = start(boot, NEW["pi5"], picam=BLIND, times={"guard": {**SHORT["guard"], "TRIAL_LIMIT": 4}})
    root.start("/usr/lib/picam/guard")
    wait_asked(root, 10)
    assert autoboot(root) == FACTORY and "reboot" not in root.events() and "adopted in the place" not in root.events()
    assert root.shell("cat /run/picam/starts").endswith(" B 1.0.0 walk starting")


@pytest.mark.parametrize("bootloader", NEW.values(), ids=NEW)
def test_a_trial_that_nobody_remembers_is_not_committed(start, bootloader):
    boot = reset(FACTORY, True, bootloader)
    root = start(boot, bootloader, armed="")
    root.start("/usr/lib/picam/guard")
    root.wait_event("slot B runs although A is committed and no trial was asked for: the next start is in slot A")
    wait_asked(root, 8)
    assert autoboot(root) == FACTORY and "reboot" not in root.events()
    assert "slot B runs, but A is committed: restart, which starts slot A" in root.shell("picam-update x.raucb")


@pytest.mark.parametrize("bootloader", NEW.values(), ids=NEW)
def test_a_trial_that_cannot_be_started_walks_back(start, bootloader):
    boot = reset(FACTORY, True, bootloader, broken={3})
    assert boot == ("A", 2, True), "with tryboot set"
    root = start(boot, bootloader)
    root.start("/usr/lib/picam/guard")
    root.wait_event("the update in slot B did not hold; slot A goes on")
    assert autoboot(root) == FACTORY and "committed" not in root.events()


@pytest.mark.parametrize("bootloader", OLD.values(), ids=OLD)
def test_an_old_eeprom_boots_the_committed_slot_and_no_update_is_armed(start, bootloader):
    for tryboot in (False, True):
        assert reset(FACTORY, tryboot, bootloader)[0] == "A"
    root = start(reset(FACTORY, False, bootloader), bootloader, armed="")
    for command in ("picam-update x.raucb", "/usr/lib/picam/rauc-backend set-primary B"):
        assert f"EEPROM too old: it is of {bootloader.built}" in root.shell(command), command
    assert root.shell("ls /data/update /run/picam/armed 2>/dev/null") == "/data/update:"


def test_a_board_without_an_eeprom_may_try(start):
    root = start(reset(FACTORY, False, NEW["pi4"]), NEW["pi4"], armed="")
    root.set_firmware("brcm,bcm2837", partition=2, tryboot=0)
    assert root.shell("/usr/lib/picam/rauc-backend set-primary B; cat /run/picam/armed") == "B"
