"""jpeg.max_mbit: the quality follows what a stream may need."""

import signal

from support import raw
from support.appliance import PATIENCE

CAMERA = {"camera": {"width": 640, "height": 360, "rate": 20}}


def test_the_quality_is_lowered_for_the_streams_rate_and_comes_back(start_picam):
    picam = start_picam({**CAMERA, "jpeg": {"quality": 100}})
    with raw.Stream(picam.port, timeout=PATIENCE) as stream:
        full = len(stream.take(3)[-1].body)
        assert picam.status()["encode_quality"] == 100
        half = full / 2 * 20 * 8 / 1e6

        def limit(mbit):
            picam.write_config({**CAMERA, "jpeg": {"quality": 100, "max_mbit": mbit}})
            picam.signal(signal.SIGHUP)

        limit(half)
        while len(part := stream.next().body) > full / 2:
            assert len(part) <= 1.1 * full
        picam.wait_log("jpeg.max_mbit lowers the quality below 100")
        status = picam.status()
        assert 30 <= status["encode_quality"] < 100 and status["quality"] == 100
        quality = float(picam.get("/metrics")[2].decode().split("\npicam_encode_quality ")[1].split("\n")[0])
        assert 30 <= quality < 100
        limit(0)
        while len(stream.next().body) < 0.9 * full:
            pass
    assert picam.status()["encode_quality"] == 100
