"""nginx and Caddy in front of picam, with the settings of docs/http.md: a browser's many headers get through."""

import contextlib
import http.client
import re
import socket
import subprocess

import pytest

from support import raw
from support.appliance import ROOT

PROXIES = ROOT / ".venv" / "unpacked" / "usr"  # tests/setup.sh unpacks them there

# What Chromium sends to localhost, and some more: over may_minihttp's 16.
BROWSER_HEADERS = {f"Sec-Ch-Test-{number}": "x" for number in range(16)}

# What a browser sends for a page of another site.
FOREIGN = {"User-Agent": "Mozilla/5.0", "Referer": "http://evil.example/"}


def documented_settings(comment, picam, port):
    """The code block of docs/http.md that begins with `comment`, for this picam and this port."""
    text = (ROOT / "docs/http.md").read_text()
    block = re.search(rf"^    # {comment}\n((?:    (?!# ).*\n)+)", text, re.M).group(1)
    settings = block.replace("camera:8000", f"127.0.0.1:{picam.port}")
    return settings.replace("camera.example", f"http://127.0.0.1:{port}")


def nginx(folder, picam, port):
    settings = f"""
        daemon off; pid {folder}/pid; error_log stderr;
        events {{}}
        http {{
            access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
            uwsgi_temp_path {folder}; scgi_temp_path {folder};
            server {{ listen 127.0.0.1:{port}; {documented_settings("nginx", picam, port)} }}
        }}"""
    (folder / "nginx.conf").write_text(settings)
    return [str(PROXIES / "sbin/nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder, picam, port):
    (folder / "Caddyfile").write_text("{\n    admin off\n}\n" + documented_settings("Caddy", picam, port))
    return [str(PROXIES / "bin/caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def answers(port, process):
    """Waits until something listens on the port; a proxy says so in no way that both share."""
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError(f"the proxy ended: {process.stderr.read()}")


@contextlib.contextmanager
def request(port, path, headers=BROWSER_HEADERS):
    """The response to a GET with these headers."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("GET", path, headers=headers)
    yield client.getresponse()
    client.close()


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_many_headers_get_through(picam, tmp_path, proxy):
    with request(picam.port, "/jpg") as refusal:
        assert refusal.status == 431 and b"16 request headers" in refusal.read(), "without a proxy they are too many"
    port = raw.free_port()
    process = subprocess.Popen(
        proxy(tmp_path, picam, port), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/sbin:/usr/bin:/bin"},
    )
    try:
        answers(port, process)
        with request(port, "/jpg") as picture:
            assert picture.status == 200 and picture.read(2) == b"\xff\xd8"
        with request(port, "/set?LensPosition=1", FOREIGN) as refusal:
            assert refusal.status == 403 and b"Referer" in refusal.read(), "the page's origin gets through"
        with request(port, "/stream") as stream:
            assert stream.status == 200
            assert stream.read(200_000).count(b"--frame\r\n") > 1, "parts come through while the stream goes on"
    finally:
        process.terminate()
        process.communicate(timeout=10)
