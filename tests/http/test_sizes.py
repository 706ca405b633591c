"""Smaller pictures, parts of pictures, and readings that travel with them."""

import json
import time

import cv2
import numpy
import pytest
from support import raw, stamp
from support.appliance import PATIENCE

TABLES = {"camera": {"width": 1920, "height": 1080, "rate": 8}, "jpeg": {"quality": 80}}


@pytest.fixture(scope="module")
def picam(start_module_picam):
    return start_module_picam(TABLES, env={"PICAM_TEST_FAULTS": "1"})


def stamped(picture):
    """The stamp of a smaller picture."""
    return stamp.decode(cv2.cvtColor(cv2.resize(picture, (1920, 1080)), cv2.COLOR_BGR2GRAY))


def decoded(jpeg):
    return cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("width, height", [(480, 270), (960, 540), (1440, 810)])
def test_a_smaller_stream_shows_the_same_frames(picam, width, height):
    with raw.Stream(picam.port, f"/stream?width={width}", timeout=PATIENCE) as stream:
        assert stream.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        parts = stream.take(4)
    for part in parts:
        picture = decoded(part.body)
        assert picture.shape == (height, width, 3)
        found = stamped(picture)
        assert found.sequence == part.sequence and found.time == pytest.approx(part.timestamp, abs=0.0015)
    assert [part.sequence for part in parts] == sorted({part.sequence for part in parts})


def test_a_smaller_picture_looks_like_the_large_one(picam):
    small, large = (decoded(picam.get(f"/jpg{query}")[2]) for query in ("?width=480", ""))
    shrunk = cv2.resize(large, (480, 270), interpolation=cv2.INTER_AREA)
    still = numpy.s_[100:170]  # above the moving square, below the text
    assert numpy.abs(small[still].astype(int) - shrunk[still]).mean() < 5


def test_nobody_pays_for_a_size_that_nobody_wants(picam):
    """A stream of one width lets nothing of another size be encoded."""
    encoded = picam.status()["counters"]["frames_encoded"]
    with raw.Stream(picam.port, "/stream?width=480", timeout=PATIENCE) as stream:
        stream.take(8)
    assert picam.status()["counters"]["frames_encoded"] <= encoded + 1  # the readiness check's, at most


def test_a_camera_with_smaller_pictures_sends_them_as_they_are(start_picam, small_tables):
    picam = start_picam(small_tables)
    assert decoded(picam.get("/jpg?width=960")[2]).shape == (360, 640, 3)
    assert decoded(picam.get("/jpg?width=480")[2]).shape == (270, 480, 3)


def test_a_part_comes_pixel_by_pixel(picam):
    _, headers, body = picam.get("/jpg?crop=0.25,0.5,0.125,0.25")
    part = decoded(body)
    assert part.shape == (270, 240, 3) and int(headers["X-Frame"]) > 0
    whole = decoded(picam.get("/jpg")[2])[540:810, 480:720]
    still = numpy.s_[:150]  # the square moves below
    assert numpy.abs(part[still].astype(int) - whole[still]).mean() < 4


def test_a_picture_has_the_quality_that_its_request_wants(picam):
    """And nobody else's: the shared ones keep theirs."""
    coarse, fine = (picam.get(f"/jpg?quality={quality}")[2] for quality in (10, 95))
    assert decoded(coarse).shape == decoded(fine).shape == decoded(picam.get("/jpg")[2]).shape
    assert len(coarse) < len(fine) / 2
    part = picam.get("/jpg?crop=0,0,0.5,0.5&quality=10")[2]
    assert len(part) < len(picam.get("/jpg?crop=0,0,0.5,0.5")[2]) / 2


def test_a_picture_for_one_request_can_be_captured_after_it(picam):
    for _ in range(4):
        asked = time.time()
        _, headers, _ = picam.get("/jpg?fresh=1&quality=50")
        assert float(headers["X-Timestamp"]) >= asked


def test_a_page_can_read_the_raw_stream_with_its_readings(picam):
    path = "/stream?raw=1&width=480&readings=1&window=0.25,0.25,0.5,0.5"
    browser = "Accept: image/avif,image/webp,*/*"
    with raw.Stream(picam.port, path, headers=[browser], timeout=PATIENCE) as stream:
        assert stream.headers["content-type"] == "application/octet-stream"
        parts = stream.take(4)
    for part in parts[1:]:  # the first one may have been made for somebody else
        told = part.headers
        assert (told["x-exposure"], told["x-gain"], told["x-afstate"]) == ("20000", "1.00", "focused")
        assert float(told["x-lens"]) == 2.0 and float(told["x-sharpness"]) > 1


def test_one_frame_has_one_time_in_every_size(picam):
    small, large = {}, {}
    with raw.Stream(picam.port, "/stream?width=480", timeout=PATIENCE) as first, raw.Stream(picam.port, timeout=PATIENCE) as second:
        for _ in range(100):
            small |= {part.sequence: part.timestamp for part in first.take(2)}
            large |= {part.sequence: part.timestamp for part in second.take(2)}
            if len(small.keys() & large.keys()) >= 4:
                break
    common = small.keys() & large.keys()
    assert len(common) >= 4 and all(small[sequence] == large[sequence] for sequence in common)


