"""Who may read and who may set: what a browser says of the page that asks. The rules' table is in src/http/origin.rs."""

import json

import pytest
from support import raw

BROWSER = "User-Agent: Mozilla/5.0 (X11; Linux x86_64)"
FOREIGN = "Origin: http://evil.example"


@pytest.fixture
def ask(start_picam, small_tables):
    """ask(method, path, *headers, **keys of [server]): the answer of a picam with these keys."""
    running = {}

    def ask(method, path, *headers, **server):
        key = str(server)
        if key not in running:
            running[key] = start_picam({**small_tables, "server": server})
        return raw.exchange(running[key].port, raw.get(path, *headers, method=method))

    return ask


def lens(ask, **server):
    return json.loads(ask("GET", "/status", **server).body)["controls"]["requested"].get("LensPosition")


def test_a_program_sets_by_get_and_by_post(ask):
    for method, value in (("GET", 1), ("POST", 2)):
        assert ask(method, f"/set?LensPosition={value}", "User-Agent: curl/8.14").body == b"ok\n"
        assert lens(ask) == value


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_of_another_origin_sets_nothing(ask, method):
    answer = ask(method, "/set?LensPosition=3", BROWSER, FOREIGN)
    assert answer.status == 403
    assert answer.body == b'Origin = "http://evil.example": expected a page of this camera, or of server.allow_origin\n'
    assert lens(ask) is None
    allowed = {"allow_origin": "http://evil.example"}
    assert ask(method, "/set?LensPosition=3", BROWSER, FOREIGN, **allowed).status == 200
    assert lens(ask, **allowed) == 3
    assert ask(method, "/set?LensPosition=3", BROWSER, FOREIGN, allow_origin="*").status == 403


def test_who_may_be_a_page_of_anybody_is_asked(ask):
    answer = ask("GET", "/set?LensPosition=3", BROWSER)
    assert (answer.status, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert lens(ask) is None
    assert ask("GET", "/set?LensPosition=3", BROWSER, direct_set=True).body == b"ok\n"
    assert lens(ask, direct_set=True) == 3


def test_head_sets_nothing_and_is_not_asked(ask):
    assert ask("HEAD", "/set?LensPosition=3", BROWSER).status == 200
    assert lens(ask) is None


def test_post_takes_no_body(ask):
    for header in ("Content-Length: 5", "Transfer-Encoding: chunked"):
        answer = ask("POST", "/set?LensPosition=3", header)
        assert (answer.status, answer.body) == (413, b"expected no body: what is to be set stands in the query\n")
    assert lens(ask) is None
    assert ask("POST", "/set?LensPosition=3", "Content-Length: 0").status == 200


@pytest.mark.parametrize("path", ["/jpg", "/stream", "/status", "/healthz", "/nothing"])
def test_a_browser_reads_nothing_by_a_public_name(start_picam, small_tables, path):
    """Else whoever owns the name lets it point here, and reads the pictures from his page."""
    picam = start_picam({**small_tables, "server": {"names": ["camera.example.org"]}})

    def get(host, *headers):
        head = "\r\n".join([f"HEAD {path} HTTP/1.1", f"Host: {host}", *headers])
        return raw.exchange(picam.port, f"{head}\r\n\r\n".encode()).status

    refused = raw.exchange(picam.port, f"GET {path} HTTP/1.1\r\nHost: evil.example\r\n{BROWSER}\r\n\r\n".encode())
    assert refused.status == 403
    line = b'Host = "evil.example": expected an address, a local name, or one of server.names\n'
    assert refused.body == line
    for host in ("camera.example.org:80", "192.168.1.7:8000", "[::1]:8000", "picam.local"):
        assert get(host, BROWSER) != 403
    assert get("evil.example") != 403, "a program does what its user wants"
