"""ffmpeg as a stream client: every frame arrives, and the decoder has nothing to say about any."""

import re
import subprocess

import numpy
import pytest
from support import stamp
from support.photos import SIZE
from support.tries import holds_once, skipped_later

FRAMES = 32


def ffmpeg(*arguments, level="warning"):
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-nostats", "-v", level, *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b"", "ffmpeg had something to say"
    return done.stdout


@pytest.mark.parametrize("form", [["-f", "mpjpeg"], []], ids=["mpjpeg", "probed"])
def test_ffmpeg_decodes_without_a_warning(photo_picam, form):
    careful = ["-err_detect", "explode", "-xerror"]
    count = ["-frames:v", str(FRAMES), "-progress", "pipe:1"]
    progress = ffmpeg(*careful, *form, "-i", photo_picam.url + "/stream", *count, "-f", "null", "-").decode()
    assert re.findall(r"^frame=(\d+)$", progress, re.M)[-1] == str(FRAMES)


def test_ffmpeg_sees_every_frame_once(photo_picam):
    _, _, width, height = stamp.area(SIZE[0])
    only_stamp = f"crop={width}:{height}:0:0,format=gray"
    source = ["-f", "mpjpeg", "-i", photo_picam.url + "/stream"]
    # -fps_mode passthrough: frames as they come, none repeated or dropped to make up a rate.
    output = ["-vf", only_stamp, "-fps_mode", "passthrough", "-frames:v", str(FRAMES), "-f", "rawvideo", "-"]

    def watch():
        # level error: the scaler remarks on JPEG's full range each time it is asked for gray, whoever the server.
        pictures = numpy.frombuffer(ffmpeg(*source, *output, level="error"), numpy.uint8).reshape(-1, height, width)
        stamps = [stamp.decode(picture, SIZE[0]) for picture in pictures]
        assert None not in stamps and len(stamps) == FRAMES
        return skipped_later([found.sequence for found in stamps])

    holds_once(watch)
