"""Every control, by what the sensor and the lens are told and by what is in the picture."""

import re

import pytest

from camera.guest import QUICK, SMALL
from camera.recording import Recording

LINE_US = 13.4


@pytest.fixture
def guest_with(camera):
    """The guest with a small picture that has settled."""
    guest = camera(SMALL)
    guest.run("sleep 5")
    return guest


def change(guest, query, seconds=2):
    """Sets controls and lets `seconds` pass."""
    status, _, body = guest.get(f"/set?{query}")
    assert status == 200, body
    guest.run(f"sleep {seconds}")


@pytest.mark.parametrize("set_us", [66, 1000, 20_000, 120_000])
def test_exposure_time(guest_with, set_us):
    """In steps of a line; the gain stays automatic."""
    change(guest_with, f"ExposureTime={set_us}", 6)
    taken = guest_with.picture()
    assert abs(taken.exposure - set_us) <= 2 * LINE_US
    if set_us >= 20_000:  # longer than what it takes for the scene
        assert taken.gain < 1.2


@pytest.mark.parametrize("gain", [1.122807, 2, 8, 16])
def test_analogue_gain(guest_with, gain):
    """The exposure time makes up for it."""
    before = guest_with.picture()
    change(guest_with, f"AnalogueGain={gain}", 6)
    taken = guest_with.picture()
    assert abs(taken.gain / gain - 1) < 0.02
    assert taken.exposure * taken.gain == pytest.approx(before.exposure * before.gain, rel=0.1)


@pytest.mark.parametrize("model", ["imx708", "imx708_wide", "imx708_noir", "imx708_wide_noir"])
def test_exposure_and_gain_change_in_the_same_frame(camera, model):
    """Of each module: else each change makes one frame too bright or too dark."""
    guest = camera(QUICK, model=model)
    pairs = [(20_000, 2), (10_000, 4)]
    with Recording(guest) as recording:
        for exposure, gain in pairs * 2:
            change = f"ExposureTime={exposure}&AnalogueGain={gain}"
            guest.run(f"wget -q -O- 'http://127.0.0.1:8000/set?{change}' >/dev/null; sleep 2")
    seen = [(frame.picture.exposure, round(frame.picture.gain, 1)) for frame in recording.frames]
    exact = {(19987, 2.0), (9993, 4.0)}
    first = next(index for index, pair in enumerate(seen) if pair in exact)
    assert set(seen[first:]) == exact


@pytest.mark.parametrize("settings", [SMALL, QUICK])
def test_the_frame_that_is_named_is_the_first_with_the_change(camera, settings):
    """Or one of the first: no frame before it has been counted too late, and it has all of the change."""
    guest = camera(settings)
    pairs = [(20_000, 2), (10_000, 4), (15_000, 3)]
    with Recording(guest) as recording:
        named = []
        for exposure, gain in pairs:
            change = f"ExposureTime={exposure}&AnalogueGain={gain}&wait=1"
            told = guest.run(f"wget -q -S -O- 'http://127.0.0.1:8000/set?{change}' 2>&1")
            named.append(int(re.search(r"X-Frame: (\d+)", told)[1]))
    for (exposure, gain), number in zip(pairs, named):
        seen = {frame.sequence: (frame.picture.exposure, round(frame.picture.gain, 1)) for frame in recording.frames}
        is_new = {at: abs(us - exposure) < 20 and ratio == gain for at, (us, ratio) in seen.items() if at <= number}
        assert is_new[number], (number, seen)
        early = [at for at in range(number - 8, number) if is_new.get(at)]
        assert len(early) <= 2, (number, seen)


@pytest.mark.parametrize(("dioptres", "register"), [(0, 445), (2, 509), (6, 637), (15, 925)])
def test_lens_position(guest_with, dioptres, register):
    change(guest_with, f"LensPosition={dioptres}", 4)
    assert guest_with.picture().lens == register
    assert any(words[0] == "write" and words[2] == str(register) for _, words in guest_with.journal())


def test_automatic_exposure_can_be_off(guest_with):
    change(guest_with, "AeEnable=0")
    before = guest_with.picture()
    guest_with.set(lux=100)
    guest_with.run("sleep 5")
    dark = guest_with.picture()
    assert (dark.exposure, dark.gain) == (before.exposure, before.gain)
    change(guest_with, "AeEnable=1", 8)
    settled = guest_with.picture()
    assert settled.exposure * settled.gain > 3 * before.exposure * before.gain


def grey(guest):
    """How far red and blue of the grey patch are from its green."""
    red, green, blue = guest.picture().greys[3]
    return abs(red - green), abs(blue - green)


def test_automatic_white_balance_can_be_off(guest_with):
    guest_with.run("sleep 5")
    assert max(grey(guest_with)) < 12
    change(guest_with, "AwbEnable=0")
    guest_with.set(red=703, blue=371)  # a bulb's light
    guest_with.run("sleep 8")
    assert min(grey(guest_with)) > 15
    change(guest_with, "AwbEnable=1", 15)
    assert max(grey(guest_with)) < 12


