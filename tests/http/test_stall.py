"""A camera that stops delivering: streams stay open with a "no signal" picture, and the picture comes back."""

import json
import time

import cv2
import numpy
import pytest
from support import photos, raw, stamp

STALL = 10
BELOW = stamp.area(photos.SIZE[0])[3]
WORDLESS = slice(1000, None)  # rows below the words


def gray(part):
    return cv2.imdecode(numpy.frombuffer(part.body, numpy.uint8), cv2.IMREAD_GRAYSCALE)


@pytest.fixture(scope="module")
def stalled(start_module_picam, photo_tables):
    """What a stream client, /healthz and /status saw of a ten second stall: (picam, start, parts, health, signal)."""
    picam = start_module_picam(photo_tables(500), env={"PICAM_TEST_FAULTS": "1"})
    health, signal, parts = {}, {}, []
    with raw.Stream(picam.port) as stream:
        parts += stream.take(8)
        began = time.time()
        assert raw.exchange(picam.port, raw.get(f"/debug/stall?seconds={STALL}")).status == 200
        while not parts[-1].began > began + STALL + 2:
            parts.append(stream.next())
            assert parts[-1] is not None, "the stream was ended"
            at = parts[-1].arrived - began
            health[at] = raw.exchange(picam.port, raw.get("/healthz"))
            signal[at] = json.loads(raw.exchange(picam.port, raw.get("/status")).body)["signal"]
    return picam, began, parts, health, signal


def during(parts, began):
    """The parts that came while nothing came from the camera; the first second is left for it to be noticed."""
    return [part for part in parts if began + 1.0 < part.arrived < began + STALL]


def test_no_signal_pictures_come_about_once_a_second(stalled):
    _, began, parts, _, _ = stalled
    dark = during(parts, began)
    assert STALL - 3 <= len(dark) <= STALL + 1
    gaps = [later.arrived - part.arrived for part, later in zip(dark, dark[1:])]
    assert 0.7 < min(gaps) and max(gaps) < 1.5
    assert all(part.arrived - part.timestamp < 12 for part in dark)


def test_no_signal_picture_is_the_last_frame_dimmed_with_words(stalled):
    _, began, parts, _, _ = stalled
    last_live = gray([part for part in parts if part.arrived < began + 0.5][-1]).astype(float)
    dark = [gray(part).astype(float) for part in during(parts, began)]
    for picture in dark:
        assert picture.shape == (photos.SIZE[1], photos.SIZE[0])
        assert picture.mean() < 0.8 * last_live.mean(), "not dimmed"
        ratio = numpy.corrcoef(picture[WORDLESS].ravel(), last_live[WORDLESS].ravel())[0, 1]
        assert ratio > 0.9, "not the last frame"
        assert (picture > 200).sum() > 500, "no bright words on it"
    moved = numpy.abs(dark[-1] - dark[0]) > 60
    assert 50 < moved.sum() < 0.05 * moved.size, "nothing on it tells the time"


def test_live_picture_comes_back_by_itself(stalled):
    _, began, parts, _, _ = stalled
    live = [part for part in parts if part.timestamp > began + STALL - 0.5 and stamp.decode(gray(part))]
    assert live and live[0].arrived < began + STALL + 1.0
    after = [part for part in parts if part.arrived >= live[0].arrived]
    assert len(after) >= 8
    assert all(stamp.decode(gray(part)).sequence == part.sequence for part in after)
    assert gray(after[-1])[BELOW:].mean() > 40


def test_frame_numbers_and_timestamps_never_go_back(stalled):
    _, _, parts, _, _ = stalled
    assert all(later.timestamp >= part.timestamp for part, later in zip(parts, parts[1:]))
    assert all(later.sequence >= part.sequence for part, later in zip(parts, parts[1:]))


def test_health_and_status_say_so(stalled):
    picam, began, _, health, signal = stalled
    for at, answer in health.items():
        if 1.5 < at < STALL:
            assert answer.status == 503
            assert answer.body.count(b"\n") == 1
            assert signal[at] == "lost"
        elif at > STALL + 1.0:
            assert (answer.status, signal[at]) == (200, "live")
    assert max(at for at in health) > STALL + 1
    assert picam.status()["counters"]["stalls"] == 1


def test_a_client_that_comes_during_a_stall_sees_the_no_signal_picture(start_picam, photo_tables):
    picam = start_picam(photo_tables(100), env={"PICAM_TEST_FAULTS": "1"})
    with raw.Stream(picam.port) as stream:
        stream.next()
    assert raw.exchange(picam.port, raw.get("/debug/stall?seconds=30")).status == 200
    picam.wait_status(lambda status: status["signal"] == "lost")
    with raw.Stream(picam.port) as stream:
        assert stream.status == 200
        assert gray(stream.next()).shape == (photos.SIZE[1], photos.SIZE[0])
