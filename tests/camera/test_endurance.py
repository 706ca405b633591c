"""The camera opened again and again, and frames for a long time: nothing may grow. `make test-camera-full` does more of
both."""

import re

from camera.guest import QUICK, full

REOPENINGS = 200 if full() else 30
# Until the heap has got what it needs.
SETTLING = 20
SECONDS = 3600 if full() else 60
# What the process's memory may grow by, KiB: heaps settle.
GROWTH = 1024


def held(guest):
    """(alive buffers of the camera, open descriptors of picam, its resident KiB)"""
    process = "/proc/$(pidof picam)"
    resident = re.search(r"VmRSS:\s+(\d+)", guest.run(f"cat {process}/status"))
    return guest.read("buffers"), guest.run(f"ls {process}/fd | wc -l"), int(resident[1])


def assert_same(before, now):
    assert now[:2] == before[:2]
    assert now[2] < before[2] + GROWTH


def test_a_camera_that_is_opened_again_leaves_nothing_behind(camera, report):
    """For another sensor mode each time: 60 Hz need the cropped one."""
    guest = camera(QUICK + "rate = 8\n")
    folder = "/data/picam"
    guest.run(f"cd {folder}; sed 's/rate = 8/rate = 60/' picam.toml >fast; cp picam.toml slow")

    def reopen(times):
        change = "cp {} picam.toml; kill -HUP $(pidof picam); usleep 800000; "
        guest.run(f"cd {folder}; for i in $(seq {times // 2}); do {change.format('fast')}{change.format('slow')}done", 600)

    reopen(SETTLING)
    before = held(guest)
    reopen(REOPENINGS)
    log = guest.run("grep -c 'for another sensor mode' /tmp/picam.log")
    report(f"opened again {log} times: {before} → {held(guest)}")
    assert int(log) == REOPENINGS + SETTLING
    assert_same(before, held(guest))
    assert guest.status()["camera"]["reopens"] == 0, "no fault"


def test_frames_for_a_long_time(camera, report):
    guest = camera(QUICK)
    guest.run("wget -q -O /dev/null http://127.0.0.1:8000/stream & echo $! >/tmp/client; sleep 20")
    before, counters = held(guest), guest.status()["counters"]
    guest.run(f"sleep {SECONDS}", 3600)
    now, after = held(guest), guest.status()["counters"]
    guest.run("kill $(cat /tmp/client)")
    captured = after["frames_captured"] - counters["frames_captured"]
    report(f"{captured} frames in {SECONDS} s: {before} → {now}")
    assert captured >= 8 * SECONDS * 0.99
    assert all(after[name] == counters[name] for name in ("frames_lost", "frames_stale", "stalls"))
    assert_same(before, now)
