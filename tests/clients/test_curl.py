"""curl: the stream for three seconds taken apart byte by byte, a picture, and HEAD."""

import re
import subprocess

import cv2
import numpy
from support import stamp
from support.photos import SIZE
from support.stamp import assert_in_order


def curl(*arguments, expect=0):
    done = subprocess.run(["curl", "-sS", *arguments], capture_output=True, timeout=30)
    assert done.returncode == expect, done.stderr.decode()
    return done.stdout


def decoded(jpeg):
    return cv2.imdecode(numpy.frombuffer(jpeg, numpy.uint8), cv2.IMREAD_COLOR)


def test_curl_stream_is_exact_multipart(photo_picam, tmp_path):
    body = tmp_path / "body"
    timed_out = 28  # curl's exit code for --max-time: the stream was still flowing
    curl("--max-time", "3", "--output", str(body), photo_picam.url + "/stream", expect=timed_out)
    data, position, sequences = body.read_bytes(), 0, []
    head = re.compile(
        rb"(?:\r\n)*--frame\r\nContent-Type: image/jpeg\r\nContent-Length: (\d+)\r\n"
        rb"X-Timestamp: \d+\.\d{6}\r\nX-Frame: (\d+)\r\n\r\n"
    )
    while match := head.match(data, position):
        start, position = match.end(), match.end() + int(match[1]) + 2
        if position > len(data):
            break
        assert data[start : start + 2] == b"\xff\xd8"
        assert data[position - 4 : position] == b"\xff\xd9\r\n"
        sequences.append(int(match[2]))
    assert len(data) - position < 4096 or position > len(data), f"not a part at byte {position}"
    assert 20 <= len(sequences) <= 28, "three seconds at 8 Hz"
    assert_in_order(sequences)


def test_curl_picture(photo_picam):
    picture = decoded(curl(photo_picam.url + "/jpg"))
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    assert stamp.decode(picture)


def test_curl_head_of_the_picture(photo_picam):
    answer = curl("--head", photo_picam.url + "/jpg").decode()
    assert answer.startswith("HTTP/1.1 200 ")
    assert re.search(r"^Content-Type: image/jpeg\r$", answer, re.M)
    assert answer.endswith("\r\n\r\n")
