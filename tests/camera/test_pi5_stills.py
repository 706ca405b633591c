"""Stills beside the stream on a Pi 5 made of software: its image processor makes both sizes of one frame of the sensor."""

import pytest

from camera.guest import SMALL
from camera.stills import check_stills_beside
from camera.test_pi5 import SHAPES


@pytest.mark.parametrize("shape", SHAPES)
def test_stills_beside_the_stream_cost_it_no_frame(pi5_guest, shape, report):
    pi5_guest.plug(**SHAPES[shape])
    try:
        pi5_guest.start_picam(SMALL + 'still = "always"\n')
        pi5_guest.wait_jpeg(60)
        check_stills_beside(pi5_guest, 3, report)
        pi5_guest.stop_picam()
        assert pi5_guest.read("buffers") == "0 0"
    finally:
        pi5_guest.unplug()
