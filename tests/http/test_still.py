"""GET /still: all the sensor's pixels, with EXIF, and streams that stay open."""

import concurrent.futures
import contextlib
import subprocess
import threading

import cv2
import numpy
import pytest
from support import raw, stamp
from support.appliance import PATIENCE
from support.sampling import sampling
from support.tries import holds_once, skipped

TABLES = {"camera": {"width": 640, "height": 360, "rate": 8}, "jpeg": {"quality": 80}}
STILL_TIME = 60


@pytest.fixture(scope="module")
def picam(start_module_picam):
    return start_module_picam(TABLES)


def take(picam, query=""):
    status, headers, body = picam.get(f"/still{query}", timeout=STILL_TIME)
    assert status == 200, body
    return headers, body


class Watching:
    """Takes the parts of a stream meanwhile; `end` has their frames' numbers."""

    def __init__(self, stream):
        self._ended, self._numbers = threading.Event(), []
        self._thread = threading.Thread(target=self._watch, args=(stream,))

    def _watch(self, stream):
        while not self._ended.is_set():
            self._numbers.append(stream.next().sequence)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self._ended.set()
        self._thread.join()
        return self._numbers


def grey(jpeg):
    return cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_GRAYSCALE)


def exif(path):
    """What exiftool reads, as {tag: text}; it must find nothing wrong."""
    lines = subprocess.run(["exiftool", "-s", "-n", "-validate", "-warning", "-error", "-a", "-all", path],
                           capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()  # fmt: skip
    tags = dict(line.split(":", 1) for line in lines)
    tags = {tag.strip(): value.strip() for tag, value in tags.items()}
    assert tags.pop("Validate") == "0 0 0", lines
    assert not {"Warning", "Error"} & tags.keys(), lines
    return tags


def test_a_still_has_all_pixels_and_says_how_it_was_taken(picam, tmp_path):
    assert picam.get("/set?ExposureTime=10000&AnalogueGain=2&LensPosition=2")[0] == 200
    picam.wait_status(lambda status: status["controls"]["actual"]["ExposureTime"] == 10000)
    headers, body = take(picam, "?quality=90")
    picture = grey(body)
    assert picture.shape == (2592, 4608)
    file = tmp_path / "still.jpg"
    file.write_bytes(body)
    tags = exif(file)
    assert float(tags["ExposureTime"]) == 0.01 and tags["ISO"] == "200"
    assert float(tags["SubjectDistance"]) == 0.5
    assert (tags["ExifImageWidth"], tags["ExifImageHeight"]) == ("4608", "2592")
    assert tags["OffsetTimeOriginal"] == "+00:00" and len(tags["SubSecTimeOriginal"]) == 6
    assert tags["Software"].startswith("picam ") and '"LensPosition":2' in tags["UserComment"]
    assert float(headers["X-Timestamp"]) == pytest.approx(stamp.decode(picture).time, abs=0.0015)
    picam.get("/set?AeEnable=1&AfMode=continuous")


def test_streams_stay_open_and_go_on(picam):
    with raw.Stream(picam.port, timeout=PATIENCE) as stream:
        before = stream.next().sequence
        with concurrent.futures.ThreadPoolExecutor() as pool:
            still = pool.submit(take, picam)
            parts = stream.take(24)
            still.result()
    numbers = [part.sequence for part in parts]
    # On a busy machine the still takes so long that a "no signal" picture comes, which has the last frame's number.
    assert numbers == sorted(numbers) and before < numbers[-1]
    assert {grey(part.body).shape for part in parts} == {(360, 640)}


def test_no_frame_is_missed_where_both_are_had_all_the_time(start_picam):
    picam = start_picam({**TABLES, "camera": {**TABLES["camera"], "still": "always"}})
    stills = 0

    def missed():
        nonlocal stills
        with contextlib.ExitStack() as clients:
            streams = [clients.enter_context(raw.Stream(picam.port, timeout=PATIENCE)) for _ in range(3)]
            watchers = [clients.enter_context(Watching(stream)) for stream in streams]
            assert grey(take(picam)[1]).shape == (2592, 4608)  # at once after the one before
            stills += 1
            watched = [watcher.end() for watcher in watchers]
        assert all(len(numbers) > 1 for numbers in watched)
        return sum(map(skipped, watched))

    holds_once(missed)
    while stills < 3:
        missed()
    status = picam.status()
    assert (status["camera"]["restarts"], status["camera"]["reopens"]) == (0, 0)


def test_many_who_ask_are_served_one_after_the_other_or_refused(picam):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: picam.get("/still", timeout=STILL_TIME), range(12)))
    statuses = [status for status, *_ in answers]
    assert set(statuses) == {200, 503} and statuses.count(200) >= 4
    refused = next((headers, body) for status, headers, body in answers if status == 503)
    assert refused[0]["Retry-After"] == "5" and refused[1] == b"too many ask for stills: try again\n"
    assert picam.status()["healthy"]


def test_stills_can_be_forbidden(start_picam):
    picam = start_picam({**TABLES, "camera": {**TABLES["camera"], "still": "off"}})
    status, _, body = picam.get("/still")
    assert (status, body.count(b"\n")) == (409, 1) and b'camera.still = "off"' in body


@pytest.mark.parametrize(("still", "rotation"), [("switch", 270), ("always", 0)])
def test_a_still_has_as_much_colour_as_is_asked_for(start_picam, tmp_path, still, rotation):
    picam = start_picam({**TABLES, "camera": {**TABLES["camera"], "still": still, "still_chroma": "4:4:4", "rotation": rotation}})
    body = take(picam)[1]
    assert (sampling(body), sampling(picam.get("/jpg")[2])) == ("4:4:4", "4:2:0")
    picture = cv2.imdecode(numpy.frombuffer(body, numpy.uint8), cv2.IMREAD_COLOR)
    plain = cv2.imdecode(numpy.frombuffer(picam.get("/jpg")[2], numpy.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[:2] == tuple(plain.shape[side] * 2592 // 360 for side in (0, 1))
    file = tmp_path / "still.jpg"
    file.write_bytes(body)
    assert exif(file)["YCbCrSubSampling"] == "1 1"


@pytest.mark.parametrize("quality", ["9", "101", "x", "", "-1", "95.5"])
def test_a_quality_that_cannot_be_is_refused(picam, quality):
    status, _, body = picam.get(f"/still?quality={quality}")
    assert (status, body.decode()) == (400, f'quality = "{quality}": expected an integer from 10 to 100\n')


def test_a_turned_camera_takes_turned_stills(start_picam):
    picam = start_picam({**TABLES, "camera": {**TABLES["camera"], "rotation": 90}})
    picture = grey(take(picam)[1])
    assert picture.shape == (4608, 2592)
    assert stamp.decode(cv2.rotate(picture, cv2.ROTATE_90_COUNTERCLOCKWISE))
