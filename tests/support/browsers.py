"""Browsers without a screen, each driven by the client that its makers keep: Chromium and WebKitGTK by Selenium through
Debian's drivers, Firefox, for which Debian has none, by Mozilla's Marionette."""

import base64
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy
from marionette_driver.marionette import Marionette
from selenium import webdriver
from selenium.common.exceptions import NoSuchFrameException
from selenium.webdriver.webkitgtk.service import Service as WebKitService

from support.output import started
from support.process import stop


class Browser:
    """Context manager; one browser window of `size` = (width, height) pixels."""

    def __init__(self, size):
        self.size = size

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(prefix="picam-browser-", ignore_cleanup_errors=True)
        self.home = Path(self.profile.name)
        try:
            self.start()
        except BaseException as error:
            self.__exit__()
            raise AssertionError(f"{type(self).__name__} did not start: {error}\nWhat it said:\n{self.words()}") from None
        return self

    def __exit__(self, *_):
        try:
            self.end()
        finally:
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


class SeleniumBrowser(Browser):
    driver = None
    said = ""

    def words(self):
        """What the driver and the browser said, as long as there was a profile."""
        return self.said

    @property
    def log(self):
        return str(self.home / "driver.log")

    def end(self):
        try:
            if self.driver:
                self.driver.quit()
        finally:
            if os.path.exists(self.log):
                self.said = Path(self.log).read_text(errors="replace")

    def navigate(self, url):
        self.driver.get(url)

    def resize(self, width, height):
        self.driver.set_window_rect(width=width, height=height)

    def script(self, code):
        """What the JavaScript `code` returns; nothing as long as a page that is going away still runs."""
        try:
            return self.driver.execute_script(code)
        except NoSuchFrameException:
            return None

    def screenshot_base64(self):
        return self.driver.get_screenshot_as_base64()


class Chromium(SeleniumBrowser):
    # Names of this machine for tests: one that only a local network knows, and a public one. Unlike 127.0.0.1 they are no
    # secure contexts, like any address of a network.
    LOCAL, PUBLIC = "camera.local", "public.example"
    # The last ones keep a browser that has no internet from looking for it all the time.
    FLAGS = [
        "--headless", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1", "--no-first-run",
        f"--host-resolver-rules=MAP {LOCAL} 127.0.0.1, MAP {PUBLIC} 127.0.0.1",
        "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ]  # fmt: skip

    def start(self):
        options = webdriver.ChromeOptions()
        # A stream never finishes loading: navigation must not wait for it.
        options.page_load_strategy = "none"
        options.binary_location = "/usr/bin/chromium"
        flags = [*self.FLAGS, f"--user-data-dir={self.home}/profile", f"--window-size={self.size[0]},{self.size[1]}"]
        for flag in [*flags, *(["--no-sandbox"] if os.geteuid() == 0 else [])]:
            options.add_argument(flag)
        # The browser's own words are the only ones that say why it did not start.
        service = webdriver.ChromeService(
            "/usr/bin/chromedriver", service_args=["--log-level=WARNING", "--enable-chrome-logs"], log_output=self.log
        )
        self.driver = webdriver.Chrome(options, service)


class WebKit(SeleniumBrowser):
    """WebKitGTK's MiniBrowser, on a virtual X server of its own: it has no headless mode."""

    screen = None

    def start(self):
        # Its renderer would look for a graphics card, its accessibility for a desktop's bus.
        environment = {"DISPLAY": self.display(), "LIBGL_ALWAYS_SOFTWARE": "1", "GTK_A11Y": "none", "NO_AT_BRIDGE": "1"}
        environment |= {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home)}
        options = webdriver.WebKitGTKOptions()
        options.page_load_strategy = "none"
        options.binary_location = str(next(Path("/usr/lib").glob("*/webkit*gtk-*/MiniBrowser")))
        options.add_argument("--automation")
        service = WebKitService("/usr/bin/WebKitWebDriver", log_output=self.log, env={**os.environ, **environment})
        self.driver = webdriver.WebKitGTK(options, service)
        self.resize(*self.size)

    def display(self):
        display, written = os.pipe()
        arguments = ["-displayfd", str(written), "-screen", "0", "2560x1600x24", "-nolisten", "tcp"]
        self.screen = subprocess.Popen(
            ["Xvfb", *arguments], pass_fds=[written], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(written)
        with open(display) as number:
            found = number.readline().strip()
        assert found, "Xvfb did not start"
        return f":{found}"

    def end(self):
        try:
            super().end()
        finally:
            if self.screen:
                stop(self.screen)


class Firefox(Browser):
    # Marionette itself turns off nearly everything that would look for the internet.
    PREFERENCES = {
        "marionette.port": 0,
        "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False,
        "datareporting.policy.dataSubmissionEnabled": False,
        "layout.css.devPixelsPerPx": "1.0",
    }

    process = client = None

    def words(self):
        return self.output

    def start(self):
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in self.PREFERENCES.items())
        (self.home / "user.js").write_text("".join(lines))
        size = [f"--width={self.size[0]}", f"--height={self.size[1]}"]
        # Debian names it so; elsewhere it is `firefox`.
        command = ["firefox-esr", "--headless", "--marionette", "--no-remote", "--profile", self.home, *size]
        self.process, self.output = started(command, environment={"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home)})
        port = int(self.output.wait(r"Listening on port (\d+)").group(1))
        self.client = Marionette(port=port)
        self.client.start_session({"pageLoadStrategy": "none"})

    def end(self):
        if not self.process:
            return
        try:
            if self.client:
                self.client.cleanup()
        finally:
            if self.process.poll() is None:
                self.process.terminate()
            self.output.end()  # before `stop` closes the pipe
            stop(self.process)

    def navigate(self, url):
        self.client.navigate(url)

    def resize(self, width, height):
        self.client.set_window_rect(width=width, height=height)

    def script(self, code):
        """What the JavaScript `code` returns."""
        return self.client.execute_script(code, sandbox=None)

    def screenshot_base64(self):
        return self.client.screenshot(full=False)
