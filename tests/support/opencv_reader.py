"""OpenCV's VideoCapture, used exactly as ROS's image_publisher uses it.

`open(url)`, one `read()`, `set(CAP_PROP_POS_FRAMES, 0)`, then one `read()` per tick of a timer at the publish
rate; after a failed read again `set(CAP_PROP_POS_FRAMES, 0)`, never a new connection.

As a program: `python -m support.opencv_reader URL RATE_HZ SECONDS [PHASE]` prints one JSON list with an entry
[seconds since the first read, age of the picture in seconds, frame sequence] per tick; age and sequence are null
if the read failed or its picture has no valid stamp. With PHASE the ticks come so many seconds after the capture of
a frame, as far as the frames of a camera lie one interval apart.
"""

import json
import statistics
import subprocess
import sys
import time

from support.process import PYTHON, TESTS


FRAME_INTERVAL = 0.125  # picam's default


class Reader:
    """The program in a process of its own; `result()` waits for it. `prefix`: a command to run it under."""

    def __init__(self, url, rate, seconds, prefix=(), phase=None):
        command = [*prefix, PYTHON, "-m", "support.opencv_reader", url, str(rate), str(seconds)]
        if phase is not None:
            command.append(str(phase))
        self.process = subprocess.Popen(command, cwd=TESTS, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.seconds = seconds

    def result(self):
        try:
            output, _ = self.process.communicate(timeout=self.seconds + 60)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        assert self.process.returncode == 0, f"the OpenCV client ended with exit code {self.process.returncode}"
        return json.loads(output)


def median_age(ticks, seconds):
    """Median age, in seconds, of what `read()` returned in the second half of the run; every read must succeed."""
    ages = [age for at, age, _ in ticks if at >= seconds / 2]
    assert ages and None not in ages, f"{ages.count(None)} of {len(ages)} reads without a stamped picture"
    return statistics.median(ages)


def main():
    import cv2

    from support import stamp

    url, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    capture = cv2.VideoCapture()
    if not capture.open(url):
        sys.exit(f"OpenCV cannot open {url}")
    _, first = capture.read()
    capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
    ticks, start = [], time.monotonic()
    if len(sys.argv) > 4 and (found := stamp.decode(first)):
        intervals = 1 + (time.time() - found.time) // FRAME_INTERVAL
        start += found.time + intervals * FRAME_INTERVAL + float(sys.argv[4]) - time.time()
    tick = start
    while tick - start < seconds:
        time.sleep(max(0.0, tick - time.monotonic()))
        good, picture = capture.read()
        now = time.time()
        if not good:
            capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
        found = stamp.decode(picture) if good else None
        ticks.append([time.monotonic() - start, found and now - found.time, found and found.sequence])
        tick = max(tick + 1 / rate, time.monotonic())  # a tick that was missed is not made up for, as in roscpp
    json.dump(ticks, sys.stdout)


if __name__ == "__main__":
    main()
