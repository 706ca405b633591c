"""GET /stream: headers and parts byte by byte, its aliases, and the rate a client asks for."""

import contextlib
import re
import statistics

import numpy
import pytest
from support import raw
from support.swarm import Swarm

STREAMS = ["/stream", "/stream.mjpg", "/?action=stream", "/stream?dummy=1", "/?action=stream&dummy=1"]


@pytest.mark.parametrize("path", STREAMS)
def test_stream_and_its_aliases(picam, path):
    with raw.Stream(picam.port, path) as stream:
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
        assert -0.001 <= part.arrived - part.timestamp < 1.0, "X-Timestamp is the capture time"


def test_every_frame_comes_once_and_in_time(picam):
    with raw.Stream(picam.port) as stream:
        stream.take(2)
        parts = stream.take(24)
    sequences = [part.sequence for part in parts]
    assert sequences == list(range(sequences[0], sequences[0] + 24))
    steps = [later.timestamp - part.timestamp for part, later in zip(parts, parts[1:])]
    assert statistics.mean(steps) == pytest.approx(1 / 8, rel=0.02)
    assert len({part.body for part in parts}) == 24, "the pattern moves: no two frames are the same"


def test_first_frame_is_not_from_the_past(picam):
    """Nobody watched for a while; the first part must not be the picture encoded back then."""
    with raw.Stream(picam.port) as stream:
        old = stream.next()
    deadline_sequence = old.sequence + 8
    picam.wait_status(lambda status: status["counters"]["frames_captured"] > deadline_sequence)
    with raw.Stream(picam.port) as stream:
        part = stream.next()
    assert part.sequence > old.sequence + 6
    assert part.arrived - part.timestamp < 0.25, "older than two frame intervals"


@pytest.mark.parametrize("fps, expected", [("2", 2.0), ("4", 4.0), ("3", 3.0), ("0.5", 0.5), ("100", 8.0)])
def test_fps_limits_this_client_alone(picam, fps, expected):
    with contextlib.closing(Swarm()) as swarm:
        (limited,), (full,) = swarm.add(picam.port, path=f"/stream?fps={fps}"), swarm.add(picam.port)
        swarm.run(4.5)
    assert limited.error is None and full.error is None
    assert full.lost() == 0
    steps = numpy.diff(limited.sequences)
    assert numpy.mean(steps) / 8 == pytest.approx(1 / expected, rel=0.1)
    assert max(limited.delays) < 0.25, "fewer frames, but each one young"


@pytest.mark.parametrize("fps", ["0", "-1", "x", "nan", "inf", ""])
def test_bad_fps_is_refused(picam, fps):
    answer = raw.exchange(picam.port, raw.get(f"/stream?fps={fps}"))
    assert answer.status == 400
    assert b"fps" in answer.body and answer.body.count(b"\n") == 1


def test_nothing_is_encoded_while_nobody_wants_it(picam):
    picam.wait_status(lambda status: status["streams"] == 0 and status["connections"] <= 1)
    before = picam.wait_status(lambda status: True)["counters"]
    after = picam.wait_status(lambda s: s["counters"]["frames_captured"] > before["frames_captured"] + 8)["counters"]
    # One that was wanted when the first look was taken may still have been under way.
    assert after["frames_encoded"] - before["frames_encoded"] <= 1


def test_one_encode_per_frame_whatever_the_number_of_clients(picam):
    streams = [raw.Stream(picam.port) for _ in range(10)]
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
    assert after["frames_sent"] - before["frames_sent"] >= 80


def test_head_of_the_stream(picam):
    answer = raw.exchange(picam.port, raw.get("/stream", method="HEAD"), timeout=3.0)
    assert answer.status == 200
    assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
    assert answer.body == b""
    assert answer.closed == "fin"
