#!/usr/bin/env python3
"""The service that picam replaces, written anew from its description: one process, Picamera2, OpenCV, http.server.

    original.py WIDTHxHEIGHT HERTZ [PORT]

Where the description leaves a choice, this is the one that serves better: a stream keeps its rate whatever the encoding
takes, a picture is encoded once for all who ask, and the camera starts at its own rate before it is slowed down. As
described, no format is asked for: it is Picamera2's XBGR8888, whose bytes are R G B X, and OpenCV takes them for B G R X:
red and blue are swapped.
"""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import cv2
from picamera2 import Picamera2

PORT = 8000
AUTOFOCUS_OFF, AUTOFOCUS_CONTINUOUS = 0, 2
# What /set takes, and what Picamera2 wants each as.
SETTABLE = {"ExposureTime": int, "AnalogueGain": float, "LensPosition": float}


class Camera:
    """The camera, and a thread that keeps the newest of its pictures."""

    def __init__(self, size, hertz):
        self.interval = 1 / hertz
        self._newest = None
        self._lock = threading.Lock()
        self._encoded = None, None
        self._camera = Picamera2()
        self._camera.configure(self._camera.create_video_configuration(main={"size": size}, buffer_count=4))
        self._camera.start()
        frame = int(1_000_000 / hertz)
        self.set({"AeEnable": True, "AwbEnable": True, "AfMode": AUTOFOCUS_CONTINUOUS, "FrameDurationLimits": (frame, frame)})
        threading.Thread(target=self._capture, daemon=True).start()

    def _capture(self):
        while True:
            self._newest = self._camera.capture_array()

    def jpeg(self):
        """The newest picture, encoded; None before the first."""
        picture = self._newest
        if picture is None:
            return None
        with self._lock:
            if self._encoded[0] is not picture:
                self._encoded = picture, cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
            return self._encoded[1]

    def set(self, controls):
        self._camera.set_controls(controls)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlparse(self.path)
        answer = {"/stream": self._stream, "/jpg": self._jpg, "/set": self._set}.get(url.path)
        if answer:
            answer(parse_qs(url.query))
        else:
            self.send_error(404)

    def _stream(self, _query):
        self._begin("multipart/x-mixed-replace; boundary=frame")
        due = time.monotonic()
        try:
            while True:
                if jpeg := self.server.camera.jpeg():
                    self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg))
                    self.wfile.write(jpeg + b"\r\n")
                now = time.monotonic()
                due = max(due + self.server.camera.interval, now)
                time.sleep(due - now)
        except OSError:
            pass

    def _jpg(self, _query):
        jpeg = self.server.camera.jpeg()
        if jpeg is None:
            self.send_error(503)
            return
        self._begin("image/jpeg", len(jpeg))
        self.wfile.write(jpeg)

    def _set(self, query):
        controls = {name: kind(query[name][0]) for name, kind in SETTABLE.items() if name in query}
        if "LensPosition" in controls:
            controls["AfMode"] = AUTOFOCUS_OFF
        self.server.camera.set(controls)
        self._begin("text/plain")
        self.wfile.write(b"ok")

    def _begin(self, kind, length=None):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_words):
        pass


def main():
    size, hertz, *port = sys.argv[1:]
    server = ThreadingHTTPServer(("", int(port[0]) if port else PORT), Handler)
    server.camera = Camera(tuple(int(side) for side in size.split("x")), float(hertz))
    server.serve_forever()


if __name__ == "__main__":
    main()
