"""curl: the stream for three seconds taken apart byte by byte, a picture, and HEAD."""

import re
import subprocess

import cv2
import numpy
from support import stamp
from support.photos import SIZE
from support.tries import holds_once, skipped_later


def curl(*arguments, expect=0):
    done = subprocess.run(["curl", "-sS", *arguments], capture_output=True, timeout=30)
    assert done.returncode == expect, done.stderr.decode()
    return done.stdout


def decoded(jpeg):
    return cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_COLOR)


BOUNDARY = b"\r\n--frame\r\n"
HEAD = re.compile(
    rb"(?:X-Probe: 1\r\n)*Content-Type: image/jpeg\r\nContent-Length: (\d+)\r\n"
    rb"X-Timestamp: \d+\.\d{6}\r\nX-Frame: (\d+)\r\n(?:X-Signal: lost\r\n)?\r\n"
)
BROWSER_BOUNDARY = BOUNDARY + b"Content-Type: image/jpeg\r\n\r\n"  # the next part's whole header


def three_seconds(picam, tmp_path, *arguments):
    """What curl receives of the stream in three seconds."""
    body = tmp_path / "body"
    timed_out = 28  # curl's exit code for --max-time: the stream was still flowing
    curl("--max-time", "3", "--output", str(body), *arguments, picam.url + "/stream", expect=timed_out)
    return body.read_bytes()


def missing(sequences):
    """How many frames of three seconds at 8 Hz are."""
    assert len(sequences) <= 28
    return max(20 - len(sequences), skipped_later(sequences))


def test_curl_stream_is_exact_multipart(photo_picam, tmp_path):
    holds_once(lambda: missing(exact_sequences(three_seconds(photo_picam, tmp_path))))


def exact_sequences(data):
    """The frames' numbers in a stream that is what docs/http.md says, byte by byte."""
    assert data.startswith(BOUNDARY[2:])
    position, sequences = len(BOUNDARY) - 2, []
    while match := HEAD.match(data, position):
        start, end = match.end(), match.end() + int(match[1])
        if end + len(BOUNDARY) > len(data):
            break
        assert data[start : start + 2] == b"\xff\xd8"
        assert data[end - 2 : end] == b"\xff\xd9"
        position = end + len(BOUNDARY)
        assert data[end:position] == BOUNDARY
        sequences.append(int(match[2]))
    assert match or re.fullmatch(rb"(?:[A-Z][\w-]*: [^\r\n]+\r\n)*[^\r\n]*\r?", data[position:]), (
        f"not a part at byte {position}: {data[position : position + 80]}"
    )
    return sequences


def test_a_browsers_stream_has_the_next_parts_header_behind_each_picture(photo_picam, tmp_path):
    accept = "Accept: image/avif,image/webp,image/*,*/*;q=0.8"
    holds_once(lambda: missing(browser_sequences(three_seconds(photo_picam, tmp_path, "--header", accept))))


def browser_sequences(data):
    """The same of what a browser gets."""
    nothing, *pictures, unfinished = (b"\r\n" + data).split(BROWSER_BOUNDARY)
    assert nothing == b"" and b"\xff\xd9" not in unfinished, "a picture came without the next part's header"
    assert all(picture[:2] == b"\xff\xd8" and picture[-2:] == b"\xff\xd9" for picture in pictures)
    stamps = [stamp.decode(decoded(picture)) for picture in pictures]
    return [found.sequence for found in stamps]


def test_curl_picture(photo_picam):
    picture = decoded(curl(photo_picam.url + "/jpg"))
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    assert stamp.decode(picture)


def test_curl_head_of_the_picture(photo_picam):
    answer = curl("--head", photo_picam.url + "/jpg").decode()
    assert answer.startswith("HTTP/1.1 200 ")
    assert re.search(r"^Content-Type: image/jpeg\r$", answer, re.M)
    assert answer.endswith("\r\n\r\n")
