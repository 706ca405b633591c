"""What breaks a naive server: each attack has its documented answer, costs bounded memory, and hurts no one else."""

import select
import socket

import pytest
from support import raw
from support.appliance import PATIENCE
from support.memory import bounded
from support.tries import holds_once, skipped

LINE = b"\n"


@pytest.fixture(autouse=True)
def others_are_served(picam):
    """After every attack a picture is there for the next client, at once: two of them in a row are of the same frame or
    of neighbours."""
    yield

    def two_pictures():
        answers = [raw.exchange(picam.port, raw.get("/jpg"), PATIENCE) for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 200]
        first, second = (int(answer.headers["x-frame"]) for answer in answers)
        assert second >= first
        return second - first - 1

    holds_once(two_pictures)


def assert_plain_line(answer):
    """An error is one plain line."""
    assert answer.headers["content-type"].startswith("text/plain")
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert answer.body.count(LINE) == 1 and answer.body.endswith(LINE) and len(answer.body) > 5


def numbered_headers(count):
    return [f"X-Number-{number}: {number}" for number in range(count)]


@pytest.mark.parametrize("count", [16, 17, 32])  # may_minihttp takes 16
def test_as_many_headers_as_browsers_send_are_served(picam, count):
    before = len(picam.lines)
    for path in ("/jpg", "/", "/status"):
        assert raw.exchange(picam.port, raw.get(path, *numbered_headers(count - 1))).status == 200  # and Host
    with raw.Stream(picam.port, headers=numbered_headers(count - 1)) as stream:
        assert len(stream.take(5)) == 5
    picam.wait_status(lambda status: status["streams"] == 0)
    assert picam.lines[before:] == []


def test_a_sweep_asked_for_with_many_headers_ends_with_its_asker_only(picam):
    window = "window=0.26,0.39,0.15,0.25"
    request = raw.get(f"/focus/sweep?{window}&from=0&to=0.4", *numbered_headers(19), method="POST")
    assert raw.exchange(picam.port, request, PATIENCE).status == 200
    with raw.connect(picam.port) as sock:
        sock.sendall(raw.get(f"/focus/sweep?{window}", *numbered_headers(19), method="POST"))
        picam.wait_status(lambda _: picam.get("/focus/auto", method="POST")[0] == 409)
    picam.wait_status(lambda _: picam.get("/focus/hold", method="POST")[0] == 200)


@pytest.mark.parametrize("count", [33, 34, 40, 200])
def test_more_than_thirty_two_headers_are_answered_431(picam, count):
    with bounded(picam):
        answer = raw.exchange(picam.port, raw.get("/jpg", *numbered_headers(count - 1)))
    assert answer.status == 431
    assert answer.closed == "fin"
    assert_plain_line(answer)
    assert b"32" in answer.body, "the line says how many are accepted"


ENDLESS = {
    "one header value": (b"GET /jpg HTTP/1.1\r\nX: ", b"a" * 65536),
    "one request line": (b"GET /", b"a" * 65536),
    "no line end at all": (b"", b"a" * 65536),
    "empty lines": (b"", b"\r\n" * 32768),
}


def send_until_refused(sock, data, limit=64 << 20):
    """Sends `data` again and again until picam answers, closes or resets; number of bytes that the kernels took."""
    sock.setblocking(False)
    sent = 0
    while sent < limit:
        # Sockets that are closed can leave a sender whose window is shut without a reset for a minute.
        readable, writable, _ = select.select([sock], [sock], [], PATIENCE)
        assert readable or writable, f"{sent} bytes were taken, then neither more nor was anything answered"
        if readable:
            break
        try:
            sent += sock.send(data)
        except ConnectionError:
            break
    return sent


@pytest.mark.parametrize("start, more", ENDLESS.values(), ids=ENDLESS)
def test_endless_header_bytes_are_cut_off(picam, start, more):
    with bounded(picam), raw.connect(picam.port) as sock:
        sock.sendall(start)
        sent = send_until_refused(sock, more)
        # Another client is not starved meanwhile.
        assert raw.exchange(picam.port, raw.get("/jpg"), PATIENCE).status == 200
        data, closed = raw.read_to_end(sock, PATIENCE)
    assert sent < 8 << 20, "picam went on taking header bytes"
    assert closed != "open"
    if data:  # a reset may overtake the answer
        assert raw.parse(data).status in (400, 431)


def test_header_bytes_over_the_limit_are_answered_431(picam):
    with raw.connect(picam.port) as sock:
        sock.sendall(b"GET /jpg HTTP/1.1\r\nX: " + b"a" * 17000)
        answer = raw.parse(*raw.read_to_end(sock, PATIENCE))
    assert answer.status == 431
    assert_plain_line(answer)


@pytest.mark.parametrize("length", ["abc", "-1", "1e3", "99999999999999999999999999", "0x10", "1 1", "\u00b2"])
@pytest.mark.parametrize("method, expected", [("GET", {400}), ("POST", {400, 405})])
def test_content_length_garbage_is_refused(picam, length, method, expected):
    with bounded(picam):
        answer = raw.exchange(picam.port, raw.get("/jpg", f"Content-Length: {length}", method=method))
    assert answer.status in expected
    assert answer.closed == "fin"
    assert_plain_line(answer)


