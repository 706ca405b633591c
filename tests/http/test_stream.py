"""GET /stream: headers and parts byte by byte, its aliases, and the rate a client asks for."""

import contextlib
import re
import statistics
import time

import cv2
import numpy
import pytest
from support import beside, raw, stamp
from support.appliance import PATIENCE
from support.swarm import Swarm
from support.tries import holds_once, skipped, step_seconds

RATE = 8
STREAMS = ["/stream", "/stream.mjpg", "/?action=stream", "/stream?dummy=1", "/?action=stream&dummy=1"]


@pytest.fixture(scope="module")
def picam(start_module_picam):
    """At picam's default rate."""
    tables = {"camera": {"width": 640, "height": 360, "rate": RATE}, "jpeg": {"quality": 80}}
    return start_module_picam(tables)


@pytest.mark.parametrize("path", STREAMS)
def test_stream_and_its_aliases(picam, path):
    with raw.Stream(picam.port, path, timeout=PATIENCE) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        assert stream.headers["connection"] == "close"
        assert "no-store" in stream.headers["cache-control"]
        assert "content-length" not in stream.headers
        assert "transfer-encoding" not in stream.headers
        parts = stream.take(3)
    # A "no signal" picture, which a machine that stops for a second also causes, says so and cannot be read.
    live = [part for part in parts if "x-signal" not in part.headers]
    assert live
    for part in live:
        assert list(part.headers) == ["content-type", "content-length", "x-timestamp", "x-frame"]
        assert part.headers["content-type"] == "image/jpeg"
        assert re.fullmatch(r"\d{10}\.\d{6}", part.headers["x-timestamp"])
        assert part.timestamp <= part.arrived
        # The pattern draws number and capture time into the picture.
        picture = cv2.imdecode(numpy.frombuffer(part.body, numpy.uint8), cv2.IMREAD_GRAYSCALE)
        found = stamp.decode(picture)
        assert found.sequence == part.sequence
        assert found.time == pytest.approx(part.timestamp, abs=0.0015), "X-Timestamp is the capture time"


def test_every_frame_comes_once_and_at_the_rate(picam):
    def watch():
        with raw.Stream(picam.port, timeout=PATIENCE) as stream:
            stream.take(2)
            parts = stream.take(24)
        assert len({part.body for part in parts}) == 24, "the pattern moves: no two frames are the same"
        assert step_seconds(parts) == pytest.approx(1 / RATE, rel=0.2)
        return skipped([part.sequence for part in parts])

    holds_once(watch)


def test_first_frame_is_not_from_the_past(picam):
    """Nobody watched for a while; the first part must not be the picture encoded back then."""
    with raw.Stream(picam.port, timeout=PATIENCE) as stream:
        old = stream.next()
    picam.wait_status(lambda _: picam.newest_frame() > old.sequence + 8)
    newest = picam.newest_frame()
    with raw.Stream(picam.port, timeout=PATIENCE) as stream:
        assert stream.next().sequence >= newest - 1, "older than the newest frame and the one before"


@pytest.mark.parametrize("fps, step, frames", [
    ("2", 4, 8), ("4", 2, 8), ("3", 8 / 3, 12), ("0.5", 16, 4), ("100", 1, 16),
])  # fmt: skip
def test_fps_limits_this_client_alone(picam, fps, step, frames):
    """`step`: every how-manieth frame this client gets. Of neighbouring steps one may be longer and the next one shorter."""

    def watch():
        with contextlib.closing(Swarm()) as swarm:
            (full,) = swarm.add(picam.port)
            limited = beside.add(swarm, full, picam.port, f"/stream?fps={fps}")
            deadline = time.monotonic() + PATIENCE
            while len(limited.sequences) < frames:
                swarm.run(0.5)
                assert limited.error is None and full.error is None
                assert time.monotonic() < deadline, f"only {len(limited.sequences)} frames"
        steps, others = numpy.diff(limited.sequences), numpy.diff(full.sequences)
        assert (steps >= 0).all() and (others >= 0).all()
        late = statistics.median(limited.behind) > 1  # fewer frames, but each one young
        return (abs(statistics.median(steps) - step) > 0.5) + (statistics.median(others) != 1) + late

    holds_once(watch)


@pytest.mark.parametrize("fps", ["0", "-1", "x", "nan", "inf", ""])
def test_bad_fps_is_refused(picam, fps):
    answer = raw.exchange(picam.port, raw.get(f"/stream?fps={fps}"))
    assert answer.status == 400
    assert b"fps" in answer.body and answer.body.count(b"\n") == 1


def test_nothing_is_encoded_while_nobody_wants_it(picam):
    picam.wait_status(lambda status: status["streams"] == 0 and status["connections"] <= 1)
    before = picam.status()["counters"]
    after = picam.wait_status(lambda s: s["counters"]["frames_captured"] > before["frames_captured"] + 8)["counters"]
    # One that was wanted when the first status was taken may still have been under way.
    assert after["frames_encoded"] - before["frames_encoded"] <= 1


def test_one_encode_per_frame_whatever_the_number_of_clients(picam):
    streams = [raw.Stream(picam.port, timeout=PATIENCE) for _ in range(10)]
    for stream in streams:
        stream.next()
    before = picam.status()["counters"]
    for _ in range(8):
        for stream in streams:
            stream.next()
    after = picam.status()["counters"]
    for stream in streams:
        stream.close()
    captured = after["frames_captured"] - before["frames_captured"]
    assert after["frames_encoded"] - before["frames_encoded"] <= captured + 1
    # Each of ten clients got eight frames, whose last ones may not be counted yet.
    assert after["frames_sent"] - before["frames_sent"] >= 80 - 10


def test_head_of_the_stream(picam):
    answer = raw.exchange(picam.port, raw.get("/stream", method="HEAD"), PATIENCE)
    assert answer.status == 200
    assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
    assert answer.body == b""
    assert answer.closed == "fin"
