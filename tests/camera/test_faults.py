"""Faults of the sensor, the bus and the image processor: each ends in pictures, or in a clean exit."""

import re

import pytest

from camera.guest import CLOCK, QUICK, START_PICAM, setting
from camera.recording import Recording

# How long pictures may be away at most, beyond the fault itself.
RECOVERY = 1.5
DEVICES = "/dev/media* /dev/video* /dev/v4l-subdev*"
# Exit code of a picam whose camera is lost.
CAMERA_LOST = 5


def recoveries(guest):
    camera = guest.status()["camera"]
    return camera["restarts"], camera["reopens"]


# What is broken, for how many seconds, and whether picam has to do anything about it.
FAULTS = {
    "frames arrive with the error flag": (setting(errors=5), 0, False),
    "writes to the sensor fail": (setting(bus_errors=20), 0, False),
    "frames are lost": (setting(lose=6), 0.8, False),
    "the processor loses a job": (setting(drop=1), 0, True),
    "the same frame comes again and again": (setting(freeze=1), 3, True),
    "frames come from the future": (setting(time_shift_ms=60_000), 3, True),
    "frames come from the past": (setting(time_shift_ms=-60_000), 3, True),
    "the processor is slow": (setting(slow_ms=300), 3, False),
}


@pytest.mark.parametrize("name", FAULTS)
def test_pictures_come_again(camera, report, name):
    """On the stream that was open before."""
    begin, seconds, helped = FAULTS[name]
    guest = camera(QUICK)
    guest.run("sleep 3")
    before = recoveries(guest)
    with Recording(guest) as recording:
        guest.run(f"sleep 1; {begin}; usleep {round(seconds * 1e6)}; {setting(freeze=0, time_shift_ms=0, slow_ms=0)}; sleep 5")
        now = guest.clock()
    after = recoveries(guest)
    report(f"{name}: {recording.silence():.2f} s without a picture, restarts and reopenings {before} → {after}")
    assert recording.silence() <= seconds + RECOVERY
    assert now - recording.frames[-1].began < 1
    assert (after != before) == helped


def test_frames_that_the_image_processor_is_too_slow_for_count_as_lost(camera):
    """The numbers that libcamera gives on a VC4 are the processor's own: only the times tell of the others."""
    guest = camera(QUICK)
    before = guest.status()["counters"]
    assert before["frames_lost"] == 0
    guest.set(slow_ms=300)
    guest.wait_status(lambda status: status["counters"]["frames_captured"] >= before["frames_captured"] + 10, 60)
    now = guest.status()["counters"]
    assert now["frames_lost"] >= now["frames_captured"] - before["frames_captured"] - 3, now


def test_a_camera_that_is_unplugged_for_a_moment(camera, report):
    guest = camera(QUICK)
    guest.run("sleep 3")
    with Recording(guest) as recording:
        guest.run(f"sleep 1; {setting(gone=1)}; sleep 2; {setting(gone=0)}; sleep 5")
    report(f"unplugged for 2 s: {recording.silence():.2f} s without a picture")
    assert 2 <= recording.silence() <= 2 + RECOVERY


def test_a_camera_that_stays_away_ends_picam(camera, report):
    """Its supervisor starts a new one, which finds the camera when it is plugged in again."""
    guest = camera(QUICK)
    seconds, code = ended(guest, setting(gone=1))
    report(f"unplugged for good: exit {code} after {seconds:.1f} s")
    assert code == CAMERA_LOST and seconds < 15
    guest.run(f"{setting(gone=0)}; {START_PICAM}")
    guest.wait_jpeg(30)


def test_a_driver_that_hangs_ends_picam(camera, report):
    """The process is gone as soon as the kernel lets go."""
    guest = camera(QUICK)
    later = f"{{ sleep 20; {setting(hang=0, stall=0)}; }} & true"
    seconds, code = ended(guest, f"{setting(hang=1, stall=1)}; {later}")
    report(f"a driver that hangs for 20 s: exit {code} after {seconds:.1f} s")
    assert code == CAMERA_LOST and seconds < 25
    assert re.search("camera is lost.*(restart|clos)", guest.run("grep lost /tmp/picam.log"))
    guest.run(START_PICAM)
    guest.wait_jpeg(30)


def ended(guest, fault):
    """Starts picam again as a child, breaks something, waits: (seconds until it ended, its exit code)."""
    guest.stop_picam()
    picam = "picam --camera libcamera >>/tmp/picam.log 2>&1 & echo $! >/tmp/picam.pid"
    output = guest.run(f"{picam}; sleep 3; {CLOCK}; {fault}; wait $(cat /tmp/picam.pid); echo $?; {CLOCK}", 120)
    began, code, now = output.split()[-3:]
    return float(now) - float(began), int(code)


def test_a_camera_that_starts_slowly_is_no_fault(camera):
    guest = camera(QUICK)
    guest.stop_picam()
    guest.run(f"{setting(start_ms=2500)}; {START_PICAM}")
    guest.wait_jpeg(60)
    guest.run("sleep 3")
    status = guest.status()
    assert recoveries(guest) == (0, 0) and status["counters"]["stalls"] == 0


def test_a_camera_that_picam_may_not_open_is_named_and_waited_for(camera):
    """udev gives devices to their group some time after they appear."""
    guest = camera(QUICK)
    guest.stop_picam()
    picam = "picam --camera libcamera"
    as_nobody = START_PICAM.replace(picam, f"su -s /bin/sh -c 'exec {picam}' nobody")
    guest.run("echo nobody:x:65534:65534::/:/bin/sh >/etc/passwd; chmod 666 /dev/dma_heap/* /tmp/picam.log")
    guest.run(f"chmod 600 {DEVICES}; {as_nobody}; sleep 3")
    assert "picam may not open /dev/media0: expected" in guest.run("grep WARN /tmp/picam.log")
    guest.run(f"chmod 666 {DEVICES}")
    guest.wait_jpeg(30)


def test_a_camera_that_another_program_holds_is_named_and_waited_for(camera):
    guest = camera(QUICK)
    guest.run("picam --camera libcamera --listen 127.0.0.1:8001 >/tmp/other.log 2>&1 & sleep 2")
    assert "is held by another program; waiting for it" in guest.run("cat /tmp/other.log")
    guest.stop_picam()
    guest.run("until wget -q -O /dev/null http://127.0.0.1:8001/jpg; do usleep 100000; done", 60)
    guest.run("pidof picam >/tmp/picam.pid")
