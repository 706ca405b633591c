"""Stills that come beside the stream."""

from support.sampling import sampling

from camera.picture import read_picture


def check_stills_beside(guest, count, report, chroma="4:2:0"):
    """Takes `count` of them from a picam with camera.still = "always" that has just started: each looks as the stream does, of
    the same sensor mode, and the stream loses no frame and the camera no buffer. Each has as much `chroma`."""
    guest.run("sleep 8")
    before, counted = guest.picture(), guest.status()["counters"]
    buffers = "ls -l /proc/$(pidof picam)/fd | grep -c dmabuf"
    held = guest.run(buffers)
    for _ in range(count):
        began = guest.clock()
        status, _, body = guest.get("/still?quality=90", timeout=240)
        assert status == 200, body
        assert sampling(body) == chroma
        taken = read_picture(body)
        assert (taken.width, taken.height) == (4608, 2592)
        assert abs(taken.exposure * taken.gain / (before.exposure * before.gain) - 1) < 0.05
        assert abs(taken.lens - before.lens) <= 4
        assert abs(taken.greys[3][1] - before.greys[3][1]) < 12
        for index in range(8):  # the same colours, wherever they are mixed
            assert max(abs(a - b) for a, b in zip(taken.colours[index], before.colours[index], strict=True)) < 12
        assert "no RGB" not in guest.run("cat /tmp/picam.log"), "its colour is repeated"
        report(f"a still of {chroma} took {guest.clock() - began:.1f} s, {len(body)} bytes")
    after = guest.status()
    assert (after["counters"]["frames_lost"], after["counters"]["stalls"]) == (counted["frames_lost"], counted["stalls"])
    assert (after["camera"]["restarts"], after["camera"]["reopens"]) == (0, 0)
    assert after["counters"]["frames_captured"] > counted["frames_captured"]
    assert guest.run(buffers) == held
