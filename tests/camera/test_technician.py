"""What a technician does, against libcamera's own algorithms: scan, sweep, hold, stills, a camera that hangs upside down."""

import json

import cv2
import numpy
import pytest
from support.sampling import sampling

from camera.guest import SMALL
from camera.picture import read_picture
from camera.stills import check_stills_beside

LEFT, RIGHT = "0,0.5,0.4,0.5", "0.6,0.5,0.4,0.5"
# The module's lens: register and dioptres.
REGISTER = {2.0: 509, 8.0: 701}


@pytest.fixture
def guest_with(camera):
    """The guest with a small picture, its halves at two and eight dioptres."""
    guest = camera(SMALL)
    guest.set(focus=2000, focus_right=8000)
    guest.run("sleep 5")
    return guest


def post(guest, path, seconds=240):
    status, _, body = guest.get(path, timeout=seconds, method="POST")
    assert status == 200, body
    return json.loads(body)


def test_one_scan_in_a_window_and_hold(guest_with):
    for window, distance in ((LEFT, 2.0), (RIGHT, 8.0)):
        found = post(guest_with, f"/focus/auto?window={window}")
        assert found["result"] == "focused" and found["lens"] == pytest.approx(distance, abs=0.2), found
        assert abs(guest_with.picture().lens - REGISTER[distance]) <= 8
    held = post(guest_with, "/focus/hold")
    assert held["lens"] == pytest.approx(8.0, abs=0.2)
    guest_with.set(focus_right=4000)
    guest_with.run("sleep 5")
    assert abs(guest_with.picture().lens - REGISTER[8.0]) <= 8


@pytest.mark.parametrize(("window", "distance"), [(LEFT, 2.0), (RIGHT, 8.0)])
def test_a_sweep_finds_the_sharpest_position(guest_with, report, window, distance):
    found = post(guest_with, f"/focus/sweep?window={window}")
    assert found["result"] == "sharp" and found["best"] == pytest.approx(distance, abs=0.1), found
    guest_with.run("sleep 2")
    assert abs(guest_with.picture().lens - REGISTER[distance]) <= 4
    requested = guest_with.status()["controls"]["requested"]
    assert (requested["AfMode"], requested["AeEnable"], requested["AwbEnable"]) == ("manual", True, True)
    report(f"{distance} D: best {found['best']:.3f}, verified {found['verified']:.2f}, confidence {found['confidence']:.0f}")


def test_a_still_looks_like_the_stream_which_goes_on(guest_with, report):
    before = guest_with.picture()
    began = guest_with.clock()
    status, _, body = guest_with.get("/still?quality=90", timeout=240)
    assert status == 200, body
    report(f"a still took {guest_with.clock() - began:.1f} s, {len(body)} bytes")
    taken = read_picture(body)
    assert (taken.width, taken.height) == (4608, 2592)
    # Four pixels that are read as one have twice the sensitivity.
    assert abs(taken.exposure * taken.gain / (2 * before.exposure * before.gain) - 1) < 0.05
    assert abs(taken.lens - before.lens) <= 4
    assert abs(taken.greys[3][1] - before.greys[3][1]) < 12
    assert b"Camera Module 3" in body[:2000]
    after = guest_with.picture()
    assert (after.width, after.height) == (640, 360)
    assert guest_with.status()["camera"]["restarts"] == 0


def test_stills_beside_the_stream_cost_it_no_frame(camera, report):
    guest = camera(SMALL + 'still = "always"\n')
    check_stills_beside(guest, 4, report)
    assert "sensor mode 4608x2592" in guest.run("cat /tmp/picam.log")


def test_stills_with_all_their_colour_beside_the_stream(camera, report):
    guest = camera(SMALL + 'still = "always"\nstill_chroma = "4:4:4"\n')
    check_stills_beside(guest, 2, report, "4:4:4")


def test_a_still_with_all_its_colour_looks_like_the_stream_which_goes_on(camera):
    guest = camera(SMALL + 'still_chroma = "4:4:4"\n')
    guest.run("sleep 8")
    before = guest.picture()
    status, _, body = guest.get("/still?quality=90", timeout=240)
    assert status == 200, body
    taken = read_picture(body)
    assert ((taken.width, taken.height), sampling(body)) == ((4608, 2592), "4:4:4")
    for index in range(8):
        assert max(abs(a - b) for a, b in zip(taken.colours[index], before.colours[index], strict=True)) < 12
    assert sampling(guest.get("/jpg")[2]) == "4:2:0"
    assert "no RGB" not in guest.run("cat /tmp/picam.log"), "its colour is repeated"


def pixels(guest):
    return cv2.imdecode(numpy.frombuffer(guest.wait_jpeg(20, "/jpg?fresh=1")[1], numpy.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize(("rotation", "mirror", "back"), [
    (180, "false", lambda picture: cv2.rotate(picture, cv2.ROTATE_180)),
    (0, "true", lambda picture: cv2.flip(picture, 1)),
    (90, "false", lambda picture: cv2.rotate(picture, cv2.ROTATE_90_COUNTERCLOCKWISE)),
])  # fmt: skip
def test_the_camera_is_turned(camera, rotation, mirror, back):
    """The patches are where they belong, whoever turns the picture."""
    guest = camera(SMALL)
    guest.run("sleep 8")
    expected = guest.picture()
    guest = camera(SMALL + f"rotation = {rotation}\nmirror = {mirror}\n")
    guest.run("sleep 8")
    turned = back(pixels(guest))
    assert turned.shape == (360, 640, 3)
    _, jpeg = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, 95])
    straight = read_picture(jpeg.tobytes())
    # Not the stamp: what reads the sensor out draws it, wherever the sensor began.
    for row, wanted in ((straight.greys, expected.greys), (straight.colours, expected.colours)):
        for patch, other in zip(row, wanted):
            assert max(abs(one - two) for one, two in zip(patch, other)) < 30, (straight, expected)
