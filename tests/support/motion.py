"""motion, the surveillance program, with one network camera; Debian's package, unpacked by tests/setup.sh."""

import pathlib
import tempfile
import time

import cv2

from support.output import started
from support.process import stop
from support.unpacked import UNPACKED, libraries
from support.viewers import Shown


class Motion:
    """Context manager: motion watching picam's /stream, in a folder of its own."""

    def __init__(self, picam):
        self.folder = tempfile.TemporaryDirectory(prefix="picam-motion-", ignore_cleanup_errors=True)
        place = pathlib.Path(self.folder.name)
        self.pictures = place / "pictures"
        settings = {
            "netcam_url": picam.url + "/stream",
            "width": 2304,
            "height": 1296,
            "framerate": 8,
            "emulate_motion": "on",  # every picture counts as motion and is written
            "picture_output": "on",
            "picture_quality": 95,
            "picture_filename": "%s-%q",
            "movie_output": "off",
            "text_right": '""',
            "target_dir": self.pictures,
            "webcontrol_port": 0,
            "stream_port": 0,
        }
        (place / "motion.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        command = [UNPACKED / "bin/motion", "-n", "-c", place / "motion.conf"]
        self.process, self.output = started(command, place, {"HOME": str(place), **libraries()})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.output.end()
        stop(self.process)
        self.folder.cleanup()

    def take(self, count, timeout=60.0):
        """The first `count` pictures that motion writes, as `Shown`; `at` is when the file was complete."""
        deadline = time.monotonic() + timeout
        # The newest may still be being written.
        while len(files := sorted(self.pictures.glob("*.jpg"), key=lambda file: file.stat().st_mtime_ns)) <= count:
            assert self.process.poll() is None, f"motion ended; it said:\n{self.output}"
            assert time.monotonic() < deadline, f"{len(files)} pictures within {timeout} s; motion said:\n{self.output}"
            time.sleep(0.1)  # files of another process: nothing to wait on
        return [Shown(file.stat().st_mtime, cv2.imread(str(file))) for file in files[:count]]
