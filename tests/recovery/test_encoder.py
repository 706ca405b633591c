"""An encoder that fails on every frame, hangs or panics: /healthz says so, and a new process follows."""

import time

from support import raw
from support.appliance import PATIENCE

FAILED, ENCODER_LOST = 1, 6


def break_encoder(picam, fault, path="/stream"):
    """Lets the encoder fail while a stream client wants frames; the client, which must be held."""
    stream = raw.Stream(picam.port, path, timeout=PATIENCE)
    stream.take(2)
    assert picam.get(f"/debug/encoder/{fault}")[0] == 200
    return stream


def wait_sick(picam, line):
    """Polls /healthz until it answers 503 with `line` in it."""
    while True:
        status, _, body = picam.get("/healthz")
        if status == 503:
            assert line in body and body.count(b"\n") == 1
            return


def test_an_encoder_that_fails_on_every_frame_is_seen_and_replaced(start):
    picam = start()
    with break_encoder(picam, "fail"):
        wait_sick(picam, b"the encoder fails on every frame")
        assert picam.status()["signal"] == "not encoded" and picam.status()["counters"]["frames_refused"] > 0
        assert picam.wait() == ENCODER_LOST
    log = picam.log()
    assert picam.lines[-1] == "picam: the encoder is lost: the encoder failed on every frame for 10s"
    assert 0 < log.count("not encoded: ") < 20, "one line a second, not one a frame"


def test_an_encoder_that_hangs_is_seen_and_replaced(start):
    picam = start()
    with break_encoder(picam, "hang"):
        wait_sick(picam, b"the encoder hangs")
        assert picam.wait() == ENCODER_LOST
    assert picam.lines[-1] == "picam: the encoder is lost: the encoder hangs in a frame for over 10s"


def test_an_encoder_of_a_smaller_size_is_seen_like_it(start):
    """Nobody wants the full size: only the other encoder has something to do."""
    for fault, line in (("hang", b"the encoder hangs"), ("fail", b"the encoder fails on every frame")):
        picam = start({"camera": {"width": 640, "height": 360}})
        with break_encoder(picam, fault, "/stream?width=480"):
            wait_sick(picam, line)
            assert picam.status()["counters"]["frames_encoded"] == 0, "of the full size"
            assert picam.wait() == ENCODER_LOST


def test_a_smaller_size_that_failed_is_forgotten_when_its_client_has_gone(start):
    picam = start({"camera": {"width": 640, "height": 360}})
    with break_encoder(picam, "fail", "/stream?width=480"):
        wait_sick(picam, b"the encoder fails on every frame")
    deadline = time.monotonic() + PATIENCE
    while picam.get("/healthz")[0] != 200:
        assert time.monotonic() < deadline and picam.process.poll() is None


def test_an_encoder_that_panics_ends_picam_at_once(start):
    """Without running libcamera's destructors beside a capture thread: no orderly stop is in the log."""
    picam = start()
    with break_encoder(picam, "panic"):
        assert picam.wait() == FAILED
    assert "as asked by a test" in picam.log() and "stopp" not in picam.log()


def test_a_thread_that_helps_the_encoder_is_seen_like_it(start):
    for fault, code in (("hang-band", ENCODER_LOST), ("panic-band", FAILED)):
        picam = start({"jpeg": {"threads": 3}})
        with break_encoder(picam, fault):
            assert picam.wait() == code
        expected = "the encoder hangs in a frame" if fault == "hang-band" else "as asked by a test"
        assert expected in picam.log()


def test_an_encoder_that_fails_is_seen_by_pictures_alone(start):
    """Nobody streams: each /jpg asks the encoder again, so it is known whether it still fails."""
    picam = start()
    picam.get("/debug/encoder/fail")
    answers = set()
    while picam.process.poll() is None:
        try:
            answers.add(picam.get("/jpg")[0])
        except OSError:
            break  # picam has ended
    assert picam.wait() == ENCODER_LOST
    assert 503 in answers


def test_the_hardware_watchdog_stays_armed_when_the_encoder_is_lost(start, tmp_path):
    device = tmp_path / "watchdog"
    device.touch()
    picam = start({"watchdog": {"device": str(device)}})
    picam.wait_log(r"watchdog .*: armed")
    with break_encoder(picam, "hang"):
        assert picam.wait() == ENCODER_LOST
    assert set(device.read_bytes()) == {0}, "it resets the machine if no new picam comes"