def test_the_smaller_streams_show_no_signal_too(picam):
    with raw.Stream(picam.port, "/stream?width=480", timeout=PATIENCE) as stream:
        stream.next()
        assert picam.get("/debug/stall?seconds=4")[0] == 200
        dark = [part for part in stream.take(14) if "x-signal" in part.headers]
        assert dark and decoded(dark[-1].body).shape == (270, 480, 3)
    picam.wait_status(lambda status: status["healthy"])


@pytest.mark.parametrize("path, line", [
    ("/stream?width=500", 'width = "500": expected 480, 960 or 1440'),
    ("/jpg?width=", 'width = "": expected 480, 960 or 1440'),
    ("/stream?raw=2", 'raw = "2": expected 0 or 1'),
    ("/stream?readings=yes", 'readings = "yes": expected 0 or 1'),
    ("/stream?window=0,0,1", 'window = "0,0,1": expected x,y,w,h as fractions of the picture, like 0.4,0.4,0.2,0.2'),
    ("/jpg?crop=0,0,2,1", 'crop = "0,0,2,1": expected x,y,w,h as fractions of the picture, like 0.4,0.4,0.2,0.2'),
    ("/jpg?crop=0,0,1,1&width=480", "width with crop or quality: expected width alone"),
    ("/jpg?quality=80&width=480", "width with crop or quality: expected width alone"),
    ("/focus?window=0,0,0.1,1", "window: 0.1 by 1 of the picture: expected at least 0.125 by 0.125"),
    ("/events?window=a", 'window = "a": expected x,y,w,h as fractions of the picture, like 0.4,0.4,0.2,0.2'),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(picam, path, line):
    status, _, body = picam.get(path)
    assert (status, body.decode()) == (400, f"{line}\n")


def test_events_tell_each_frame(picam):
    with raw.connect(picam.port, timeout=PATIENCE) as connection:
        connection.sendall(raw.get("/events?window=0.25,0.25,0.5,0.5"))
        reader = connection.makefile("rb")
        head = iter(reader.readline, b"\r\n")
        assert b"Content-Type: text/event-stream\r\n" in list(head)
        assert reader.readline() == b"retry: 1000\n"
        lines = (line for line in reader if line.startswith(b"data: "))
        events = [json.loads(next(lines).removeprefix(b"data: ")) for _ in range(5)]
    frames = [event["frame"] for event in events]
    assert frames == sorted(set(frames))
    for event in events:
        assert event["window"] == [0.25, 0.25, 0.5, 0.5] and event["sharpness"] > 1
        assert (event["lens"], event["exposure"], event["gain"], event["af_state"]) == (2.0, 20000, 1.0, "focused")


def upright(picture, rotation, mirror):
    """A picture before it was turned and mirrored."""
    if mirror:
        picture = cv2.flip(picture, 1)
    back = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
    return cv2.rotate(picture, back[rotation]) if rotation else picture


@pytest.mark.parametrize("rotation, mirror", [(0, True), (90, False), (180, False), (270, True)])
def test_pictures_are_turned_everywhere(start_picam, rotation, mirror):
    camera = {**TABLES["camera"], "rotation": rotation, "mirror": mirror}
    picam = start_picam({**TABLES, "camera": camera})
    with raw.Stream(picam.port, timeout=PATIENCE) as stream:
        part = stream.next()
    pictures = {part.sequence: decoded(part.body)}
    for path in ("/jpg", "/jpg?width=960"):
        _, headers, body = picam.get(path)
        pictures[int(headers["X-Frame"])] = decoded(body)
    for sequence, picture in pictures.items():
        straight = upright(picture, rotation, mirror)
        assert straight.shape[1] / straight.shape[0] == pytest.approx(16 / 9, rel=0.01)
        assert stamped(straight).sequence == sequence


def test_windows_are_those_of_the_turned_picture(start_picam):
    """On its side, the chart that was on the right (5 dioptres) is at the bottom."""
    picam = start_picam({**TABLES, "camera": {**TABLES["camera"], "rotation": 90}})
    assert picam.get("/set?AfWindows=0.3,0.7,0.4,0.2")[0] == 200
    picam.wait_status(lambda status: status["controls"]["actual"].get("LensPosition") == 5.0)
    sharp = json.loads(picam.get("/focus?window=0.3,0.7,0.4,0.25")[2])["sharpness"]
    blurred = json.loads(picam.get("/focus?window=0.3,0.05,0.4,0.25")[2])["sharpness"]
    assert sharp > 2 * blurred


def test_a_part_waits_for_the_first_frame_as_a_whole_picture_does(start_picam):
    """A large picture is drawn for the first time for longer than picam needs to listen."""
    picam = start_picam({**TABLES, "camera": {**TABLES["camera"], "width": 4608, "height": 2592}})
    assert decoded(picam.get("/jpg?crop=0,0,0.125,0.25")[2]).shape == (648, 576, 3)
