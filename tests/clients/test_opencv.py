"""OpenCV's VideoCapture: every frame that it returns is whole, in order, and the photograph."""

import cv2
import numpy
import pytest
from support import photos, stamp
from support.tries import holds_once, skipped_later


@pytest.mark.parametrize("path", ["/stream", "/stream.mjpg", "/?action=stream"])
def test_opencv_reads_every_frame(photo_picam, path):
    def watch():
        capture = cv2.VideoCapture()
        assert capture.open(photo_picam.url + path)
        stamps = []
        for _ in range(24):
            good, picture = capture.read()
            assert good and picture.shape == (photos.SIZE[1], photos.SIZE[0], 3)
            stamps.append(stamp.decode(picture))
        capture.release()
        assert None not in stamps
        return skipped_later([found.sequence for found in stamps])

    holds_once(watch)


def test_opencv_sees_the_photographs(photo_picam):
    capture = cv2.VideoCapture(photo_picam.url + "/stream")
    below = stamp.area(photos.SIZE[0])[3]
    files = sorted(photos.frame_set(500)[0].glob("*.jpg"))
    originals = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)[below:] for file in files]
    seen = set()
    for _ in range(4 * len(files)):
        good, picture = capture.read()
        assert good
        gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[below:]
        ratios = [photos.psnr(original, gray) for original in originals]
        assert max(ratios) > 35, "not one of the photographs"
        seen.add(int(numpy.argmax(ratios)))
    capture.release()
    assert len(seen) == len(files), "the folder was not played through"
