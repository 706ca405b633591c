"""Frames that are lost, and cameras that are opened again, with the real pipeline."""

SMALL = "[camera]\nwidth = 640\nheight = 360\n"


def test_frames_that_the_image_processor_is_too_slow_for_count_as_lost(camera):
    """The numbers that libcamera gives on a VC4 are the processor's own: only the times tell of the others."""
    guest = camera(SMALL)
    before = guest.status()["counters"]
    assert before["frames_lost"] == 0
    guest.set(slow_ms=300)
    guest.wait_status(lambda status: status["counters"]["frames_captured"] >= before["frames_captured"] + 10, 60)
    now = guest.status()["counters"]
    assert now["frames_lost"] >= now["frames_captured"] - before["frames_captured"] - 3, now


def test_a_camera_that_is_opened_again_takes_no_more_memory(camera):
    """The alive buffers and the descriptors are as many after each reopening."""
    guest = camera(SMALL)

    def held():
        return guest.read("buffers"), guest.run("ls /proc/$(pidof picam)/fd | wc -l")

    before = held()
    reopens = 2
    guest.set(stall=1)
    guest.wait_status(lambda status: status["camera"]["reopens"] >= reopens, 60)
    guest.set(stall=0)
    guest.wait_status(lambda status: status["signal"] == "live" and status["silence_seconds"] < 1, 60)
    assert held() == before
