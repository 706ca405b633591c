"""The camera of libcamera's virtual pipeline, as picam's tests configure it, and what its pictures must show."""

import itertools

import cv2
import numpy

# virtual.yaml with one camera of 640×360 with moving colour bars.
VIRTUAL = """\
"Bars":
  supported_formats:
  - width: 640
    height: 360
    frame_rates: [30]
  test_pattern: "bars"
  location: "CameraLocationFront"
  model: "Virtual bars"
"""

# 100 % colour bars in the order of the pattern, BGR.
BARS = [(255, 255, 255), (0, 255, 255), (255, 255, 0), (0, 255, 0), (255, 0, 255), (0, 0, 255), (255, 0, 0), (0, 0, 0)]


def decoded(jpeg):
    """A JPEG as rows × columns × BGR."""
    return cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_COLOR)


def assert_bars(picture):
    """The picture has the eight bars, in their order, from wherever it starts. The pipeline's range is limited, its
    colour space Rec. 709: near enough to be told apart."""
    assert picture.shape == (360, 640, 3)
    row = picture[180].astype(int)
    nearest = [min(range(8), key=lambda bar: numpy.abs(pixel - BARS[bar]).sum()) for pixel in row]
    runs = [(bar, len(list(pixels))) for bar, pixels in itertools.groupby(nearest)]
    order = [bar for bar, length in runs if length > 4]  # at the edges, colours mix
    order = [bar for bar, _ in itertools.groupby(order)]
    assert order == [(order[0] + step) % 8 for step in range(len(order))] and 8 <= len(order) <= 9, order
