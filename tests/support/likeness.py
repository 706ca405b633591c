"""Is a picture one of the photographs that picam replays?"""

import functools

import cv2
import numpy

from support import photos, stamp

WIDTH, HEIGHT = photos.SIZE


def _coarse(picture):
    """Means of 8×8 pixels without the stamp's area: the photograph's grain does not survive JPEG, colours do."""
    below = stamp.area(WIDTH)[3]
    return cv2.resize(picture[below:HEIGHT], None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA).astype(float)


@functools.cache
def _photographs(kilobytes):
    return [_coarse(cv2.imread(str(file))) for file in sorted(photos.frame_set(kilobytes)[0].glob("*.jpg"))]


def nearest_photograph(picture, kilobytes=500):
    """Smallest mean absolute difference, in levels, of a picture (BGR) to one of the photographs of that size."""
    assert picture.shape == (HEIGHT, WIDTH, 3)
    seen = _coarse(picture)
    return min(numpy.abs(photograph - seen).mean() for photograph in _photographs(kilobytes))
