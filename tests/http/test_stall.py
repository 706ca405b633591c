"""A camera that stops delivering: streams stay open with a "no signal" picture, and the picture comes back."""

import json
import time

import cv2
import numpy
import pytest
from support import photos, raw, stamp
from support.appliance import PATIENCE

STALL = 10
BELOW = stamp.area(photos.SIZE[0])[3]
WORDLESS = slice(1000, None)  # rows below the words


def gray(part):
    return cv2.imdecode(numpy.frombuffer(part.body, numpy.uint8), cv2.IMREAD_GRAYSCALE)


def is_live(part):
    """A picture from the camera has a readable stamp; on the dimmed "no signal" picture it cannot be read."""
    found = stamp.decode(gray(part))
    return found is not None and found.sequence == part.sequence


class Stall:
    """What one stream client saw of a stall, and /healthz and /status right after each of its pictures."""

    def __init__(self, picam):
        self.picam = picam
        self.parts, self.live, self.health, self.signal = [], [], [], []
        with raw.Stream(picam.port, timeout=PATIENCE) as stream:
            self.take(stream, 8)
            while not self.live[-1]:  # a machine that is busy for over a second stalls the camera, too
                self.take(stream)
            assert raw.exchange(picam.port, raw.get(f"/debug/stall?seconds={STALL}"), PATIENCE).status == 200
            self.began = time.time()
            while self.live[-1]:
                self.take(stream)
            self.dark_from = len(self.live) - 1
            while not self.live[-1]:
                self.take(stream)
            self.light_from = len(self.live) - 1
            self.take(stream, 8)

    def take(self, stream, count=1):
        for part in stream.take(count):
            self.parts.append(part)
            self.live.append(is_live(part))
            self.health.append(raw.exchange(self.picam.port, raw.get("/healthz"), PATIENCE))
            status = raw.exchange(self.picam.port, raw.get("/status"), PATIENCE)
            self.signal.append(json.loads(status.body)["signal"])

    @property
    def dark(self):
        return self.parts[self.dark_from : self.light_from]


@pytest.fixture(scope="module")
def stalled(start_module_picam, photo_tables):
    return Stall(start_module_picam(photo_tables(500), env={"PICAM_TEST_FAULTS": "1"}))


def test_no_signal_pictures_come_about_once_a_second(stalled):
    """At most that often: on a busy machine less so. The camera's own pictures come eight times as often."""
    assert STALL / 3 <= len(stalled.dark) <= STALL + 2
    gaps = numpy.diff([part.arrived for part in stalled.dark])
    assert numpy.median(gaps) > 0.7


def test_no_signal_picture_is_the_last_frame_dimmed_with_words(stalled):
    last_live = stalled.parts[stalled.dark_from - 1]
    last = stalled.dark[0].sequence
    # On a busy machine the camera's last frame may have come too late for this client. It is a photograph all the same.
    sources = [gray(last_live)]
    if last != last_live.sequence:
        sources = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in photos.frame_set(500)[0].glob("*.jpg")]
    dark = [gray(part).astype(float) for part in stalled.dark]
    for picture in dark:
        assert picture.shape == (photos.SIZE[1], photos.SIZE[0])

        def likeness(source):
            return numpy.corrcoef(picture[WORDLESS].ravel(), source[WORDLESS].ravel())[0, 1]

        source = max(sources, key=likeness)
        assert likeness(source) > 0.9, "not the last frame"
        assert picture.mean() < 0.8 * source.mean(), "not dimmed"
        assert (picture > 200).sum() > 500, "no bright words on it"
    # It is of the last frame, and says so: a client that looks at the time only is not told that it is new.
    assert {part.headers["x-signal"] for part in stalled.dark} == {"lost"} and "x-signal" not in last_live.headers
    [timestamp] = {part.timestamp for part in stalled.dark}
    assert timestamp == last_live.timestamp or last > last_live.sequence
    moved = numpy.abs(dark[-1] - dark[0]) > 60
    assert last >= last_live.sequence and {part.sequence for part in stalled.dark} == {last}
    assert 50 < moved.sum() < 0.05 * moved.size, "nothing on it tells the time"


def test_live_picture_comes_back_by_itself(stalled):
    after = [part for part, live in list(zip(stalled.parts, stalled.live))[stalled.light_from :] if live]
    first, last = after[0], after[-1]
    # Nobody but the camera ended the stall. What came meanwhile was not kept for later.
    assert first.timestamp >= stalled.began + STALL - 0.5
    assert first.sequence > stalled.dark[-1].sequence and len(after) >= 5
    assert gray(last)[BELOW:].mean() > 40


def test_frame_numbers_and_timestamps_never_go_back(stalled):
    parts = stalled.parts
    assert all(later.timestamp >= part.timestamp for part, later in zip(parts, parts[1:]))
    assert all(later.sequence >= part.sequence for part, later in zip(parts, parts[1:]))
    live = [part.sequence for part, live in zip(parts, stalled.live) if live]
    assert len(set(live)) == len(live), "no frame comes twice"


def test_health_and_status_say_so(stalled):
    answers = list(zip(stalled.health, stalled.signal))
    # Between a picture and the question after it the signal may change, at both ends of the stall.
    dark, after = answers[stalled.dark_from : stalled.light_from - 2], answers[stalled.light_from + 1 :]
    assert dark and after
    for health, signal in dark:
        assert (health.status, health.body.count(b"\n"), signal) == (503, 1, "lost")
    # A busy machine may have stalled the camera once more.
    assert (200, "live") in [(health.status, signal) for health, signal in after]
    assert stalled.picam.status()["counters"]["stalls"] >= 1


def test_a_client_that_comes_during_a_stall_sees_the_no_signal_picture(start_picam, photo_tables):
    picam = start_picam(photo_tables(100), env={"PICAM_TEST_FAULTS": "1"})
    with raw.Stream(picam.port, timeout=PATIENCE) as stream:
        stream.next()
    assert raw.exchange(picam.port, raw.get("/debug/stall?seconds=30"), PATIENCE).status == 200
    picam.wait_status(lambda status: status["signal"] == "lost")
    with raw.Stream(picam.port, timeout=PATIENCE) as stream:
        assert stream.status == 200
        assert gray(stream.next()).shape == (photos.SIZE[1], photos.SIZE[0])
