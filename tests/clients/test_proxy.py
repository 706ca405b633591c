"""nginx and Caddy in front of picam, with the settings of docs/http.md and docs/https.md: a browser's many headers get
through, and so does TLS."""

import contextlib
import http.client
import re
import socket
import ssl
import subprocess

import pytest

from support import raw
from support.appliance import ROOT
from support.unpacked import UNPACKED

# Of docs/https.md.
NAME = "camera.example.org"
# What Chromium sends to localhost, and some more: over may_minihttp's 16.
BROWSER_HEADERS = {f"Sec-Ch-Test-{number}": "x" for number in range(16)}

# What a browser sends for a page of another site.
FOREIGN = {"User-Agent": "Mozilla/5.0", "Referer": "http://evil.example/"}


def documented_settings(comment, picam, port, page="http"):
    """The code block of a page in docs/ that begins with `comment`, for this picam and this port."""
    text = (ROOT / f"docs/{page}.md").read_text()
    block = re.search(rf"^    # {comment}\n((?:    (?!# ).*\n)+)", text, re.M).group(1)
    settings = block.replace("camera:8000", f"127.0.0.1:{picam.port}")
    if page == "http":
        return settings.replace("camera.example", f"http://127.0.0.1:{port}")
    return settings.replace("camera.example.org {", f"{NAME}:{port} {{\n        tls internal")


def run_nginx(folder, servers):
    settings = f"""
        daemon off; pid {folder}/pid; error_log stderr;
        events {{}}
        http {{
            access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
            uwsgi_temp_path {folder}; scgi_temp_path {folder};
            {servers}
        }}"""
    (folder / "nginx.conf").write_text(settings)
    return [str(UNPACKED / "sbin/nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]


def nginx(folder, picam, port):
    return run_nginx(folder, f"server {{ listen 127.0.0.1:{port}; {documented_settings('nginx', picam, port)} }}")


def nginx_tls(folder, picam, port):
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={NAME}"]
    subprocess.run([*made, "-keyout", folder / "camera.key", "-out", folder / "camera.pem"], check=True, capture_output=True)
    servers = documented_settings("nginx, with TLS", picam, port, "https")
    return run_nginx(folder, servers.replace("/etc/ssl", str(folder)).replace("listen 443", f"listen 127.0.0.1:{port}"))


def caddy(folder, picam, port):
    return run_caddy(folder, documented_settings("Caddy", picam, port))


def caddy_tls(folder, picam, port):
    return run_caddy(folder, documented_settings("Caddy, with TLS", picam, port, "https"))


def run_caddy(folder, sites):
    options = "admin off\n    auto_https disable_redirects\n    skip_install_trust\n    storage file_system " + str(folder)
    (folder / "Caddyfile").write_text(f"{{\n    {options}\n}}\n{sites}")
    return [str(UNPACKED / "bin/caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def answers(port, process):
    """Waits until something listens on the port; a proxy says so in no way that both share."""
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError(f"the proxy ended: {process.stderr.read()}")


@contextlib.contextmanager
def running(command, folder, port):
    """The proxy, from when it listens."""
    environment = {"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/bin"}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        answers(port, process)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=10)


def shake_hands(sock):
    """With the name that the certificate is for; who has signed it is not looked at."""
    return ssl._create_unverified_context().wrap_socket(sock, server_hostname=NAME)


def has_certificate(port):
    """Caddy listens before it has made its own."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        try:
            shake_hands(sock).close()
        except ssl.SSLError:
            return False
    return True


@contextlib.contextmanager
def request(port, path, headers=BROWSER_HEADERS, method="GET", tls=False):
    """The response to a request with these headers."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    if tls:
        client.connect()
        client.sock = shake_hands(client.sock)
        headers = {"Host": NAME, **headers}
    client.request(method, path, headers=headers)
    yield client.getresponse()
    client.close()


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_many_headers_get_through(picam, tmp_path, proxy):
    with request(picam.port, "/jpg") as picture:
        assert picture.status == 200, "not too many without a proxy either"
    port = raw.free_port()
    with running(proxy(tmp_path, picam, port), tmp_path, port):
        with request(port, "/jpg") as picture:
            assert picture.status == 200 and picture.read(2) == b"\xff\xd8"
        with request(port, "/set?LensPosition=1", FOREIGN) as refusal:
            assert refusal.status == 403 and b"Referer" in refusal.read(), "the page's origin gets through"
        with request(port, "/stream") as stream:
            assert stream.status == 200
            assert stream.read(200_000).count(b"--frame\r\n") > 1, "parts come through while the stream goes on"


@pytest.mark.parametrize("proxy", [nginx_tls, caddy_tls])
def test_tls_in_front(start_picam, small_tables, tmp_path, proxy):
    secrets = {"names": [NAME], "token": "technician-1", "key": "reader-12"}
    picam = start_picam({**small_tables, "server": secrets})
    port = raw.free_port()
    browser = {**BROWSER_HEADERS, "User-Agent": "Mozilla/5.0", "Sec-Fetch-Site": "same-origin", "Origin": f"https://{NAME}"}
    token = {"Authorization": "Bearer technician-1"}
    with running(proxy(tmp_path, picam, port), tmp_path, port):
        while not has_certificate(port):
            pass
        with request(port, "/", browser, tls=True) as page:
            assert page.status == 200 and b"<html" in page.read()
        with request(port, "/jpg?key=reader-12", browser, tls=True) as picture:
            assert picture.status == 200 and picture.read(2) == b"\xff\xd8"
        with request(port, "/set?LensPosition=1", browser, "POST", tls=True) as refusal:
            assert refusal.status == 401
        with request(port, "/set?LensPosition=1", {**browser, **token}, "POST", tls=True) as done:
            assert (done.status, done.read()) == (200, b"ok\n")
        foreign = {**FOREIGN, **token, "Sec-Fetch-Site": "cross-site"}
        with request(port, "/set?LensPosition=2", foreign, "POST", tls=True) as refusal:
            assert refusal.status == 403
        with request(port, "/stream", {**browser, **token}, tls=True) as stream:
            assert stream.read(200_000).count(b"--frame\r\n") > 1
