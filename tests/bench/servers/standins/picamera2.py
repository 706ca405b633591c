"""Stands in for Picamera2, for the service that picam replaces: photographs at a fixed rate, with picam's stamp.

BENCH_PICTURES: a folder of photographs, 2304×1296. The arrays are XBGR8888 as Picamera2's are, which OpenCV takes for BGR.
"""

import os
import time
from pathlib import Path

import cv2
import numpy
from support import stamp


class Picamera2:
    def __init__(self):
        files = sorted(Path(os.environ["BENCH_PICTURES"]).glob("*.jpg"))
        self._pictures = [cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGBA) for file in files]
        self._number = 0
        self._interval = 1.0

    def create_video_configuration(self, main, buffer_count):
        height, width = self._pictures[0].shape[:2]
        assert main["size"] == (width, height) and buffer_count
        return main

    def configure(self, configuration):
        pass

    def start(self):
        self._due = time.monotonic()

    def set_controls(self, controls):
        if limits := controls.get("FrameDurationLimits"):
            self._interval = limits[0] / 1e6

    def capture_array(self):
        """Waits for the next picture, and copies it as Picamera2 does."""
        now = time.monotonic()
        self._due = max(self._due + self._interval, now)
        time.sleep(self._due - now)
        captured = time.time()
        picture = self._pictures[self._number % len(self._pictures)].copy()
        mark = numpy.empty((4 * stamp.block_size(picture.shape[1]), picture.shape[1]), numpy.uint8)
        stamp.encode(mark, self._number, captured)
        _, _, width, _ = stamp.area(picture.shape[1])
        picture[: len(mark), :width, :3] = mark[:, :width, None]
        self._number += 1
        return picture
