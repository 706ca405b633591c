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
from support.tries import holds_once, skipped

STREAMS = ["/stream", "/stream.mjpg", "/?action=stream", "/stream?dummy=1", "/?action=stream&dummy=1"]


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
    for part in parts:
        assert list(part.headers) == ["content-type", "content-length", "x-timestamp", "x-frame"]
        assert part.headers["content-type"] == "image/jpeg"
        assert re.fullmatch(r"\d{10}\.\d{6}", part.headers["x-timestamp"])
        # The pattern draws number and capture time into the picture.
        picture = cv2.imdecode(numpy.frombuffer(part.body, numpy.uint8), cv2.IMREAD_GRAYSCALE)
        assert stamp.decode(picture).sequence == part.sequence
        assert stamp.decode(picture).time == pytest.approx(part.timestamp, abs=0.0015), "X-Timestamp is the capture time"
        assert part.timestamp <= part.arrived


def test_every_frame_comes_once_and_at_the_rate(picam):
    def watch():
        with raw.Stream(picam.port, timeout=PATIENCE) as stream:
            stream.take(2)
            parts = stream.take(24)
        assert len({part.body for part in parts}) == 24, "the pattern moves: no two frames are the same"
        # By the camera's own clock and numbers. A frame that was captured late is one step too long, one too short.
        steps = [(later.timestamp - part.timestamp) / (later.sequence - part.sequence)
                 for part, later in zip(parts, parts[1:])]  # fmt: skip
        assert statistics.median(steps) == pytest.approx(1 / 8, rel=0.2)
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
    """`step`: every how-manieth frame this client gets."""
    with contextlib.closing(Swarm()) as swarm:
        (full,) = swarm.add(picam.port)
        limited = beside.add(swarm, full, picam.port, f"/stream?fps={fps}")
        deadline = time.monotonic() + PATIENCE
        while len(limited.sequences) < frames:
            swarm.run(0.5)
            assert limited.error is None and full.error is None
            assert time.monotonic() < deadline, f"only {len(limited.sequences)} frames"
    steps = numpy.diff(limited.sequences)
    assert (steps > 0).all() and (numpy.diff(full.sequences) > 0).all()
    assert statistics.median(numpy.diff(full.sequences)) == 1, "the other one gets every frame"
    # Of neighbouring steps one may be a frame longer and the next one shorter; a few are longer on a busy machine.
    assert statistics.median(steps) == pytest.approx(step, abs=0.5)
    assert statistics.median(limited.behind) <= 1, "fewer frames, but each one young"


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
