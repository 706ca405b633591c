"""Programs and libraries that read /stream: each picture whole, in order, and the photograph; frames of 2 MB.

A client that does not read at once is probed for what it has read. Frames of this size need many reads and leave a slow
client's buffers full: a stream that is not multipart to the letter does not get through its parser for long.
"""

import asyncio
import concurrent.futures
import statistics
import time

import numpy
import pytest
from support import motion, stamp, viewers
from support.likeness import nearest_photograph

FRAMES = 32
KILOBYTES = 2000
SLOW = 0.25  # seconds between two reads, twice the camera's interval
CLIENTS = {
    "aiohttp": viewers.aiohttp_client,
    "py-mjpeg": viewers.py_mjpeg,
    "OpenCV": viewers.opencv,
    "Go": viewers.go,
    "GStreamer": viewers.gstreamer,
}


@pytest.fixture(scope="module")
def large_picam(start_module_picam, photo_tables):
    """Replays photographs at 2304×1296, 8 Hz, about 2 MB a frame, stamped; of bands, by two threads."""
    viewers.go_program()  # compiled before there is anything to measure
    tables = photo_tables(KILOBYTES)
    return start_module_picam({**tables, "jpeg": {**tables["jpeg"], "threads": 2}})


def stamps(pictures, kilobytes, least_step=1):
    """The stamps of pictures that must be whole, in order, none twice, and each one of the photographs."""
    pictures = [shown.picture() for shown in pictures]
    assert max(nearest_photograph(picture, kilobytes) for picture in pictures) < 3.0
    found = [stamp.decode(picture) for picture in pictures]
    assert None not in found
    sequences = [one.sequence for one in found]
    assert (numpy.diff(sequences) >= least_step).all(), f"not in order: {sequences}"
    return found


@pytest.mark.parametrize("client", CLIENTS)
def test_client_shows_whole_photographs_in_order(large_picam, figures, client):
    start = time.time()
    pictures = CLIENTS[client](large_picam.url + "/stream", FRAMES)
    found = stamps(pictures, KILOBYTES)
    assert len(found) == FRAMES
    ages = [shown.at - one.time for shown, one in zip(pictures, found)]
    figures.add(client, 8, pictures[0].at - start, statistics.median(ages))


def test_slow_clients_get_whole_photographs_in_order(large_picam):
    probes = large_picam.status()["counters"]["probes_sent"]
    with concurrent.futures.ThreadPoolExecutor() as pool:  # side by side: each of them waits most of the time
        reading = {
            client: pool.submit(read, large_picam.url + "/stream", FRAMES, SLOW) for client, read in CLIENTS.items()
        }
        pictures = {client: future.result() for client, future in reading.items()}
    for client, shown in pictures.items():
        assert len(stamps(shown, KILOBYTES)) == FRAMES, client
    probes = large_picam.status()["counters"]["probes_sent"] - probes
    assert probes > FRAMES, "the clients were hardly probed: does this test try anything?"


def test_stream_that_ends_is_complete_multipart(start_picam, photo_tables):
    """aiohttp and Go read on while picam is stopped: they get an empty part, the end, and no error."""
    picam = start_picam(photo_tables(500))
    url = picam.url + "/stream"

    async def read_to_the_end():
        parts = []
        async for shown in viewers.aiohttp_pictures(url):
            parts.append(shown)
            if len(parts) == 2:
                picam.process.terminate()
        return parts

    with viewers.running([str(viewers.go_program()), url, "1000000", "0s"], viewers.PATIENCE) as (process, _):
        parts = viewers.go_pictures(process)
        in_go = [next(parts)]
        in_aiohttp = asyncio.run(read_to_the_end())
        in_go += parts
    for *pictures, last in (in_go, in_aiohttp):
        assert last.data == b"" and len(pictures) >= 1
        stamps(pictures, 500)


def test_motion_sees_the_photographs(photo_picam, figures):
    start = time.time()
    with motion.Motion(photo_picam) as player:
        pictures = player.take(8)
    found = stamps(pictures, 500, least_step=0)  # motion keeps a rate of its own: the same picture may come twice
    ages = [shown.at - one.time for shown, one in zip(pictures, found)]
    figures.add("motion", 8, pictures[0].at - start, statistics.median(ages))
