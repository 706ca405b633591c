"""Headless Chromium, driven through Debian's chromedriver by the W3C WebDriver protocol, spoken directly."""

import base64
import json
import os
import subprocess
import tempfile
import time
import urllib.request

import cv2
import numpy

from support.process import stop

# No sandbox as root; the others keep a browser that has no internet from looking for it all the time.
FLAGS = [
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-device-scale-factor=1",
]  # fmt: skip


class Chromium:
    """Context manager; one browser window of `size` = (width, height) pixels."""

    def __init__(self, size):
        self.size = size
        self.profile = tempfile.TemporaryDirectory(prefix="picam-chromium-", ignore_cleanup_errors=True)
        self.session = None
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0", "--log-level=WARNING"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self):
        try:
            for line in self.driver.stdout:
                if "started successfully on port " in line:
                    self.url = "http://127.0.0.1:" + line.split("port ")[1].strip().rstrip(".")
                    break
            flags = [*FLAGS, f"--user-data-dir={self.profile.name}", f"--window-size={self.size[0]},{self.size[1]}"]
            if os.geteuid() == 0:
                flags.append("--no-sandbox")
            # A stream never finishes loading: navigation must not wait for it.
            wanted = {"pageLoadStrategy": "none", "goog:chromeOptions": {"args": flags}}
            answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self.session = answer["sessionId"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.session:
                self.call("DELETE", "")
        finally:
            stop(self.driver)
            self.profile.cleanup()

    def call(self, method, path, body=None):
        """The `value` of one WebDriver command."""
        path = path if self.session is None else f"/session/{self.session}{path}"
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def script(self, code):
        """What the JavaScript `code` returns."""
        return self.call("POST", "/execute/sync", {"script": code, "args": []})

    def wait_script(self, code, timeout=20.0):
        """Polls until the JavaScript `code` returns something true, and returns that."""
        deadline = time.monotonic() + timeout
        while not (value := self.script(code)):
            assert time.monotonic() < deadline, f"not within {timeout} s: {code}"
            time.sleep(0.05)
        return value

    def screenshot(self):
        """The window's pixels, BGR."""
        picture = base64.b64decode(self.call("GET", "/screenshot"))
        return cv2.imdecode(numpy.frombuffer(picture, numpy.uint8), cv2.IMREAD_COLOR)
