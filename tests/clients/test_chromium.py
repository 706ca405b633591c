"""Headless Chromium showing `<img src=/stream>`: what is on its screen, pixel by pixel."""

import time

import cv2
import numpy
from support import photos, stamp
from support.webdriver import Chromium

WIDTH, HEIGHT = photos.SIZE
MARGIN = 200  # the browser window is a bit larger than the picture


def coarse(picture):
    """Means of 8×8 pixels without the stamp's area: the photograph's grain does not survive JPEG, colours do."""
    _, _, _, below = stamp.area(WIDTH)
    return cv2.resize(picture[below:HEIGHT], None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA).astype(float)


def nearest_photograph(picture):
    """Smallest mean absolute difference, in levels, to one of the photographs."""
    files = sorted(photos.frame_set(500)[0].glob("*.jpg"))
    seen = coarse(picture)
    return min(numpy.abs(coarse(cv2.imread(str(file))) - seen).mean() for file in files)


def test_chromium_shows_the_live_stream(photo_picam, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><style>*{{margin:0}}</style><img src='{photo_picam.url}/stream'>")
    with Chromium((WIDTH + MARGIN, HEIGHT + MARGIN)) as browser:
        browser.open(page.as_uri())
        size = browser.wait_script("let i = document.images[0]; return i && i.naturalWidth && [i.width, i.height]")
        assert size == [WIDTH, HEIGHT]
        stamps, deadline = [], time.monotonic() + 60
        while len({found.sequence for found in stamps}) < 3:
            assert time.monotonic() < deadline, f"the picture does not move: {stamps}"
            picture = browser.screenshot()[:HEIGHT, :WIDTH]
            found = stamp.decode(picture)
            if found:  # none before the first picture is painted
                stamps.append(found)
                assert nearest_photograph(picture) < 1.0
        sequences = [found.sequence for found in stamps]
        assert sequences == sorted(sequences)
