"""Reads what tests/camera-module draws: the stamp of how a frame was exposed, patches, stripes."""

from typing import NamedTuple

import cv2
import numpy

STAMP_ROWS, STAMP_BITS, ROWS = 4, 32, 24
# Middles of the row of greys and of the row of colours, in 24ths of the height. The crop must be the whole scene's.
GREYS, COLOURS, STRIPES = 7, 12, 19


class Picture(NamedTuple):
    """One picture. began: start of the exposure in µs of CLOCK_MONOTONIC modulo 2^32; gain: ratio; lens: register;
    greys, colours: 8 patches as (red, green, blue); contrast: of the stripes in the left and the right half, 0 to 255."""

    width: int
    height: int
    number: int
    began: int
    exposure: int
    gain: float
    lens: int
    greys: list
    colours: list
    contrast: tuple


def read_picture(jpeg):
    """A JPEG of the whole scene."""
    rgb = cv2.cvtColor(cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    height, width, _ = rgb.shape
    grey = rgb.mean(axis=2)
    number, began, exposure, last = (_bits(grey[int(height * (row + 0.5) / ROWS)]) for row in range(STAMP_ROWS))
    greys, colours = ([_patch(rgb, row, column) for column in range(8)] for row in (GREYS, COLOURS))
    stripes = grey[int(height * STRIPES / ROWS)]
    contrast = tuple(float(numpy.ptp(numpy.percentile(half, (5, 95)))) for half in numpy.array_split(stripes, 2))
    return Picture(width, height, number, began, exposure, (last >> 16) / 1000, last & 0xFFFF, greys, colours, contrast)


def _bits(row):
    middles = ((numpy.arange(STAMP_BITS) + 0.5) * len(row) / STAMP_BITS).astype(int)
    return int("".join("1" if row[x] > 127 else "0" for x in middles), 2)


def _patch(rgb, row, column):
    """The mean around the middle of a patch."""
    height, width, _ = rgb.shape
    y, x, reach = int(height * row / ROWS), int(width * (2 * column + 1) / 16), width // 64
    part = rgb[y - reach // 2 : y + reach // 2 + 1, x - reach : x + reach + 1]
    return tuple(part.mean(axis=(0, 1)).round(1).tolist())
