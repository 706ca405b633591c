"""How old are the pictures that OpenCV's VideoCapture returns, used as ROS's image_publisher uses it?

An 8 Hz stream, read at 4, 7.5 and 10 Hz. The figure is the median age, now minus the stamp's capture time, of what
`read()` returns in the second half of a run; it includes encoding, transfer and OpenCV's own decoding. At the same
time another OpenCV reads from a plain writer (support/plain.py) that gives the very same JPEG frames to its clients: what
waits in the sockets' buffers there makes its pictures seconds old. Its frames come through picam; the milliseconds
of that detour are measured and taken off its figures.

Only the two figures of one run are compared: what a busy machine does to one, it does to the other. The figures
themselves are printed; tests/bench/phases.py measures them for every phase between camera and client.
"""

import contextlib
import os

import pytest
from support import wifi_link
from support.opencv_reader import Reader, median_age
from support.plain import Plain
from support.swarm import Swarm

SECONDS = 8.0
ROW = "{:<10} {:>7} {:>8} {:>12} {:>12}"


class Results:
    """Collects the figures, and prints them as a table at the module's end."""

    def __init__(self):
        self.rows = []

    def add(self, link, size, rate, ours, plain):
        self.rows.append(ROW.format(link, size, f"{rate:g} Hz", f"{ours:.3f} s", f"{plain:.3f} s"))

    def __str__(self):
        return "\n".join(["", ROW.format("link", "frame", "client", "picam", "plain writer"), *self.rows])


@pytest.fixture(scope="module")
def results(pytestconfig):
    found = Results()
    yield found
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(found)


@pytest.fixture(scope="module", params=[100, 500, 2000], ids="{}KB".format)
def servers(request, start_module_picam, photo_tables):
    """(KB per frame, picam, plain writer)."""
    picam = start_module_picam(photo_tables(request.param))
    with contextlib.closing(Swarm()) as swarm:
        client = swarm.add(picam.port)[0]
        swarm.run(2)
        mean = client.received / len(client.sequences) / 1000
    assert mean == pytest.approx(request.param, rel=0.25), "the frames do not have the size that the test is about"
    plain = Plain(picam)
    yield request.param, picam, plain
    plain.stop()
    picam.stop()


# How much of the plain writer's age picam's may have: a client that falls behind shows the past there.
SLOW = 0.6
# One that keeps up sees every frame at once from both.
FAST = 1.5
TRIES = 3


def ages(servers, rate, link=None):
    """Median ages at (picam, plain writer) of clients side by side, the latter's detour taken off."""
    prefix = link.client if link else ()
    readers = [Reader(server.url + "/stream", rate, SECONDS, prefix) for server in servers]
    ours, theirs = (median_age(reader.result(), SECONDS) for reader in readers)
    return ours, theirs - servers[1].detour()


def compare(servers, results, row, rate, most, link=None):
    """Asserts that picam's pictures have at most `most` times the age of the plain writer's, in one run of a few."""
    seen = []
    for _ in range(TRIES):
        ours, theirs = ages(servers, rate, link)
        seen.append((round(ours, 3), round(theirs, 3)))
        if ours <= most * theirs:
            results.add(*row, rate, ours, theirs)
            return
    raise AssertionError(f"(picam, plain writer) in {TRIES} runs: {seen} s")


@pytest.mark.parametrize("rate", [4.0, 7.5], ids="{:g}Hz".format)
def test_slower_client_sees_fresh_pictures(servers, results, rate):
    size, *both = servers
    compare(both, results, ("loopback", f"{size} KB"), rate, SLOW)


def test_client_that_keeps_up_pays_nothing(servers, results):
    size, *both = servers
    compare(both, results, ("loopback", f"{size} KB"), 10.0, FAST)


@pytest.fixture(scope="module")
def over_wifi(start_module_picam, photo_tables):
    """(link, picam, plain writer) at the server's end of a WiFi-like link: 16 ms round trip, 60 Mbit/s."""
    missing = wifi_link.unavailable()
    if missing and (os.environ.get("CI") or os.geteuid() == 0):
        pytest.fail(f"the WiFi-like link cannot be made: {missing}")
    if missing:
        pytest.skip(f"FRESHNESS OVER WIFI NOT TESTED: {missing}")
    with wifi_link.Link(delay=0.008, rate=60e6) as link:
        tables = photo_tables(500)
        tables["jpeg"]["quality"] -= 12  # about 300 KB a frame: the link carries two streams of them
        picam = start_module_picam(tables, listen=f"{wifi_link.SERVER}:0", prefix=link.server)
        plain = Plain(picam, prefix=link.server)
        yield link, picam, plain
        plain.stop()
        picam.stop()


@pytest.mark.parametrize("rate, most", [(4.0, SLOW), (10.0, FAST)], ids=["4Hz", "10Hz"])
def test_client_over_wifi_sees_fresh_pictures(over_wifi, results, rate, most):
    link, *both = over_wifi
    compare(both, results, ("WiFi-like", "300 KB"), rate, most, link)
