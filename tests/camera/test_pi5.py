"""picam on a Pi 5 made of software: libcamera's pipeline rpi/pisp, by Raspberry Pi's driver of the receiver, by
mainline's, and by mainline's with a sensor that has no streams. All tests of one of them have the same picam."""

import pytest

from camera.guest import SMALL

SHAPES = {
    "raspberrypi": {"board": "pi5"},
    "mainline": {"board": "pi5-mainline"},
    # As the IMX708 of Raspberry Pi's kernels: their driver has no streams, so mainline's receiver gets no embedded data.
    "no-streams": {"board": "pi5-mainline", "embedded": 0},
}


@pytest.fixture(scope="module", params=SHAPES)
def shape(request):
    return request.param


@pytest.fixture(scope="module")
def running(shape, pi5_guest):
    pi5_guest.plug(**SHAPES[shape])
    try:
        pi5_guest.start_picam(SMALL)
        pi5_guest.wait_jpeg(60)
        yield pi5_guest
        pi5_guest.stop_picam()
        assert pi5_guest.read("buffers") == "0 0"
    finally:
        pi5_guest.unplug()


@pytest.fixture
def pi5(running):
    yield running
    running.set(reset=1)


def actual(guest):
    return guest.status()["controls"]["actual"]


def wait_calm(guest, condition, what):
    """Until exposure and focus have settled, so that the sensor is no faster than the stream, and `condition()` holds."""
    guest.wait_for(lambda: actual(guest).get("FrameDuration", 0) > 120_000 and condition(), 60, what)


def test_it_serves_the_sensor_with_memory_in_pieces(pi5):
    """The processor of a Pi 5 needs no contiguous memory, and leaves that to the receiver."""
    assert "(imx708): 640x360 Yuv420, 5 buffers from dma-heap system" in pi5.run("cat /tmp/picam.log")
    first = pi5.picture()
    assert (first.width, first.height) == (640, 360)
    pi5.wait_for(lambda: pi5.picture().number > first.number + 10, 30, "more pictures")
    assert pi5.status()["counters"]["frames_lost"] == 0


@pytest.mark.parametrize("lux", [50, 5000])
def test_exposure_settles(pi5, report, lux):
    """libcamera's own estimate is the scene's brightness, and the picture is as bright as ever."""
    wait_calm(pi5, lambda: abs(actual(pi5)["Lux"] / 500 - 1) < 0.05, "500 lux")
    before = pi5.picture().greys[3][1]
    pi5.set(lux=lux)
    pi5.wait_for(lambda: abs(actual(pi5)["Lux"] / lux - 1) < 0.05, 40, f"{lux} lux")
    wait_calm(pi5, lambda: abs(pi5.picture().greys[3][1] - before) < 12, "the same grey")
    now = pi5.picture()
    report(f"{lux} lux: {now.exposure} µs, gain {now.gain}, Lux {actual(pi5)['Lux']:.1f}, grey {now.greys[3][1]} after {before}")


@pytest.mark.parametrize(("red", "blue", "kelvin"), [(745, 321, 2964), (385, 692, 7590)])
def test_white_balance_converges(pi5, report, red, blue, kelvin):
    """What grey is in a raw picture is a point of the tuning file's curve; in the picture it becomes grey."""
    pi5.set(red=red, blue=blue)
    pi5.wait_for(lambda: abs(actual(pi5)["ColourTemperature"] / kelvin - 1) < 0.03, 40, f"{kelvin} K")
    pi5.wait_for(lambda: all(max(grey) - min(grey) < 6 for grey in pi5.picture().greys), 30, "grey greys")
    report(f"{kelvin} K: {actual(pi5)['ColourTemperature']} K, greys {pi5.picture().greys[0]} to {pi5.picture().greys[6]}")


@pytest.mark.parametrize(("focus", "lens"), [(1200, 483), (7500, 685)])
def test_focus_settles(shape, pi5, report, focus, lens):
    """By phase detection, or without embedded data by contrast, which is not as exact."""
    reach = 12 if shape == "no-streams" else 6

    def focused(at):
        return actual(pi5)["AfState"] == "focused" and abs(pi5.picture().lens - at) <= reach

    pi5.set(pdaf=1)
    pi5.wait_for(lambda: focused(541), 60, "3 dioptres")
    pi5.set(focus=focus)
    pi5.wait_for(lambda: focused(lens), 60, f"{focus / 1000} dioptres")
    pi5.wait_for(lambda: min(pi5.picture().contrast) > 80, 10, "sharp stripes")
    report(f"{focus / 1000} D: lens {pi5.picture().lens} of {lens}, contrast {pi5.picture().contrast}")


@pytest.mark.parametrize("fault", [{"drop": 1}, {"errors": 5}, {"lose": 6}, {"bus_errors": 20}, {"gone": 1}], ids=str)
def test_pictures_come_again(pi5, report, fault):
    """Also where picam has to restart the capture, or to open the camera again."""
    before = pi5.status()
    pi5.set(**fault)
    pi5.run("sleep 2")
    pi5.set(gone=0)
    enough = before["counters"]["frames_captured"] + 20
    now = pi5.wait_status(
        lambda status: status["counters"]["frames_captured"] > enough and status["silence_seconds"] < 0.5, 60
    )
    restarts, reopens = (now["camera"][name] - before["camera"][name] for name in ("restarts", "reopens"))
    report(f"{fault}: {restarts} restarts, {reopens} reopenings")
    assert pi5.picture().width == 640


def test_a_stall_is_recovered_and_nothing_leaks(pi5):
    """After two reopenings as many buffers and descriptors are there as before."""

    def held():
        return pi5.read("buffers"), pi5.run("ls /proc/$(pidof picam)/fd | wc -l")

    before, reopens = held(), pi5.status()["camera"]["reopens"] + 2
    pi5.set(stall=1)
    pi5.wait_status(lambda status: status["camera"]["reopens"] >= reopens, 60)
    pi5.set(stall=0)
    pi5.wait_status(lambda status: status["signal"] == "live" and status["silence_seconds"] < 1, 60)
    assert held() == before
    assert pi5.picture().width == 640
