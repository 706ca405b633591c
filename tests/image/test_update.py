"""The update from end to end: what is refused, what is committed, and every way in which a slot fails its trial.

The tests of this file are one story on one machine and run in order.
"""

import time

import pytest

from image.conftest import BOOT
from image.lab.factory import FACTORY_VERSION
from image.lab.fileserver import FileServer

# Installing under emulation: 30 MB over HTTP, verified and written.
INSTALL = 240
# usr/lib/picam/guard: 30 s of fresh frames within 120 s.
TRIAL = 150


def does_not_start(tree):
    """Half an executable."""
    tree.write("usr/bin/picam", b"\x7fELF" + bytes(60), 0o755)


def serves_no_frames(tree):
    """The real picam, whose camera stops delivering, also after a restart; HTTP goes on."""
    script = (tree.folder / "usr/lib/picam/supervise").read_text()
    tree.write("usr/lib/picam/supervise", script.replace("set -u\n", "set -u\nexport PICAM_TEST_FAULTS=1\n", 1), 0o755)
    stall = (
        "#!/bin/sh\n[ $1 = start ] || exit 0\n"
        "while :; do wget -q -O - 'http://127.0.0.1:8000/debug/stall?seconds=60'; sleep 0.2; done >/dev/null 2>&1 &\n"
    )
    tree.write("etc/init.d/S61stall", stall, 0o755)


def has_no_init(tree):
    """A root that the kernel cannot start. Without an initramfs, as in an image that PICAM_IMAGE names, it would start a shell
    on the console; here the initramfs gives up."""
    (tree.folder / "sbin/init").unlink()


