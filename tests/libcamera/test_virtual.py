"""A static picam serves frames of the real libcamera, from its virtual pipeline: buffers, requests, restarts."""

import subprocess
import threading
import time

import cv2
import numpy
import pytest

from support import raw
from support.bars import assert_bars, decoded

def test_version_names_libcamera_and_the_pipelines(version_lines):
    assert version_lines[1].startswith("pipelines: ")
    assert {"rpi/vc4", "virtual"} <= set(version_lines[1].split()[1:])
    assert version_lines[2].startswith("libcamera v0.")


def test_the_executable_needs_no_library(libcamera_binary):
    headers = subprocess.run(["readelf", "-ld", libcamera_binary], capture_output=True, text=True, check=True).stdout
    assert "INTERP" not in headers and "(NEEDED)" not in headers


def test_curl_gets_a_picture_and_a_stream(start_virtual):
    picam = start_virtual()
    jpeg = subprocess.run(["curl", "-sS", "--fail", picam.url + "/jpg"], capture_output=True, check=True).stdout
    assert_bars(decoded(jpeg))
    stream = subprocess.run(["curl", "-sS", "--max-time", "3", picam.url + "/stream"], capture_output=True)
    assert stream.returncode == 28, "the stream was still flowing"
    assert 20 <= stream.stdout.count(b"\r\nX-Frame: ") <= 28, "three seconds at 8 Hz"


def test_opencv_reads_moving_bars_in_order(start_virtual):
    picam = start_virtual()
    capture = cv2.VideoCapture(picam.url + "/stream")
    pictures = []
    for _ in range(12):
        good, picture = capture.read()
        assert good
        assert_bars(picture)
        pictures.append(picture)
    capture.release()
    # Buffers are used again and again: a picture is never one that was there before.
    assert all(numpy.abs(a.astype(int) - b).max() > 50 for a, b in zip(pictures, pictures[1:]))


def test_frames_carry_the_sensors_time(start_virtual):
    picam = start_virtual()
    _, headers, _ = picam.get("/jpg")
    assert 0 <= time.time() - float(headers["X-Timestamp"]) < 1
    assert picam.status()["controls"]["actual"]["SensorTimestamp"] > 0


def test_a_faster_sensor_gives_every_nth_frame(start_virtual):
    picam = start_virtual({"camera": {"source": "libcamera", "width": 640, "height": 360, "rate": 5, "sensor_rate": 22}})
    picam.wait_log(r"ignores FrameDurationLimits")  # until then the virtual pipeline is as fast as it can
    before = picam.status()["counters"]
    time.sleep(3)  # a rate is counted over time
    after = picam.status()["counters"]
    assert 13 <= after["frames_captured"] - before["frames_captured"] <= 17, "three seconds at 5 Hz"
    assert after["frames_lost"] == before["frames_lost"]


def test_controls_that_the_camera_lacks_are_refused(start_virtual):
    picam = start_virtual()
    status, _, body = picam.get("/set?LensPosition=1")
    assert (status, body.decode().strip()) == (400, "this camera has no LensPosition: expected none")
    assert "LensPosition" not in picam.status()["controls"]["requested"]


def test_another_size_is_served_as_it_comes_and_said(start_virtual):
    picam = start_virtual({"camera": {"source": "libcamera"}})
    picam.wait_log(r"2304x1296 was asked for; it delivers 640x360")
    assert_bars(decoded(picam.get("/jpg")[2]))


@pytest.mark.parametrize("camera_id", ["Bars", "Nobody"])
def test_the_camera_with_the_id_and_no_other(start_virtual, camera_id):
    tables = {"camera": {"source": "libcamera", "width": 640, "height": 360, "id": camera_id}}
    picam = start_virtual(tables)
    if camera_id == "Bars":
        picam.wait_status(lambda status: status["signal"] == "live" and status["counters"]["frames_captured"] > 0)
    else:
        picam.wait_log(r'camera\.id = "Nobody" is not there; libcamera finds Bars \(Virtual bars\); waiting for it')


class Watcher:
    """A stream client that never reconnects; counts the parts it gets."""

    def __init__(self, picam):
        self.sock = raw.connect(picam.port, timeout=60)
        self.sock.sendall(raw.get("/stream"))
        self.parts, self.ended = 0, False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        with self.sock:
            while data := self.sock.recv(1 << 20):
                self.parts += data.count(b"\r\nX-Frame: ")  # rarely one is cut in two, and missed
        self.ended = True


def test_libcamera_is_restarted_and_reopened_under_an_open_stream(start_virtual):
    picam = start_virtual()
    watcher = Watcher(picam)
    picam.get("/debug/stall?seconds=6")
    picam.wait_log(r"opening it again")
    status = picam.wait_status(lambda status: status["signal"] == "live")
    assert (status["camera"]["restarts"], status["camera"]["reopens"]) == (1, 1)
    parts = watcher.parts
    time.sleep(2)  # frames are counted over time
    assert watcher.parts - parts >= 10 and not watcher.ended
    metrics = picam.get("/metrics")[2].decode()
    assert 'picam_camera_recoveries_total{step="restart"} 1' in metrics
    assert 'picam_camera_recoveries_total{step="reopen"} 1' in metrics


def named_bars(start_virtual):
    """A picam that serves the camera named Bars and no other."""
    return start_virtual({"camera": {"source": "libcamera", "width": 640, "height": 360, "id": "Bars"}})


def test_a_camera_that_is_not_there_yet_is_waited_for(start_virtual, virtual):
    bars = virtual.read_text()
    virtual.write_text(bars.replace("Bars", "Other"))
    picam = named_bars(start_virtual)
    picam.wait_log(r'camera\.id = "Bars" is not there; libcamera finds Other \(Virtual bars\); waiting for it')
    picam.wait_status(lambda status: status["signal"] == "lost")
    assert picam.status()["camera"]["phase"] in ("waiting", "opening")
    watcher = Watcher(picam)
    picam.wait_status(lambda _: watcher.parts > 0)  # "no signal" pictures
    virtual.write_text(bars)
    picam.wait_status(lambda status: status["signal"] == "live")
    assert_bars(decoded(picam.get("/jpg")[2]))
    assert not watcher.ended


def test_a_camera_that_goes_and_comes_back_under_an_open_stream(start_virtual, virtual):
    picam = named_bars(start_virtual)
    watcher = Watcher(picam)
    bars = virtual.read_text()
    virtual.write_text(bars.replace("Bars", "Other"))
    picam.get("/debug/stall?seconds=6")
    picam.wait_log(r"is not there; libcamera finds Other \(Virtual bars\); waiting for it", timeout=15)
    time.sleep(3)  # it stays away for longer than a stall takes to be seen
    assert picam.status()["signal"] == "lost" and not watcher.ended
    virtual.write_text(bars)
    picam.wait_status(lambda status: status["signal"] == "live")
    assert not watcher.ended and watcher.parts > 0
    assert picam.status()["camera"]["reopens"] == 1, "waiting is no step of its own"


def test_memory_stays_where_it_is_through_many_frames(start_virtual):
    picam = start_virtual({"camera": {"source": "libcamera", "width": 640, "height": 360, "rate": 100}})
    watcher = Watcher(picam)
    picam.wait_status(lambda status: status["counters"]["frames_captured"] > 200)
    before = picam.rss_kib()
    picam.wait_status(lambda status: status["counters"]["frames_captured"] > 1000, timeout=40)
    assert picam.rss_kib() - before < 4096
    assert not watcher.ended
