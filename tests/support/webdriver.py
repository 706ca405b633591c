"""Headless browsers: Chromium through Debian's chromedriver by the W3C WebDriver protocol, Firefox by Marionette; both
protocols are spoken directly."""

import base64
import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import cv2
import numpy

from support.output import Output
from support.process import stop


class Browser:
    """Context manager; one browser window of `size` = (width, height) pixels."""

    def __init__(self, size):
        self.size = size
        self.profile = tempfile.TemporaryDirectory(prefix="picam-browser-", ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            self.command(),
            env={**os.environ, "HOME": self.profile.name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.output = Output(self.process.stdout)

    def __enter__(self):
        try:
            self.start()
        except BaseException as error:
            self.__exit__()
            name = type(self).__name__
            raise AssertionError(f"{name} did not start: {error}\nWhat it said:\n{self.output}") from None
        return self

    def __exit__(self, *_):
        try:
            self.end()
        finally:
            if self.process.poll() is None:
                self.process.terminate()
            self.output.end()  # before `stop` closes the pipe
            stop(self.process)
            self.profile.cleanup()

    def wait_script(self, code, timeout=60.0):
        """Polls until the JavaScript `code` returns something true, and returns that."""
        deadline = time.monotonic() + timeout
        while not (value := self.script(code)):
            assert time.monotonic() < deadline, f"not within {timeout} s: {code}"
            time.sleep(0.05)
        return value

    def screenshot(self):
        """The window's pixels, BGR."""
        picture = base64.b64decode(self.screenshot_base64())
        return cv2.imdecode(numpy.frombuffer(picture, numpy.uint8), cv2.IMREAD_COLOR)


class Chromium(Browser):
    # No sandbox as root; the others keep a browser that has no internet from looking for it all the time.
    FLAGS = [
        "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-device-scale-factor=1",
    ]  # fmt: skip

    session = None

    def command(self):
        # The browser's own words, which are the only ones that say why it did not start.
        return ["chromedriver", "--port=0", "--log-level=WARNING", "--enable-chrome-logs"]

    def start(self):
        port = self.output.wait(r"started successfully on port (\d+)").group(1)
        self.url = f"http://127.0.0.1:{port}"
        flags = [*self.FLAGS, f"--user-data-dir={self.profile.name}", f"--window-size={self.size[0]},{self.size[1]}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        # A stream never finishes loading: navigation must not wait for it.
        wanted = {"pageLoadStrategy": "none", "goog:chromeOptions": {"args": flags}}
        self.session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def end(self):
        if self.session:
            self.call("DELETE", "")

    def call(self, method, path, body=None):
        """The `value` of one WebDriver command."""
        path = path if self.session is None else f"/session/{self.session}{path}"
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as answer:
            value = json.load(answer)["value"]
            raise AssertionError(f"{method} {path}: {value['error']}: {value['message']}") from None

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def resize(self, width, height):
        self.call("POST", "/window/rect", {"width": width, "height": height})

    def script(self, code):
        """What the JavaScript `code` returns."""
        return self.call("POST", "/execute/sync", {"script": code, "args": []})

    def screenshot_base64(self):
        return self.call("GET", "/screenshot")


class Firefox(Browser):
    # Marionette itself turns off nearly everything that would look for the internet.
    PREFERENCES = {
        "marionette.port": 0,
        "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False,
        "datareporting.policy.dataSubmissionEnabled": False,
        "layout.css.devPixelsPerPx": "1.0",
    }

    connection = None

    def command(self):
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in self.PREFERENCES.items())
        (Path(self.profile.name) / "user.js").write_text("".join(lines))
        size = [f"--width={self.size[0]}", f"--height={self.size[1]}"]
        # Debian names it so; elsewhere it is `firefox`.
        return ["firefox-esr", "--headless", "--marionette", "--no-remote", "--profile", self.profile.name, *size]

    def start(self):
        port = int(self.output.wait(r"Listening on port (\d+)").group(1))
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.messages = self.connection.makefile("rb")
        self.number = 0
        self.receive()  # its greeting
        self.call("WebDriver:NewSession", pageLoadStrategy="none")

    def end(self):
        if self.connection:
            self.messages.close()
            self.connection.close()

    def receive(self):
        """One message: its length in decimal digits, a colon, JSON."""
        digits = b""
        while (byte := self.messages.read(1)) != b":":
            assert byte.isdigit(), f"Firefox closed the connection; it said:\n{self.output}"
            digits += byte
        return json.loads(self.messages.read(int(digits)))

    def call(self, command, **parameters):
        """The result of one Marionette command."""
        self.number += 1
        message = json.dumps([0, self.number, command, parameters]).encode()
        self.connection.sendall(b"%d:%b" % (len(message), message))
        _, number, error, result = self.receive()
        assert number == self.number
        assert error is None, f"{command}: {error and error['error']}: {error and error['message']}"
        return result

    def open(self, url):
        self.call("WebDriver:Navigate", url=url)

    def resize(self, width, height):
        self.call("WebDriver:SetWindowRect", width=width, height=height)

    def script(self, code):
        """What the JavaScript `code` returns."""
        return self.call("WebDriver:ExecuteScript", script=code, args=[])["value"]

    def screenshot_base64(self):
        return self.call("WebDriver:TakeScreenshot", full=False)["value"]