@pytest.fixture(scope="module")
def server(factory):
    factory.bundle("stranger", "1.1.0", signer="stranger")
    factory.bundle("other-board", "1.1.0", compatible="picam-rpi5")
    factory.bundle("older", "0.9.0")
    factory.bundle("below-the-floor", "0.0.9")
    good = factory.bundle("good", "1.1.0")
    corrupted = bytearray(good.read_bytes())
    corrupted[len(corrupted) // 2] ^= 1
    (good.parent / "corrupted.raucb").write_bytes(corrupted)
    factory.bundle("no-start", "1.2.0", does_not_start)
    factory.bundle("no-frames", "1.3.0", serves_no_frames)
    factory.bundle("no-boot", "1.4.0", has_no_init)
    hanging = factory.folder / "boot-hanging.img"
    factory.boot_variant(hanging, {"Image": b"\0\0\0\x14" * 4096})  # branches to itself
    factory.bundle("no-kernel", "1.5.0", boot=hanging)
    with FileServer(good.parent) as running:
        yield running


def refused(machine, url):
    code, output = machine.shell_code(f"picam-update {url}", INSTALL)
    assert code in (1, 2), output
    assert machine.shell("cat /run/picam/armed 2>/dev/null || echo none") == "none"
    return output


def install(machine, url):
    """Starts an update; returns the boot of its trial."""
    boots = len(machine.runs)
    machine.shell(f"picam-update {url} >/run/update.out 2>&1 &")
    machine.wait(lambda: machine.runs[-1].ended or len(machine.runs) > boots, INSTALL, f"{url} to be installed")
    trial = machine.wait_boots(boots + 1, 60)
    assert machine.runs[boots - 1].ended == "tryboot", machine.history()
    assert trial.tryboot
    return trial


def falls_back(machine, url, report, how):
    """A bundle whose trial fails: the machine comes back with what it had, by itself."""
    before = machine.shell("picam-update --status").splitlines()[0]
    boots = len(machine.runs)
    trial = install(machine, url)
    started = time.monotonic()
    machine.wait(lambda: trial.ended, TRIAL + BOOT, "the trial to end")
    assert trial.ended == how, machine.history()
    machine.wait_boots(boots + 2, 60)
    machine.wait_jpeg(BOOT)
    report(f"{url.rpartition('/')[2]}: back with a picture {time.monotonic() - started:.0f} s after the trial began")
    machine.wait_console("did not hold", 60, since=boots + 1)
    after = machine.shell("picam-update --status")
    assert after.splitlines()[:2] == [before, "committed: yes"]
    return after


def follow(machine, url):
    machine.shell(f"printf '\\n[update]\\nurl = \"{url}\"\\n' >>/data/picam/picam.toml")


def unfollow(machine):
    machine.shell("sed -i '/^.update/,$d' /data/picam/picam.toml")


def test_wrong_key_is_refused(machine, server):
    assert "certificate" in refused(machine, server.url("stranger.raucb"))


def test_corrupted_bundle_is_refused(machine, server):
    output = refused(machine, server.url("corrupted.raucb"))
    assert "not installed" in output or "refused" in output
    assert machine.runs[-1].slot == "A"


def test_other_board_is_refused(machine, server):
    assert "is for picam-rpi5, this is picam-qemu-aarch64" in refused(machine, server.url("other-board.raucb"))


def test_downgrade_is_refused(machine, server):
    assert f"0.9.0, older than {FACTORY_VERSION}" in refused(machine, server.url("older.raucb"))


def test_nothing_goes_below_the_floor(machine, server):
    """RAUC's own limit: whoever commands it."""
    assert "not installed" in refused(machine, f"--force {server.url('below-the-floor.raucb')}")


def test_picam_reaches_neither_rauc_nor_its_own_folder(machine, server):
    call = "rauc status mark-active other"
    machine.shell("mkdir -p /run/dbus; [ -S /run/dbus/system_bus_socket ] || dbus-daemon --system --fork --nopidfile")
    machine.shell("start-stop-daemon -S -b -m -p /run/rauc-test.pid -x /usr/bin/rauc -- --mount=/run/rauc/bundle service; sleep 3", 60)
    # BusyBox has no setpriv with users: start-stop-daemon gives root up.
    code, output = machine.shell_code(f"start-stop-daemon -S -p /run/none -c picam -x /usr/bin/rauc -- {call.removeprefix('rauc ')}", 60)
    machine.shell("start-stop-daemon -K -q -p /run/rauc-test.pid; sleep 2")
    assert code != 0 and "Rejected send message" in output, output
    assert machine.shell("cat /run/picam/armed 2>/dev/null || echo none") == "none"
    listed = [line.split() for line in machine.shell("ls -ld /data/picam /data/picam/state").splitlines()]
    assert [(mode, owner) for mode, _, owner, *_ in listed] == [("drwxr-xr-x", "root"), ("drwx------", "picam")]


def test_nothing_there(machine, server):
    assert "refused" in refused(machine, server.url("missing.raucb"))


def test_good_update_is_committed(machine, server, report):
    started = time.monotonic()
    trial = install(machine, server.url("good.raucb"))
    report(f"installed over HTTP and restarted in {time.monotonic() - started:.0f} s")
    machine.wait_console("slot B is committed", TRIAL + BOOT, since=len(machine.runs) - 1)
    report(f"committed {time.monotonic() - trial.started:.0f} s after the trial began")
    status = machine.shell("picam-update --status")
    assert status.splitlines()[:2] == ["running: 1.1.0 (picam-qemu-aarch64) in slot B", "committed: yes"]
    # What a power cut boots from now on.
    machine.power_cut()
    machine.power_on()
    machine.wait_jpeg(BOOT)
    assert machine.runs[-1].slot == "B" and not machine.runs[-1].tryboot


def last_starts(machine, number):
    """"REASON: OUTCOME" of the last starts, the last one first, once that one has an outcome."""
    status = machine.wait_status(lambda status: status["starts"] and status["starts"][0]["outcome"] != "starting", 60)
    return [f"{start['reason']}: {start['outcome']}" for start in status["starts"][:number]]


def test_the_starts_are_told_of(machine):
    assert last_starts(machine, 3) == ["power: serving", "trial: committed", "power: serving"]
    told = machine.shell("picam-update --status; cat /data/update/starts").splitlines()
    assert [line.split()[3:5] for line in told if line.startswith("start: ")][-2:] == [["B", "1.1.0"]] * 2
    assert [line.split()[2:] for line in told[-2:]] == [["B", "1.1.0", "trial", "committed"], ["B", "1.1.0", "power", "serving"]]


def test_there_is_a_way_back(machine, server, report):
    boots, started = len(machine.runs), time.monotonic()
    machine.shell("picam-update --rollback >/run/update.out 2>&1 &")
    machine.wait_boots(boots + 1, 60)
    assert machine.runs[boots - 1].ended == "tryboot" and machine.runs[boots].tryboot, machine.history()
    machine.wait_console("slot A is committed", TRIAL + BOOT, since=boots)
    report(f"back in the other slot, committed, {time.monotonic() - started:.0f} s after --rollback")
    status = machine.shell("picam-update --status").splitlines()
    assert status[:3] == [f"running: {FACTORY_VERSION} (picam-qemu-aarch64) in slot A", "committed: yes", "left: 1.1.0, by --rollback"]
    follow(machine, server.url("good.raucb"))
    code, told = machine.shell_code("picam-update --check", INSTALL)
    unfollow(machine)
    assert code == 2 and "1.1.0, which was left by picam-update --rollback" in told
    assert machine.status()["update"]["result"] == "refused"


def test_picam_that_does_not_start(machine, server, report):
    status = falls_back(machine, server.url("no-start.raucb"), report, "restart")
    assert "failed: 1.2.0 did not hold" in status
    assert last_starts(machine, 2) == ["fall-back: serving", "trial: failed: no 30 s of fresh frames within 120 s"]
    assert "no 30 s of fresh frames" in machine.shell("cat /data/update/failed.log")


def test_picam_without_frames(machine, server, report):
    falls_back(machine, server.url("no-frames.raucb"), report, "restart")


def test_slot_that_does_not_boot(machine, server, report):
    falls_back(machine, server.url("no-boot.raucb"), report, "restart")


def test_kernel_that_hangs(machine, server, report):
    falls_back(machine, server.url("no-kernel.raucb"), report, "firmware watchdog")
    # A slot that has not come so far has written nothing.
    assert last_starts(machine, 1) == ["fall-back: serving"]
    assert "slot B is marked bad" in machine.shell_code("picam-update --rollback")[1]


def test_failed_version_is_not_followed(machine, server):
    """[update] url leads to the version that has just failed: by itself the appliance leaves it alone."""
    follow(machine, server.url("no-kernel.raucb"))
    code, told = machine.shell_code("picam-update --check", INSTALL)
    assert code == 2 and "1.5.0, which failed its trial" in told
    machine.shell("/etc/init.d/S80update start; sleep 1; pidof picam-update || ps | grep -q '[p]icam-update --follow'")
    machine.shell("/etc/init.d/S80update stop")
    unfollow(machine)
    machine.shell("/etc/init.d/S80update start")
    assert machine.shell("ps | grep -c '[p]icam-update --follow' || true") == "0"
