"""Programs and libraries that read /stream, each as a function: what it got, picture by picture, and when.

viewer(url, count, every) reads `count` pictures of one connection, one each `every` seconds or, with 0, as they come,
and returns them as a list of `Shown`. What a client finds wrong is raised.
"""

import asyncio
import contextlib
import math
import subprocess
import threading
import time
import urllib.request
from typing import NamedTuple

import aiohttp
import cv2
import mjpeg
import numpy

from support import photos
from support.appliance import ROOT
from support.process import TESTS, stop

PATIENCE = 60.0  # seconds without a picture, after which a client gives up
GO_PROGRAM = ROOT / "target" / "test-clients" / "stream"


class Shown(NamedTuple):
    """`at`: Unix time at which the client had the whole picture; `data`: a JPEG, or the pixels if it decodes itself."""

    at: float
    data: bytes | numpy.ndarray

    def picture(self):
        """BGR pixels."""
        if isinstance(self.data, numpy.ndarray):
            return self.data
        assert self.data[:2] == b"\xff\xd8" and self.data[-2:] == b"\xff\xd9", "not one complete JPEG"
        return cv2.imdecode(numpy.frombuffer(self.data, numpy.uint8), cv2.IMREAD_COLOR)


class Pace:
    """Ticks each `every` seconds; one that was missed is not made up for."""

    def __init__(self, every):
        self.every = every
        self.tick = time.monotonic()

    def left(self):
        """Seconds until the next tick, which is then the one after it."""
        now = time.monotonic()
        left, self.tick = max(0.0, self.tick - now), max(self.tick, now) + self.every
        return left


async def aiohttp_pictures(url, count=math.inf):
    """The parts of an aiohttp client's MultipartReader; it ends where the stream ends."""
    waits = aiohttp.ClientTimeout(total=None, sock_read=PATIENCE)
    async with aiohttp.ClientSession(timeout=waits) as session, session.get(url) as response:
        reader = aiohttp.MultipartReader.from_response(response)
        while count > 0 and (part := await reader.next()) is not None:
            data = await part.read()
            yield Shown(time.time(), bytes(data))
            count -= 1


def aiohttp_client(url, count, every=0.0):
    async def read():
        shown, pace = [], Pace(every)
        await asyncio.sleep(pace.left())
        async for picture in aiohttp_pictures(url, count):
            shown.append(picture)
            await asyncio.sleep(pace.left())
        return shown

    return asyncio.run(read())


def py_mjpeg(url, count, every=0.0):
    buffer, shown, pace = bytearray(8 << 20), [], Pace(every)
    with urllib.request.urlopen(url, timeout=PATIENCE) as stream:
        boundary = mjpeg.open_mjpeg_stream(stream)
        while len(shown) < count:
            time.sleep(pace.left())
            _, length = mjpeg.read_mjpeg_frame(stream, boundary, buffer, len(buffer), skip_big=False)
            shown.append(Shown(time.time(), bytes(buffer[:length])))
    return shown


def opencv(url, count, every=0.0):
    capture, shown, pace = cv2.VideoCapture(), [], Pace(every)
    assert capture.open(url), f"OpenCV cannot open {url}"
    while len(shown) < count:
        time.sleep(pace.left())
        good, picture = capture.read()
        assert good, f"OpenCV got nothing after {len(shown)} pictures"
        shown.append(Shown(time.time(), picture))
    capture.release()
    return shown


@contextlib.contextmanager
def running(command, seconds, environment=None):
    """The program, its standard output a pipe of bytes; it is stopped at the end, or after `seconds` at the latest.
    If the block fails, what the program said belongs to the failure."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    words = []
    listener = threading.Thread(target=lambda: words.extend(process.stderr), daemon=True)
    listener.start()
    watch = threading.Timer(seconds, process.kill)
    watch.start()
    try:
        yield process, words
    except AssertionError as error:
        process.terminate()
        listener.join(5)
        raise AssertionError(f"{command[0]}: {error}; it said:\n{b''.join(words).decode(errors='replace')}") from None
    finally:
        watch.cancel()
        process.terminate()
        listener.join(5)
        stop(process)


def exactly(pipe, count):
    data = pipe.read(count)
    assert len(data) == count, f"ended after {len(data)} of {count} bytes"
    return data


def go_program():
    """tests/clients/stream.go, compiled at first use and whenever it has changed."""
    source = TESTS / "clients" / "stream.go"
    if not GO_PROGRAM.exists() or GO_PROGRAM.stat().st_mtime < source.stat().st_mtime:
        GO_PROGRAM.parent.mkdir(parents=True, exist_ok=True)
        environment = {"PATH": "/usr/local/go/bin:/usr/bin:/bin", "HOME": str(GO_PROGRAM.parent), "GOPROXY": "off"}
        environment |= {"GOCACHE": str(GO_PROGRAM.parent / "go-cache"), "GOTOOLCHAIN": "local"}
        built = subprocess.run(
            ["go", "build", "-o", str(GO_PROGRAM), str(source)], env=environment, capture_output=True, text=True
        )
        assert built.returncode == 0, built.stderr
    return GO_PROGRAM


def go(url, count, every=0.0):
    with running([str(go_program()), url, str(count), f"{every}s"], PATIENCE + count * max(every, 1)) as (process, _):
        return list(go_pictures(process))


def go_pictures(process):
    """What the Go program writes, until it ends; it must have met no error."""
    while (line := process.stdout.readline()) not in (b"", b"end\n"):
        at, length = line.split()
        yield Shown(float(at), exactly(process.stdout, int(length)))
    assert process.wait(PATIENCE) == 0, "it failed"


def gstreamer(url, count, every=0.0):
    width, height = photos.SIZE
    elements = ["souphttpsrc", f"location={url}", "!", "multipartdemux", "!", "image/jpeg", "!", "jpegdec", "!"]
    elements += ["videoconvert", "!", "video/x-raw,format=BGR", "!", "fdsink", "fd=1", "sync=false"]
    shown, pace = [], Pace(every)
    with running(["gst-launch-1.0", "--quiet", *elements], PATIENCE + count * max(every, 1)) as (process, words):
        while len(shown) < count:
            time.sleep(pace.left())
            pixels = exactly(process.stdout, width * height * 3)
            shown.append(Shown(time.time(), numpy.frombuffer(pixels, numpy.uint8).reshape(height, width, 3)))
        assert not words, "it complained"
    return shown
