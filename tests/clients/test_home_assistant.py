"""Home Assistant's MJPEG camera: the stream as Home Assistant passes it on, and the still that it takes."""

import asyncio

import cv2
import numpy
import pytest
from support import home_assistant, stamp
from support.likeness import nearest_photograph
from support.viewers import aiohttp_pictures

FRAMES = 16
# Home Assistant of 2024 with aiohttp of today.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.parametrize("authentication", ["basic", "digest"])
def test_home_assistant_passes_the_stream_on(photo_picam, authentication):
    async def watch():
        async with home_assistant.cameras(photo_picam) as cameras:
            _, url = cameras[authentication]
            return [shown async for shown in aiohttp_pictures(url, FRAMES)]

    pictures = [shown.picture() for shown in asyncio.run(watch())]
    assert all(nearest_photograph(picture) < 1.0 for picture in pictures)
    stamps = [stamp.decode(picture) for picture in pictures]
    assert None not in stamps and len(stamps) == FRAMES
    assert (numpy.diff([found.sequence for found in stamps]) > 0).all(), "not in order"


@pytest.mark.parametrize("authentication", ["basic", "digest"])
def test_home_assistant_takes_a_still(photo_picam, authentication):
    async def take():
        async with home_assistant.cameras(photo_picam) as cameras:
            camera, _ = cameras[authentication]
            return await camera.async_camera_image()

    picture = cv2.imdecode(numpy.frombuffer(asyncio.run(take()), numpy.uint8), cv2.IMREAD_COLOR)
    assert stamp.decode(picture) and nearest_photograph(picture) < 1.0
