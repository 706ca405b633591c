"""JPEGs of bands, encoded by several threads: the same pictures as those of one thread, to every decoder."""

import io
import re
import signal
import subprocess

import cv2
import numpy
import pytest
from PIL import Image
from support import photos, raw

SIZES = [(2304, 1296), (640, 362), (66, 64)]


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: "x".join(map(str, size)))
def jpegs(request, start_module_picam):
    """{threads: JPEG} of one photograph."""
    folder, _ = photos.frame_set(2000)
    width, height = request.param
    camera = {"source": f"replay:{sorted(folder.glob('*.jpg'))[0]}", "width": width, "height": height, "rate": 20}
    picam = start_module_picam({"camera": camera, "jpeg": {"threads": 1}})
    found, reloads = {}, 0
    for threads in (1, 2, 3, 4, 16):
        picam.write_config({"camera": camera, "jpeg": {"threads": threads}})
        picam.signal(signal.SIGHUP)
        if threads > 1:
            picam.wait_log("changed: jpeg.threads$", since=reloads)
        reloads = len(picam.lines)
        found[threads] = picam.get("/jpg?fresh=1")[2]
        assert picam.status()["encode_threads"] == min(threads, 4 if height == 64 else threads)
    return found


def test_pixels_are_those_of_one_thread(jpegs):
    alone = cv2.imdecode(numpy.frombuffer(jpegs[1], numpy.uint8), cv2.IMREAD_COLOR)
    for threads, jpeg in jpegs.items():
        assert numpy.array_equal(cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_COLOR), alone), threads
        assert len(jpeg) < 1.001 * len(jpegs[1]) + 200
    # What is not a marker has 00 behind FF.
    restarts = {threads: len(re.findall(rb"\xff[\xd0-\xd7]", jpeg)) for threads, jpeg in jpegs.items()}
    assert restarts.pop(1) == 0 and all(0 < count < 2 * threads for threads, count in restarts.items()), restarts


def test_decoders_find_nothing_wrong(jpegs, tmp_path):
    pictures = set()
    for threads, jpeg in jpegs.items():
        file = tmp_path / f"{threads}.jpg"
        file.write_bytes(jpeg)
        done = subprocess.run(["djpeg", "-strict", "-ppm", file], capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        pictures.add(done.stdout)
        command = ["ffmpeg", "-v", "warning", "-xerror", "-err_detect", "explode", "-i", file, "-f", "null", "-"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "error" not in done.stderr.lower(), done.stderr
        with Image.open(io.BytesIO(jpeg)) as image:
            image.load()
    assert len(pictures) == 1


def test_frames_that_the_encoder_has_no_time_for_are_counted_and_told_once(start_picam):
    folder, _ = photos.frame_set(2000)
    camera = {"source": f"replay:{sorted(folder.glob('*.jpg'))[0]}", "width": 4608, "height": 2592, "rate": 60}
    picam = start_picam({"camera": camera, "jpeg": {"threads": 1, "quality": 60}})
    with raw.Stream(picam.port) as stream:
        while not any("encoder: has no time for" in line for line in picam.lines):
            stream.next()
        parts = stream.take(40)
    numbers = [part.sequence for part in parts]
    assert numbers == sorted(set(numbers))
    counters = picam.status()["counters"]
    assert counters["frames_skipped"] > 10 and counters["frames_refused"] == 0
    assert picam.log().count("encoder: has no time for") == 1
    assert "lower camera.rate, jpeg.quality or the size" in picam.log()
