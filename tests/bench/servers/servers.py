"""picam and its peers, each started as one process that streams the same pictures on a port of 127.0.0.1."""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from support.appliance import BINARY, toml
from support.process import PYTHON, TESTS, stop
from support.raw import free_port
from support.unpacked import UNPACKED, libraries

HERE = Path(__file__).parent
HERTZ = 8
SIZE = "2304x1296"
EXAMPLES = BINARY.parent / "examples"
PATIENCE = 60


class Server:
    """A process that serves; `name` is its row's. first_jpeg: seconds from its start to the first JPEG at a client."""

    def __init__(self, name, command, port, path="/stream", clock="stamp", env=None):
        self.name, self.port, self.path, self.clock = name, port, path, clock
        began = time.monotonic()
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([str(word) for word in command], env={**os.environ, **(env or {})}, **quiet)
        self.pid = self.process.pid
        try:
            self._wait_picture(began + PATIENCE)
        except BaseException:
            self.stop()
            raise
        self.first_jpeg = time.monotonic() - began

    def _wait_picture(self, until):
        while time.monotonic() < until:
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}"
            try:
                with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as asking:
                    asking.sendall(f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                    came = b""
                    while more := asking.recv(1 << 16):
                        came += more
                        if b"\xff\xd9\r\n" in came:
                            return
            except OSError:
                pass
            time.sleep(0.005)  # it does not listen yet, or has no picture, and tells nobody when it does
        raise AssertionError(f"{self.name}: no picture within {PATIENCE} s")

    def stop(self):
        stop(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def picam(folder, name, quality, **camera):
    """picam with these keys of [camera]."""
    port = free_port()
    tables = {
        "camera": {"rate": float(HERTZ), **camera},
        "jpeg": {"quality": quality},
        "server": {"listen": f"127.0.0.1:{port}", "mdns": False},
        "limits": {"per_address": 256},
    }
    config = folder / "picam.toml"
    config.write_text(toml(tables))
    return Server(name, [BINARY, "--config", config], port, clock="header")


def picam_photographs(folder, pictures, quality):
    return picam(folder, "picam", quality, source=f"replay:{pictures.y4m}")


def picam_pattern(folder, _pictures, quality):
    return picam(folder, "picam, test pattern", quality, source="pattern")


def original(_folder, pictures, _quality):
    """The service that picam replaces."""
    port = free_port()
    env = {"PYTHONPATH": f"{HERE / 'standins'}:{TESTS}", "BENCH_PICTURES": str(pictures.photographs)}
    return Server("the original", [PYTHON, TESTS / "bench/camera/original.py", SIZE, HERTZ, port], port, env=env)


def _camera(folder, pictures, pixels):
    """(path, environment) of a V4L2 camera of this format."""
    library = folder / "camera.so"
    if not library.exists():
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, HERE / "camera.c"], check=True)
    path = folder / "video0"
    path.touch()
    told = {"BENCH_CAMERA": path, "BENCH_FORMAT": pixels, "BENCH_PICTURES": pictures.raw[pixels], "LD_PRELOAD": library}
    return path, {name: str(value) for name, value in told.items()}


def ustreamer(folder, pictures, quality):
    port, (path, env) = free_port(), _camera(folder, pictures, "YUYV")
    options = ["--format", "YUYV", "--resolution", SIZE, "--quality", quality]
    command = [shutil.which("ustreamer"), "--device", path, "--host", "127.0.0.1", "--port", port, *options]
    return Server("ustreamer", command, port, env=env)


def motion(folder, pictures, quality):
    port, (path, env) = free_port(), _camera(folder, pictures, "YU12")
    width, height = SIZE.split("x")
    settings = {
        "video_device": path,
        "v4l2_palette": 17,
        "width": width,
        "height": height,
        "framerate": HERTZ,
        "stream_port": port,
        "stream_localhost": "on",
        "stream_maxrate": HERTZ,
        "stream_quality": quality,
        "picture_output": "off",
        "movie_output": "off",
        "webcontrol_port": 0,
        "threshold": 100_000_000,  # nothing moves enough
        "text_right": '""',
    }
    config = folder / "motion.conf"
    config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    env |= {"HOME": str(folder), **libraries()}
    return Server("motion", [UNPACKED / "bin/motion", "-n", "-c", config], port, path="/", env=env)


def limit(_folder, pictures, _quality):
    """No encoder, one writev a client: what cannot be beaten."""
    port = free_port()
    return Server("ready JPEGs, one writev each", [EXAMPLES / "bench-limit", pictures.jpegs, HERTZ, port], port, clock="header")


# What is measured at quality 100, in this order, each round anew.
PEERS = [picam_photographs, original, ustreamer, motion, limit]


def versions():
    """{program: version} of those that a figure depends on."""
    told = {"picam": [BINARY, "--version"], "ustreamer": ["ustreamer", "--version"], "motion": [UNPACKED / "bin/motion", "-h"]}
    return {name: _version(command) for name, command in told.items()}


def _version(command):
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | libraries())
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found[0] if found else "?"
