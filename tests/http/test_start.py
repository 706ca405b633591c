"""The first moments: a reload that comes too early, a folder with a bad file."""

import os
import signal
import threading

import cv2
import numpy
from support import raw, stamp
from support.appliance import Picam


def test_a_reload_during_the_start_does_not_end_picam(tmp_path):
    """The picture to replay comes through a pipe: picam waits for it before it serves."""
    pipe = tmp_path / "pictures/pipe.jpg"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    picture = cv2.imencode(".jpg", numpy.full((360, 640, 3), 100, numpy.uint8))[1].tobytes()
    picam = Picam(tmp_path, {"camera": {"source": f"replay:{pipe.parent}", "width": 640, "height": 360}})

    def feed():
        with open(pipe, "wb") as file:  # returns when picam has opened its side
            picam.signal(signal.SIGHUP)
            file.write(picture)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        picam.wait_ready()
        picam.wait_log("reloaded")
    finally:
        feeder.join()
        picam.stop()


def test_a_bad_file_in_a_replay_folder_is_named_once_and_left_out(start_picam, tmp_path):
    good = numpy.full((360, 640, 3), 90, numpy.uint8)
    cv2.imwrite(str(tmp_path / "a.jpg"), good)
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:300])
    cv2.imwrite(str(tmp_path / "c.jpg"), good + 60)
    camera = {"source": f"replay:{tmp_path}", "width": 640, "height": 360, "rate": 20.0, "stamp": True}
    picam = start_picam({"camera": camera})
    with raw.Stream(picam.port) as stream:
        parts = stream.take(30)
    pictures = [cv2.imdecode(numpy.frombuffer(part.body, numpy.uint8), cv2.IMREAD_GRAYSCALE) for part in parts]
    below = stamp.area(640)[3]
    levels = {round(float(picture[below:].mean()), -1) for picture in pictures}
    assert levels == {90.0, 150.0}, "both good pictures, in turn"
    assert picam.log().count("b.jpg") == 1
    assert picam.status()["camera"] == {"phase": "capturing", "restarts": 0, "reopens": 0}
