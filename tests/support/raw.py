"""HTTP spoken byte by byte: exact requests out, exact bytes back."""

import re
import select
import socket
import time
from typing import NamedTuple

NEXT_PART = b"\r\n--frame\r\n"  # right behind each picture
PROBE = b"X-Probe: 1\r\n"  # a header line that picam may send any number of while it waits for its client

class Answer(NamedTuple):
    """A complete response: `headers` with lower-case names; `closed` says how the connection ended."""

    status: int
    reason: str
    headers: dict
    body: bytes
    closed: str  # "fin", "reset" or "open"


def free_port():
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port, host="127.0.0.1", receive_buffer=None, timeout=60.0, source=None):
    """`source`: the address that picam sees; 127.0.0.1 is a program of its own machine, 127.0.0.2 and up are neighbours."""
    sock = socket.socket()
    if source:
        sock.bind((source, 0))
    if receive_buffer:  # before connect: the window scale is settled in the handshake
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(timeout)
    sock.connect((host, port))
    return sock


def read_to_end(sock, timeout=60.0):
    """(all bytes until the peer closes, "fin" | "reset" | "open" if it has not within `timeout` seconds)."""
    data, deadline = bytearray(), time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([sock], [], [], left)[0]:
            return bytes(data), "open"
        try:
            chunk = sock.recv(1 << 20)
        except ConnectionResetError:
            return bytes(data), "reset"
        if not chunk:
            return bytes(data), "fin"
        data += chunk


def parse_head(head):
    """(status, reason, headers) of a response head without its final empty line."""
    lines = head.decode("latin-1").split("\r\n")
    match = re.fullmatch(r"HTTP/1\.1 (\d{3}) ([ -~]+)", lines[0])
    assert match, f"bad status line {lines[0]!r}"
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(": ")
        assert colon and re.fullmatch(r"[A-Za-z0-9-]+", name), f"bad header line {line!r}"
        assert name.lower() not in headers, f"header {name} twice"
        headers[name.lower()] = value
    return int(match[1]), match[2], headers


def parse(data, closed="fin"):
    """The one response that `data` must be."""
    head, gap, body = data.partition(b"\r\n\r\n")
    assert gap, f"no complete response head in {data[:200]!r} (connection: {closed})"
    return Answer(*parse_head(head), body, closed)


def exchange(port, request, timeout=60.0, host="127.0.0.1", source=None):
    """Sends the bytes, reads until the server closes, returns the `Answer`."""
    with connect(port, host, timeout=timeout, source=source) as sock:
        try:
            sock.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # cut off while sending; what it answered before is still to be read
        return parse(*read_to_end(sock, timeout))


def get(path, *headers, method="GET", version="1.1"):
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/{version}", "Host: picam", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Part(NamedTuple):
    """One part of the stream; `began` and `arrived` are the Unix times at its first header line and at the boundary
    that follows it at once. `probes`: header lines before the first one, with which picam asked what the client has read.
    """

    headers: dict
    body: bytes
    began: float
    arrived: float
    probes: int

    @property
    def sequence(self):
        return int(self.headers["x-frame"])

    @property
    def timestamp(self):
        return float(self.headers["x-timestamp"])


class Stream:
    """A client of /stream that checks the multipart framing byte by byte: anything out of place raises.

    The boundary that ends a part begins the next one: it comes right behind the picture, not with the next picture.
    """

    def __init__(self, port, path="/stream", host="127.0.0.1", receive_buffer=None, timeout=60.0, headers=()):
        self.sock = connect(port, host, receive_buffer, timeout)
        self.sock.sendall(get(path, *headers))
        self.file = self.sock.makefile("rb", buffering=1 << 16)
        head = bytearray()
        while not head.endswith(b"\r\n\r\n"):
            line = self.file.readline(8192)
            assert line, f"closed within the response head: {bytes(head)!r}"
            head += line
        self.status, self.reason, self.headers = parse_head(bytes(head[:-4]))
        self.started = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def next(self):
        """The next `Part`, or None at the empty part that ends the stream (after which the server must close)."""
        if not self.started:
            self.started = True
            line = self.file.readline(8192)
            assert line == b"--frame\r\n", f"boundary expected, got {line[:80]!r}"
        probes = 0
        while (line := self.file.readline(8192)) == PROBE:
            probes += 1
        if line == b"\r\n":
            end = self.file.read()
            assert end == b"\r\n--frame--\r\n", f"closing boundary expected, got {end[:80]!r}"
            return None
        began, headers = time.time(), {}
        while line != b"\r\n":
            assert line.endswith(b"\r\n"), f"part header without CRLF: {line!r}"
            name, colon, value = line[:-2].decode("ascii").partition(": ")
            assert colon, f"bad part header {line!r}"
            assert name.lower() not in headers, f"part header {name} twice"
            headers[name.lower()] = value
            line = self.file.readline(8192)
        assert "x-probe" not in headers, "a probe within a part's header"
        length = int(headers["content-length"])
        body = self.file.read(length)
        assert len(body) == length, f"stream cut after {len(body)} of {length} bytes"
        end = self.file.read(len(NEXT_PART))
        arrived = time.time()
        assert end == NEXT_PART, f"part not followed by a boundary but by {end!r}"
        assert body[:2] == b"\xff\xd8" and body[-2:] == b"\xff\xd9", "part is not one complete JPEG"
        return Part(headers, body, began, arrived, probes)

    def take(self, count):
        """The next `count` parts; the stream must not end before."""
        parts = []
        for _ in range(count):
            part = self.next()
            assert part is not None, f"stream ended after {len(parts)} of {count} parts"
            parts.append(part)
        return parts
