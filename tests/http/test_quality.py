"""Quality 100 loses next to nothing: the decoded planes against the very planes that went in."""

import io
import subprocess

import cv2
import numpy
import PIL.Image
import pytest
from support import photos, raw

WIDTH, HEIGHT = photos.SIZE
LEAST = 45.0  # dB


@pytest.fixture(scope="module")
def planes():
    """Y, Cb, Cr of a photograph, full range as in JPEG, 4:2:0."""
    i420 = cv2.cvtColor(photos.photographs()[0], cv2.COLOR_BGR2YUV_I420)  # any planes will do: range does not matter
    luma, chroma = i420[:HEIGHT], i420[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    return luma, chroma[0], chroma[1]


@pytest.fixture(scope="module")
def jpeg(planes, start_module_picam, tmp_path_factory):
    """picam's picture of these planes, at the default quality: 100."""
    file = tmp_path_factory.mktemp("y4m") / "photograph.y4m"
    header = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F8:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL\nFRAME\n"
    file.write_bytes(header.encode() + b"".join(numpy.ascontiguousarray(plane).tobytes() for plane in planes))
    picam = start_module_picam({"camera": {"source": f"replay:{file}"}})
    answer = raw.exchange(picam.port, raw.get("/jpg"))
    assert answer.status == 200
    return answer.body


def assert_close(name, decoded, original):
    ratio = photos.psnr(decoded, original)
    print(f"{name}: {ratio:.1f} dB")
    assert ratio >= LEAST, f"{name}: {ratio:.1f} dB"


def test_opencv_decodes_what_went_in(jpeg, planes):
    gray = cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_GRAYSCALE)
    assert_close("Y by OpenCV", gray, planes[0])


def test_pillow_decodes_what_went_in(jpeg, planes):
    picture = PIL.Image.open(io.BytesIO(jpeg))
    picture.draft("YCbCr", picture.size)  # the planes as they are, no RGB in between
    assert picture.mode == "YCbCr"
    luma, *chroma = numpy.moveaxis(numpy.asarray(picture), 2, 0)
    assert_close("Y by Pillow", luma, planes[0])
    for name, plane, original in zip(("Cb", "Cr"), chroma, planes[1:]):
        # Pillow only hands out chroma interpolated to full size; its 2×2 means are the samples, slightly smoothed.
        means = plane.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean((1, 3))
        assert_close(f"{name} by Pillow", means, original)


def test_djpeg_decodes_what_went_in(jpeg, planes):
    done = subprocess.run(["djpeg", "-grayscale", "-pnm"], input=jpeg, capture_output=True, timeout=30, check=True)
    assert done.stderr == b""
    gray = numpy.frombuffer(done.stdout, numpy.uint8, offset=len(done.stdout) - WIDTH * HEIGHT)
    assert_close("Y by djpeg", gray.reshape(HEIGHT, WIDTH), planes[0])


def test_ffmpeg_decodes_all_three_planes_to_what_went_in(jpeg, planes):
    command = ["ffmpeg", "-v", "error", "-f", "mjpeg", "-i", "-", "-f", "rawvideo", "-pix_fmt", "yuvj420p", "-"]
    data = subprocess.run(command, input=jpeg, capture_output=True, timeout=30, check=True).stdout
    assert len(data) == WIDTH * HEIGHT * 3 // 2, "4:2:0"
    start = 0
    for name, original in zip(("Y", "Cb", "Cr"), planes):
        plane = numpy.frombuffer(data, numpy.uint8, original.size, start).reshape(original.shape)
        start += original.size
        assert_close(f"{name} by ffmpeg", plane, original)


def test_picture_is_420_baseline_at_the_configured_size(jpeg):
    picture = PIL.Image.open(io.BytesIO(jpeg))
    assert picture.size == photos.SIZE
    assert not picture.info.get("progressive")
    assert [layer[1:3] for layer in picture.layer] == [(2, 2), (1, 1), (1, 1)]