def test_continuous_autofocus_follows(guest_with):
    """A target that moves to and fro in ten seconds, by phase detection: half of the time its stripes are sharp."""
    guest_with.set(pdaf=1, focus=3000, swing=1500, swing_ms=10_000)
    guest_with.run("sleep 10")
    began = float(guest_with.clock())
    guest_with.run("sleep 20")
    sharp = [int(words[7].removeprefix("sharpness=")) for _, words in guest_with.journal(began) if words[0] == "frame"]
    sharp.sort()
    assert len(sharp) > 150 and sharp[len(sharp) // 2] > 500


def test_autofocus_once_stays(guest_with):
    guest_with.set(focus=5000)
    change(guest_with, "AfMode=auto", 15)
    once = guest_with.picture().lens
    assert abs(once - 605) <= 8
    guest_with.set(focus=1000)
    guest_with.run("sleep 10")
    assert guest_with.picture().lens == once
    change(guest_with, "AfMode=auto", 15)
    assert abs(guest_with.picture().lens - 477) <= 8


def test_manual_focus_stays_where_it_is(guest_with):
    before = guest_with.picture().lens
    change(guest_with, "AfMode=manual")
    guest_with.set(focus=9000)
    guest_with.run("sleep 8")
    assert guest_with.picture().lens == before
    change(guest_with, "AfMode=continuous", 20)
    assert abs(guest_with.picture().lens - 733) <= 8


def test_autofocus_looks_at_its_window(guest_with):
    """The two halves of the scene are at two distances."""
    guest_with.set(focus=2000, focus_right=8000)
    for window, lens in (("0,0.5,0.4,0.5", 509), ("0.6,0.5,0.4,0.5", 701), ("0,0.5,0.4,0.5", 509)):
        change(guest_with, f"AfWindows={window}&AfMode=auto", 12)
        assert abs(guest_with.picture().lens - lens) <= 8, window
        assert guest_with.status()["controls"]["actual"]["AfState"] == "focused"


def test_lamps_do_not_flicker(guest_with):
    """Exposures are multiples of half a period of the mains."""
    guest_with.set(lux=60)
    for mains, period in (("50", 10_000), ("60", 8_333)):
        change(guest_with, f"AeFlickerPeriod={mains}", 8)
        exposure = guest_with.picture().exposure
        assert min(exposure % period, -exposure % period) <= 2 * LINE_US, (mains, exposure)


def test_exposure_value(guest_with):
    """One step is twice the light."""
    guest_with.set(lux=2000)
    guest_with.run("sleep 5")
    light = {}
    for value in (0, 1, -1):
        change(guest_with, f"ExposureValue={value}", 6)
        taken = guest_with.picture()
        light[value] = taken.exposure * taken.gain
    assert light[1] / light[0] == pytest.approx(2, rel=0.2) and light[-1] / light[0] == pytest.approx(0.5, rel=0.2)


def test_fixed_white_balance(guest_with):
    """By temperature and by gains: a bulb's light is orange for daylight's, and more red is more red."""
    change(guest_with, "ColourTemperature=4485", 3)
    assert max(grey(guest_with)) < 15
    guest_with.set(red=703, blue=371)
    change(guest_with, "ColourTemperature=4485", 3)
    red, green, blue = guest_with.picture().greys[3]
    assert red > green + 10 and blue < green - 10
    change(guest_with, "ColourGains=1.4,2.7", 3)
    assert max(grey(guest_with)) < 25
    change(guest_with, "AwbEnable=1", 12)
    assert max(grey(guest_with)) < 12


def test_the_picture_as_it_is_wanted(guest_with):
    change(guest_with, "AeEnable=0&AwbEnable=0")
    plain = guest_with.picture()
    change(guest_with, "Saturation=0")
    assert all(max(patch) - min(patch) < 6 for patch in guest_with.picture().colours)
    change(guest_with, "Saturation=1&Brightness=0.2")
    assert guest_with.picture().greys[4][1] > plain.greys[4][1] + 20
    change(guest_with, "Brightness=0&Contrast=2")
    assert guest_with.picture().greys[5][1] < plain.greys[5][1] - 10
    change(guest_with, "Contrast=1")
    assert guest_with.picture().greys[5][1] == pytest.approx(plain.greys[5][1], abs=3)


def test_what_is_undone_is_as_in_a_camera_that_was_told_nothing(guest_with):
    guest_with.run("sleep 5")
    plain = guest_with.picture()
    change(guest_with, "Saturation=0&Contrast=2&NoiseReductionMode=off")
    assert all(max(patch) - min(patch) < 6 for patch in guest_with.picture().colours)
    guest_with.run("wget -q -O- --post-data= http://127.0.0.1:8000/undo; sleep 3")
    again = guest_with.picture()
    for patch, before in zip([*again.colours, *again.greys], [*plain.colours, *plain.greys]):
        assert patch == pytest.approx(before, abs=6)
    assert "has another type" not in guest_with.run("tail -n 5 /tmp/picam.log")


@pytest.mark.parametrize("query", [
    "AeExposureMode=short", "AeMeteringMode=spot", "AfRange=macro", "AfSpeed=fast", "AwbMode=daylight", "Sharpness=2",
    "NoiseReductionMode=off", "HdrMode=off",
])  # fmt: skip
def test_what_the_simulation_does_not_show_is_accepted(guest_with, query):
    change(guest_with, query)
    assert "has another type" not in guest_with.run("tail -n 5 /tmp/picam.log")
    assert guest_with.picture().number > 0


def test_full_resolution(camera):
    guest = camera("[camera]\nwidth = 4608\nheight = 2592\n[jpeg]\nquality = 50\n")
    guest.wait_for(lambda: guest.picture().width == 4608, 60, "a picture")
    taken = guest.picture()
    assert (taken.width, taken.height) == (4608, 2592)
    assert "sensor mode 4608x2592" in guest.run("tail -n 20 /tmp/picam.log")
