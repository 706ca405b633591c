"""Requests that may_minihttp would drop or print a line for: half-closed ones, and those that cannot be parsed."""

import socket
import time

import pytest
from support import raw


def half_closed(picam, path, pause=0.0):
    """A connection whose client has closed its side behind its request."""
    sock = raw.connect(picam.port)
    sock.sendall(raw.get(path))
    if pause:
        time.sleep(pause)  # what is tested is the end that comes later than the request
    sock.shutdown(socket.SHUT_WR)
    return sock


@pytest.mark.parametrize("pause", [0.0, 0.001, 0.05])
@pytest.mark.parametrize("path", ["/healthz", "/jpg?fresh=1", "/status"])
def test_a_half_closed_request_is_answered(picam, path, pause):
    picam.wait_status(lambda status: status["healthy"])  # there is a first frame
    for _ in range(20):
        with half_closed(picam, path, pause) as sock:
            assert raw.parse(*raw.read_to_end(sock)).status == 200


@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_a_half_closed_stream_goes_on(picam, pause):
    with half_closed(picam, "/stream", pause) as sock:
        data = b""
        while data.count(b"\r\nX-Frame: ") < 8:
            more = sock.recv(1 << 16)
            assert more, "the stream was ended"
            data += more
        # A client that is really gone leaves its place.
    picam.wait_status(lambda status: status["streams"] == 0)


def test_malformed_requests_cost_one_log_line_a_second(start_picam, small_tables):
    picam = start_picam(small_tables)
    before, start, count = len(picam.lines), time.monotonic(), 500
    for number in range(count):
        rubbish = [b"\0\1\2\3", b"GET /jpg\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n"][number % 3]
        assert raw.exchange(picam.port, rubbish).status == 400
    seconds = time.monotonic() - start
    assert picam.refused("malformed") == count
    lines = picam.lines[before:]
    assert 1 <= len(lines) <= seconds + 2, lines[:10]
    assert all("malformed request from 127.0.0.1" in line for line in lines), lines[:10]


def test_clients_that_just_went_away_are_not_malformed(start_picam, small_tables):
    picam = start_picam(small_tables)
    for beginning in (b"", b"GET /jp", b"GET /jpg HTTP/1.1\r\nHost: x\r\n"):
        with raw.connect(picam.port) as sock:
            sock.sendall(beginning)
    picam.wait_status(lambda status: status["connections"] <= 1)
    assert picam.refused("malformed") == 0
