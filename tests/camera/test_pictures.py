"""The real pipeline on the camera made of software: pictures say how they were exposed, and the algorithms settle."""

import re

import pytest

from camera.guest import SMALL


def lux_of(guest):
    return guest.status()["controls"]["actual"]["Lux"]


def test_stamp_says_what_the_metadata_say(camera):
    """The exposure is over when the frame starts, and the picture, not yet at the client, is younger than that."""
    guest = camera(SMALL + "sensor_rate = 0\n[controls]\nExposureTime = 20000\nAnalogueGain = 2.0\n")
    guest.wait_for(lambda: abs(guest.picture().exposure - 20000) < 20, 20, "the set exposure")
    pictures = [guest.picture() for _ in range(3)]
    now = int(guest.clock() * 1e6)
    assert [(picture.width, picture.height) for picture in pictures] == [(640, 360)] * 3
    assert all(abs(picture.exposure - 20000) < 20 and abs(picture.gain - 2) < 0.01 for picture in pictures)
    assert pictures[0].number < pictures[1].number < pictures[2].number
    for one, other in zip(pictures, pictures[1:]):
        assert abs((other.began - one.began) / (other.number - one.number) - 125000) < 1000
    assert pictures[-1].began < now
    started = int(re.search(rf"(\d+) frame {pictures[-1].number} taken", guest.read("journal"))[1])
    assert 0 <= started - pictures[-1].began - pictures[-1].exposure <= 1


@pytest.mark.parametrize("lux", [50, 5000])
def test_exposure_settles(camera, report, lux):
    """libcamera's own estimate is the scene's brightness, and the picture is as bright as ever."""
    guest = camera(SMALL)

    def grey():
        return guest.picture().greys[3][1]

    before = grey()
    guest.set(lux=lux)
    guest.wait_for(lambda: abs(lux_of(guest) / lux - 1) < 0.05, 40, f"{lux} lux")
    guest.wait_for(lambda: abs(grey() - before) < 12, 30, "the same grey")
    picture = guest.picture()
    report(f"{lux} lux: {picture.exposure} µs, gain {picture.gain}, Lux {lux_of(guest):.1f}")


@pytest.mark.parametrize(("focus", "lens"), [(1200, 483), (7500, 685)])
def test_focus_settles(camera, report, focus, lens):
    """Phase detection brings the lens to where the scene is sharp, and there the stripes have contrast."""
    guest = camera(SMALL)
    guest.set(pdaf=1, focus=focus)
    guest.wait_for(lambda: abs(guest.picture().lens - lens) <= 4, 60, f"{focus / 1000} dioptres")
    picture = guest.picture()
    assert min(picture.contrast) > 80
    report(f"{focus / 1000} D: lens {picture.lens} of {lens}, contrast {picture.contrast}")
