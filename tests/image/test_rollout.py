"""A rollout by a real goosebit, from end to end: hawkBit's updater installs, the guard tries, and the server learns what runs.

The tests of this file are one story on one machine and run in order.
"""

import time

import pytest
from fleet.steering import DEVICE, TOKEN, Goosebit
from support.raw import free_port

from image.conftest import BOOT
from image.lab.factory import FACTORY_VERSION
from image.lab.fileserver import HOST_SEEN_FROM_GUEST
from image.lab.rootfs import COMPATIBLE
from image.test_update import INSTALL, TRIAL, has_no_init

# usr/lib/picam/guard waits so long before it restarts into a slot that the updater has armed.
ARMED = 60
STRANGE, NEWER, BROKEN = "1.0.1", "1.1.0", "1.2.0"
CONFIG = f"""[client]
hawkbit_server            = {HOST_SEEN_FROM_GUEST}:{{port}}
ssl                       = false
tenant_id                 = DEFAULT
target_name               = {DEVICE}
auth_token                = {TOKEN}
bundle_download_location  = /tmp/bundle.raucb
stream_bundle             = true
post_update_reboot        = false

[device]
hw_boardname              = {COMPATIBLE}
hw_revision               = default
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Goosebit(tmp_path_factory.mktemp("goosebit"), free_port())
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def camera(machine, server):
    """The machine, which asks the server from now on."""
    config = CONFIG.format(port=server.port)
    machine.shell(f"umask 077; cat >/data/site/hawkbit.conf <<'END'\n{config}END\n/etc/init.d/S85rauc-hawkbit-updater start", 120)
    return machine


def wait(condition, seconds, camera, what):
    """Polls: goosebit tells nobody by itself."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} not within {seconds} s; {camera.history()}\n{camera.shell('logread | tail -n 40', check=False)}"
        time.sleep(0.5)


def is_told(camera, line):
    """Whether the appliance has said that to the server."""
    return f"the server is told: {line}" in camera.shell("logread", check=False)


def test_the_server_learns_what_runs(camera, server):
    wait(lambda: server.device()["sw_version"] == FACTORY_VERSION, 120, camera, "the version")
    wait(lambda: server.device()["hardware"]["model"] == COMPATIBLE, 120, camera, "the board")


def test_it_is_one_updater_that_says_what_it_does_however_often_it_is_started(camera):
    for _ in range(2):
        camera.shell("/etc/init.d/S85rauc-hawkbit-updater restart", 120)
        for program in ("rauc-hawkbit-updater", "rauc"):
            wait(lambda program=program: len(camera.shell(f"pidof {program}", check=False).split()) == 1, 120, camera, program)
    assert "rauc-hawkbit-updater: " in camera.shell("logread")
    camera.shell("/etc/init.d/S85rauc-hawkbit-updater stop", 120)
    assert camera.shell("pidof rauc-hawkbit-updater rauc", check=False) == ""
    camera.shell("/etc/init.d/S85rauc-hawkbit-updater start", 120)


def test_a_bundle_of_a_stranger_is_an_error(camera, server, factory):
    number = server.roll_out(factory.bundle("rollout-stranger", STRANGE, signer="stranger"))
    wait(lambda: server.rollout(number)["failure_count"] == 1, INSTALL, camera, "the failure")
    assert "signature" in server.log().lower()


def test_a_rollout_is_installed_tried_and_told(camera, server, factory, report):
    bundle = factory.bundle("rollout-good", NEWER)
    # Neither of the two that it takes is gone for good.
    camera.shell("kill -KILL $(pidof rauc) $(pidof rauc-hawkbit-updater)")
    boots, started = len(camera.runs), time.monotonic()
    number = server.roll_out(bundle)
    trial = camera.wait_boots(boots + 1, INSTALL + ARMED)
    assert (camera.runs[boots - 1].ended, trial.slot) == ("tryboot", "B"), camera.history()
    camera.wait_jpeg(BOOT)
    wait(lambda: is_told(camera, f"{NEWER}, trial, committed"), TRIAL, camera, "the end of the trial")
    device = server.device()
    assert (device["sw_version"], server.rollout(number)["success_count"]) == (NEWER, 1)
    report(f"rolled out, tried, committed and told after {time.monotonic() - started:.0f} s")


def test_a_trial_that_fails_is_told_and_its_version_is_refused_from_then_on(camera, server, factory):
    boots = len(camera.runs)
    number = server.roll_out(factory.bundle("rollout-no-boot", BROKEN, has_no_init))
    camera.wait_boots(boots + 2, INSTALL + ARMED + BOOT)
    camera.wait_jpeg(BOOT)
    wait(lambda: is_told(camera, f"{NEWER}, fall-back, serving"), TRIAL, camera, "the fall-back")
    # goosebit has believed the updater, and now offers it again.
    wait(lambda: server.rollout(number)["failure_count"] == 1, INSTALL, camera, "the refusal")
    assert server.device()["sw_version"] == NEWER
    assert "failed its trial" in camera.shell("logread")  # RAUC does not hand the reason on
    assert len(camera.runs) == boots + 2, camera.history()
