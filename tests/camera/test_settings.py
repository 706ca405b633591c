"""The camera's settings in the TOML file that are no controls of libcamera."""

import pytest

from camera.guest import SMALL


@pytest.mark.parametrize(("hdr", "value"), [("true", 1), ("false", 0)])
def test_hdr_is_the_sensors(camera, hdr, value):
    """Whatever it was before."""
    guest = camera(SMALL + f"hdr = {hdr}\n", hdr=1 - value)
    assert any(words[2:] == [str(value), "Wide", "Dynamic", "Range"] for _, words in guest.journal())
    assert guest.picture().greys


def test_hdr_has_one_mode_only(camera):
    guest = camera("[camera]\nwidth = 4608\nheight = 2592\nhdr = true\n[jpeg]\nquality = 50\n")
    log = guest.run("tail -n 20 /tmp/picam.log")
    assert "sensor mode 2304x1296" in log and "scaled up" in log


@pytest.mark.parametrize(("longest", "lux"), [(5_000, 100), (110_000, 3)])
def test_longest_exposure(camera, longest, lux):
    """In the dark exposures become as long as that; then it is the gain's turn."""
    guest = camera(SMALL + f"longest_exposure = {longest}\n")
    guest.set(lux=lux)
    guest.run("sleep 20")
    taken = guest.picture()
    assert longest * 0.98 <= taken.exposure <= longest
    assert taken.gain > 1.5


def test_focus_range(camera):
    """A scene nearer than that is not looked for, one within is."""
    guest = camera(SMALL + "focus_range = [0.5, inf]\n")
    guest.set(focus=7500)
    guest.run("sleep 25")
    farthest = max(int(words[6].removeprefix("lens=")) for _, words in guest.journal() if words[0] == "frame")
    assert farthest <= 445 + 2 * 32, "2 dioptres"
    guest.set(focus=1200)
    guest.run("sleep 25")
    assert abs(guest.picture().lens - 483) <= 8
    guest.get("/set?LensPosition=7.5")
    guest.run("sleep 3")
    assert guest.picture().lens == 685, "who sets the lens may set it anywhere"
