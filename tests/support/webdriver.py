"""Browsers without a screen: Chromium and WebKitGTK through Debian's drivers by the W3C WebDriver protocol, Firefox by
Marionette; both protocols are spoken directly."""

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

from support.appliance import PATIENCE
from support.output import started
from support.process import stop


class Browser:
    """Context manager; one browser window of `size` = (width, height) pixels."""

    def __init__(self, size):
        self.size = size
        self.profile = tempfile.TemporaryDirectory(prefix="picam-browser-", ignore_cleanup_errors=True)
        environment = {"HOME": self.profile.name, "XDG_RUNTIME_DIR": self.profile.name, **self.environment()}
        self.process, self.output = started(self.command(), environment=environment)

    def environment(self):
        """What else the program needs in its environment."""
        return {}

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

    def open(self, url):
        """Starts loading a page; the one before is gone when this returns."""
        self.navigate(url)
        self.wait_script(f"return location.href == {json.dumps(url)}")

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


class WebDriver(Browser):
    """A browser behind a driver that speaks W3C WebDriver at `self.url`."""

    session = None

    def new_session(self, capabilities):
        # A stream never finishes loading: navigation must not wait for it.
        wanted = {"alwaysMatch": {"pageLoadStrategy": "none", **capabilities}}
        self.session = self.call("POST", "/session", {"capabilities": wanted})["sessionId"]

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

    def navigate(self, url):
        self.call("POST", "/url", {"url": url})

    def resize(self, width, height):
        self.call("POST", "/window/rect", {"width": width, "height": height})

    def script(self, code):
        """What the JavaScript `code` returns."""
        return self.call("POST", "/execute/sync", {"script": code, "args": []})

    def screenshot_base64(self):
        return self.call("GET", "/screenshot")


class Chromium(WebDriver):
    # Names of this machine for tests: one that only a local network knows, and a public one. Unlike 127.0.0.1 they are no
    # secure contexts, like any address of a network.
    LOCAL, PUBLIC = "camera.local", "public.example"
    # No sandbox as root; the others keep a browser that has no internet from looking for it all the time.
    FLAGS = [
        "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-device-scale-factor=1",
        f"--host-resolver-rules=MAP {LOCAL} 127.0.0.1, MAP {PUBLIC} 127.0.0.1",
    ]  # fmt: skip

    def command(self):
        # The browser's own words, which are the only ones that say why it did not start.
        return ["chromedriver", "--port=0", "--log-level=WARNING", "--enable-chrome-logs"]

    def start(self):
        port = self.output.wait(r"started successfully on port (\d+)").group(1)
        self.url = f"http://127.0.0.1:{port}"
        flags = [*self.FLAGS, f"--user-data-dir={self.profile.name}", f"--window-size={self.size[0]},{self.size[1]}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        self.new_session({"goog:chromeOptions": {"args": flags}})


class WebKit(WebDriver):
    """WebKitGTK's MiniBrowser, on a virtual X server of its own: it has no headless mode."""

    screen = None

    def __init__(self, size):
        try:
            super().__init__(size)
        except BaseException:
            if self.screen:
                stop(self.screen)
            raise

    def command(self):
        # The driver does not choose a port by itself.
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return ["WebKitWebDriver", f"--port={port}"]

    def environment(self):
        display, written = os.pipe()
        arguments = ["-displayfd", str(written), "-screen", "0", "2560x1600x24", "-nolisten", "tcp"]
        self.screen = subprocess.Popen(
            ["Xvfb", *arguments], pass_fds=[written], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(written)
        with open(display) as number:
            found = number.readline().strip()
        assert found, "Xvfb did not start"
        # Its renderer would look for a graphics card, its accessibility for a desktop's bus.
        return {"DISPLAY": f":{found}", "LIBGL_ALWAYS_SOFTWARE": "1", "GTK_A11Y": "none", "NO_AT_BRIDGE": "1"}

    def start(self):
        deadline = time.monotonic() + PATIENCE
        while True:  # the driver does not say when it listens
            try:
                self.call("GET", "/status")
                break
            except urllib.error.URLError:
                assert self.process.poll() is None and time.monotonic() < deadline, "the driver does not listen"
                time.sleep(0.05)
        browser = next(Path("/usr/lib").glob("*/webkit*gtk-*/MiniBrowser"))
        self.new_session({"webkitgtk:browserOptions": {"binary": str(browser), "args": ["--automation"]}})
        self.resize(*self.size)

    def end(self):
        try:
            super().end()
        finally:
            stop(self.screen)

    def script(self, code):
        """What the JavaScript `code` returns; nothing as long as a page that is going away still runs."""
        try:
            return super().script(code)
        except AssertionError as error:
            if "no such frame" not in str(error):
                raise


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

    def navigate(self, url):
        self.call("WebDriver:Navigate", url=url)

    def resize(self, width, height):
        self.call("WebDriver:SetWindowRect", width=width, height=height)

    def script(self, code):
        """What the JavaScript `code` returns."""
        return self.call("WebDriver:ExecuteScript", script=code, args=[])["value"]

    def screenshot_base64(self):
        return self.call("WebDriver:TakeScreenshot", full=False)["value"]
