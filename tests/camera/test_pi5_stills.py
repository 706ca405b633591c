"""Stills beside the stream on a Pi 5 made of software: its image processor makes both sizes of one frame of the sensor."""

import pytest

from camera.guest import SMALL
from camera.picture import read_picture
from camera.test_pi5 import SHAPES


@pytest.mark.parametrize("shape", SHAPES)
def test_stills_beside_the_stream_cost_it_no_frame(pi5_guest, shape, report):
    pi5_guest.plug(**SHAPES[shape])
    try:
        pi5_guest.start_picam(SMALL + 'still = "always"\n')
        pi5_guest.wait_jpeg(60)
        pi5_guest.run("sleep 8")
        before, counted = pi5_guest.picture(), pi5_guest.status()["counters"]
        for _ in range(3):
            began = pi5_guest.clock()
            status, _, body = pi5_guest.get("/still?quality=90", timeout=240)
            assert status == 200, body
            taken = read_picture(body)
            assert (taken.width, taken.height) == (4608, 2592)
            assert abs(taken.exposure * taken.gain / (before.exposure * before.gain) - 1) < 0.05
            assert abs(taken.greys[3][1] - before.greys[3][1]) < 12
            report(f"{shape}: a still took {pi5_guest.clock() - began:.1f} s, {len(body)} bytes")
        after = pi5_guest.status()
        for name in ("frames_lost", "stalls"):
            assert after["counters"][name] == counted[name]
        assert (after["camera"]["restarts"], after["camera"]["reopens"]) == (0, 0)
        pi5_guest.stop_picam()
        assert pi5_guest.read("buffers") == "0 0"
    finally:
        pi5_guest.unplug()
