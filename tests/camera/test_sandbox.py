"""The sandbox with a real pipeline inside. That every call libcamera makes is on its list all of tests/camera shows: one that
is not would end picam."""

import pytest
from support import sandbox

SMALL = "[jpeg]\nquality = 60\n[camera]\nwidth = 640\nheight = 360\nlongest_exposure = 20000\n"
CALLS = sandbox.CALLS["aarch64"]


@pytest.fixture
def faults(guest):
    """/debug/… is there meanwhile."""
    guest.run("export PICAM_TEST_FAULTS=1")
    yield
    guest.run("unset PICAM_TEST_FAULTS")


def refused_calls(guest):
    """Numbers of the calls that the kernel's log says were refused or would be."""
    return guest.run("dmesg | sed -n 's/.*type=1326.* syscall=\\([0-9]*\\).*/\\1/p'").split()


def test_what_a_picam_that_is_taken_over_can_still_do(camera, faults):
    guest = camera(SMALL)
    assert guest.status()["sandbox"] == {"mode": "on", "files": "enforced", "calls": "enforced"}
    assert sandbox.attempt(guest.get, "read", "/data/picam/picam.toml") == "done"
    assert sandbox.attempt(guest.get, "read", "/dev/video0") in ("done", "Device or resource busy")
    for path in ("/init", "/tmp/picam.log", "/proc/1/cmdline", "/sys/kernel/debug/camera-module/new"):
        assert sandbox.attempt(guest.get, "write", path) == "Permission denied", path
    for path in ("/init", "/tmp/picam.log", "/proc/1/cmdline"):
        assert sandbox.attempt(guest.get, "read", path) == "Permission denied", path
    before = refused_calls(guest)
    with pytest.raises(OSError):
        guest.get(f"/debug/sandbox/call?target={sandbox.arguments(CALLS, 'execve')}")
    assert refused_calls(guest) == [*before, str(CALLS["execve"])]


def test_log_mode_says_what_would_be_refused_and_nothing_else(camera, faults):
    """Through a restart and a reopening of the camera."""
    guest = camera(SMALL + '[security]\nsandbox = "log"\n')
    before = refused_calls(guest)
    assert guest.get("/set?ExposureTime=10000&AnalogueGain=2&LensPosition=2")[0] == 200
    assert guest.get("/debug/stall?seconds=6")[0] == 200
    guest.wait_status(lambda status: status["camera"]["reopens"] > 0 and status["signal"] == "live", 120)
    assert refused_calls(guest) == before
    assert sandbox.attempt(guest.get, "call", sandbox.arguments(CALLS, "socket")) == "done"
    assert refused_calls(guest) == [*before, str(CALLS["socket"])]


def test_a_camera_that_is_plugged_in_later_is_opened(guest):
    """Its devices were not there when picam gave up all others."""
    guest.start_picam(SMALL)
    guest.wait_status(lambda status: status["camera"]["phase"] == "waiting", 60)
    guest.plug()
    try:
        guest.wait_jpeg(60)
        assert guest.status()["sandbox"]["files"] == "enforced"
    finally:
        guest.stop_picam()
        guest.unplug()
