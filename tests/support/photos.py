"""Photographs for picam's `replay` source, from Debian's mate-backgrounds, prepared once and kept.

The files are written at JPEG quality 100, 4:2:0, in exactly picam's default size, so that nothing is scaled and
next to nothing is lost before picam encodes them itself.
"""

import os
from pathlib import Path

import cv2
import numpy

from support.appliance import ROOT

SOURCE = Path("/usr/share/backgrounds/mate")
SIZE = (2304, 1296)
PHOTOS = ["nature/LadyBird.jpg", "nature/RainDrops.jpg", "nature/TwoWings.jpg", "nature/Wood.jpg"]
CACHE = ROOT / "target" / "test-photographs"

# Like a sensor's own noise: without it, photographs scaled down do not fill a 2 MB JPEG at any quality.
GRAIN = {100: 0.0, 500: 2.0, 2000: 4.0, 4000: 16.0}


def cover(picture, size=SIZE):
    """Scales and crops to exactly `size` = (width, height)."""
    height, width = picture.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    scaled = (max(size[0], round(width * scale)), max(size[1], round(height * scale)))
    picture = cv2.resize(picture, scaled, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    x, y = (picture.shape[1] - size[0]) // 2, (picture.shape[0] - size[1]) // 2
    return picture[y : y + size[1], x : x + size[0]]


def jpeg(picture, quality):
    """JPEG bytes, 4:2:0."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    return cv2.imencode(".jpg", picture, options)[1].tobytes()


def photographs(grain=0.0):
    """The photographs as BGR arrays of `SIZE`, with Gaussian noise of `grain` levels (always the same)."""
    noise = numpy.random.default_rng(708)
    pictures = []
    for name in PHOTOS:
        picture = cv2.imread(str(SOURCE / name))
        assert picture is not None, f"{SOURCE / name} is missing: install Debian's mate-backgrounds"
        picture = cover(picture)
        if grain:
            picture = picture + noise.normal(0, grain, picture.shape)
            picture = numpy.clip(picture, 0, 255).astype(numpy.uint8)
        pictures.append(picture)
    return pictures


def _store(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_bytes(data)
    partial.rename(path)


def folder(grain=0.0):
    """Folder of the prepared photographs, made at first use."""
    place = CACHE / f"grain-{grain}"
    files = [place / f"{Path(name).stem}.jpg" for name in PHOTOS]
    if not all(file.exists() for file in files):
        for file, picture in zip(files, photographs(grain)):
            _store(file, jpeg(picture, 100))
    return place


def frame_set(kilobytes):
    """(folder, jpeg.quality) with which picam's frames have about `kilobytes` KB on average: 100, 500, 2000 or 4000."""
    place = folder(GRAIN[kilobytes])
    remembered = place / "quality"
    if not remembered.exists():
        pictures = [cv2.imread(str(file)) for file in sorted(place.glob("*.jpg"))]
        low, high = 1, 100
        while low < high:  # the smallest quality that reaches the size
            middle = (low + high) // 2
            size = sum(len(jpeg(picture, middle)) for picture in pictures) / len(pictures)
            low, high = (low, middle) if size >= kilobytes * 1000 else (middle + 1, high)
        _store(remembered, str(low).encode())
    return place, int(remembered.read_text())


def psnr(one, other):
    """Peak signal-to-noise ratio of two 8-bit planes, dB."""
    error = numpy.mean((one.astype(numpy.float64) - other.astype(numpy.float64)) ** 2)
    return float("inf") if error == 0 else 10 * numpy.log10(255**2 / error)