@pytest.mark.parametrize("method, expected", [("GET", 200), ("POST", 405)])
def test_unread_body_is_no_second_request(picam, method, expected):
    smuggled = raw.get("/set?ExposureTime=12345")
    request = raw.get("/status", f"Content-Length: {len(smuggled)}", method=method) + smuggled
    with bounded(picam):
        answer = raw.exchange(picam.port, request)
    assert answer.status == expected
    assert b"HTTP/1.1" not in answer.body, "a second response"
    assert len(answer.body) == int(answer.headers["content-length"])
    assert "12345" not in raw.exchange(picam.port, raw.get("/status")).body.decode()


def test_endless_body_is_not_stored(picam):
    with bounded(picam), raw.connect(picam.port) as sock:
        sock.sendall(raw.get("/jpg", "Content-Length: 1000000000", method="POST"))
        sent = send_until_refused(sock, b"x" * 65536)
    # Some of it may be read and thrown away, so that the answer is not lost by a reset.
    assert sent < 8 << 20, "picam went on taking the body"


def test_only_one_request_a_connection(picam):
    answer = raw.exchange(picam.port, raw.get("/status") * 3)
    assert answer.status == 200
    assert answer.headers["connection"] == "close"
    assert len(answer.body) == int(answer.headers["content-length"])
    assert answer.closed in ("fin", "reset")


def test_ten_thousand_pipelined_pictures_never_read(start_picam):
    picam = start_picam({"limits": {"write_seconds": 2.0}})  # full size, quality 100: the naive server's worst
    request = raw.get("/jpg") * 10_000
    with bounded(picam, 1024), raw.connect(picam.port, receive_buffer=4096) as sock:
        sock.settimeout(1.0)
        try:
            sock.sendall(request)
        except (ConnectionError, TimeoutError):
            pass  # picam does not take in what it will not answer
        # It is cut once it has not taken one picture within limits.write_seconds, not after all ten thousand.
        picam.wait_status(lambda status: status["connections"] <= 1)
    assert picam.refused("write_seconds") == 1


@pytest.mark.parametrize("target", ["/jpg", "/stream"])
def test_one_hundred_clients_that_never_read(start_picam, target):
    picam = start_picam({"limits": {"write_seconds": 2.0}})
    with bounded(picam, 100 * 32):
        socks = [raw.connect(picam.port, receive_buffer=4096) for _ in range(100)]
        for sock in socks:
            sock.sendall(raw.get(target))
        # Cut off one by one, when one picture has not been taken for limits.write_seconds.
        wait_refused(picam, "write_seconds", 100)
        picam.wait_status(lambda status: status["connections"] <= 1)
        for sock in socks:
            sock.close()


def wait_refused(picam, reason, count):
    """Waits until this many connections were refused for this reason, and asserts that no more were."""
    picam.wait_status(lambda _: picam.refused(reason) >= count)
    assert picam.refused(reason) == count


def test_head_sends_no_body(picam):
    answer = raw.exchange(picam.port, raw.get("/jpg", method="HEAD"))
    assert answer.status == 200
    assert answer.body == b""
    assert int(answer.headers["content-length"]) > 1000
    assert answer.closed == "fin"


@pytest.mark.parametrize("request_bytes", [
    raw.get("/jpg", version="1.0"),
    raw.get("/jpg", "Connection: keep-alive", version="1.0"),
    raw.get("/jpg", "Connection: close"),
    raw.get("/jpg", "Connection: keep-alive"),
    b"GET /jpg HTTP/1.0\r\n\r\n",
], ids=["1.0", "1.0 keep-alive", "close", "keep-alive", "1.0 without Host"])  # fmt: skip
def test_connection_is_closed_after_the_answer(picam, request_bytes):
    answer = raw.exchange(picam.port, request_bytes, PATIENCE)
    assert answer.status == 200
    assert answer.body[-2:] == b"\xff\xd9"
    assert answer.headers["connection"] == "close"
    assert answer.closed == "fin"


def test_panicking_handler_is_answered_500(picam):
    with bounded(picam):
        for _ in range(50):
            answer = raw.exchange(picam.port, raw.get("/debug/panic"))
            assert answer.status == 500
            assert_plain_line(answer)


def test_panic_disturbs_no_stream(picam):
    def panics_beside_a_stream():
        with raw.Stream(picam.port) as stream:
            first = stream.next()
            for _ in range(5):
                assert raw.exchange(picam.port, raw.get("/debug/panic"), PATIENCE).status == 500
            parts = [first, *stream.take(5)]
        return skipped([part.sequence for part in parts])

    holds_once(panics_beside_a_stream)


GARBAGE = {
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(range(256)),
    "zeros": b"\0" * 4096,
    "no version": b"GET /jpg\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "header without colon": b"GET /jpg HTTP/1.1\r\nnonsense\r\n\r\n",
    "space before colon": b"GET /jpg HTTP/1.1\r\nHost : x\r\n\r\n",
    "control character in target": b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    "not UTF-8": b"GET /\xff\xfe HTTP/1.1\r\nHost: \xff\r\n\r\n",
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_refused(picam, data):
    with bounded(picam), raw.connect(picam.port) as sock:
        sock.sendall(data)
        answer, closed = raw.read_to_end(sock, PATIENCE)
    assert closed != "open"
    assert raw.parse(answer).status in (400, 404, 408, 505)


def test_client_that_goes_away_within_a_picture(start_picam):
    picam = start_picam()
    with bounded(picam):
        for _ in range(100):
            with raw.connect(picam.port, receive_buffer=4096) as sock:
                sock.sendall(raw.get("/jpg"))
                sock.recv(100)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close by reset
        picam.wait_status(lambda status: status["connections"] <= 1)
