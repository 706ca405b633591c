"""A recording of /stream, made in the guest: what came, on the guest's own clock, however busy the host is."""

import base64
import re
from typing import NamedTuple

from camera.picture import Picture, read_picture

FILE = "/tmp/stream"
CLIENT = "/tmp/stream.pid"


class Frame(NamedTuple):
    """A frame of a stream: its X-Frame, its picture."""

    sequence: int
    picture: Picture

    @property
    def began(self):
        """Start of its exposure, seconds on the guest's clock."""
        return self.picture.began / 1e6


class Recording:
    """with Recording(guest) as recording: ...; then recording.frames. Without the "no signal" pictures."""

    def __init__(self, guest):
        self._guest = guest
        self.frames = []

    def __enter__(self):
        self._guest.run(f"wget -q -O {FILE} http://127.0.0.1:8000/stream & echo $! >{CLIENT}")
        self._guest.wait_for(lambda: self._guest.run(f"[ -s {FILE} ] && echo 1", check=False), 60, "the stream's first bytes")
        return self

    def __exit__(self, kind, error, trace):
        self._guest.run(f"kill $(cat {CLIENT})", check=False)
        if kind is None:
            self.frames = _frames(base64.b64decode(self._guest.run(f"base64 {FILE}", 300)))
        self._guest.run(f"rm {FILE}")

    def silence(self):
        """The longest time between two frames, seconds."""
        return max(later.began - earlier.began for earlier, later in zip(self.frames, self.frames[1:]))


def _frames(stream):
    found = []
    for part in stream.split(b"--frame\r\n")[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        sequence = int(re.search(rb"X-Frame: (\d+)", head)[1])
        if not found or found[-1].sequence != sequence:
            found.append(Frame(sequence, read_picture(body)))
    return found
