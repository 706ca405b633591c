"""Memory bounds around an attack."""

import contextlib
import threading

from support import raw

# What a test's ordinary noise costs: a coroutine's stack, the allocator's next arena page run.
FLAT_KIB = 512
# Frames whose planes a stall of the camera may add: the "no signal" picture, the frame it was made from, and what a
# source that was opened again has in its pool while the old ones are still in use.
STALL_FRAMES = 5
# And what a busy machine may add: a frame of the pool that was never needed before, because all others were in use.
BUSY_FRAMES = 1


def warm_up(picam, rounds=20, frames=2):
    """Takes every lazily made buffer and stack into the baseline: a few ordinary requests, `frames` of a stream."""
    for _ in range(rounds):
        for path in ("/jpg", "/status", "/nothing"):
            raw.exchange(picam.port, raw.get(path))
    streams = [raw.Stream(picam.port) for _ in range(4)]
    streams[0].take(frames)
    for stream in streams:
        stream.next()
        stream.close()
    picam.wait_status(lambda status: status["connections"] <= 1 and status["streams"] == 0)


def stalls(picam):
    """How often the camera has stalled so far."""
    return picam.status()["counters"]["stalls"]


def stall_kib(picam, stalls_before):
    """KiB that memory may have grown by because the camera has stalled since: a machine that stops picam for over a second
    causes that, too. 0 if it has not."""
    return 0 if stalls(picam) == stalls_before else frames_kib(picam, STALL_FRAMES)


def frames_kib(picam, count):
    """KiB of the planes of so many frames."""
    frame = picam.status()["frame"]
    return count * frame["width"] * frame["height"] * 3 // 2 // 1024


@contextlib.contextmanager
def bounded(picam, kib=FLAT_KIB):
    """The block must not make picam's resident memory grow by more than `kib` KiB at any of some 50 looks a second."""
    warm_up(picam)
    stalled, before = stalls(picam), picam.rss_kib()
    peak, done = [before], threading.Event()

    def watch():
        while not done.wait(0.02):
            peak[0] = max(peak[0], picam.rss_kib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    grown = max(peak[0], picam.rss_kib()) - before
    print(f"resident memory: {before} KiB before, at most {grown:+d} KiB")
    if grown > kib:
        kib += frames_kib(picam, BUSY_FRAMES) + stall_kib(picam, stalled)
        assert grown <= kib, f"memory grew by {grown} KiB"
