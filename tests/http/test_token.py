"""server.token and server.key: who may change, and who may read."""

import json
import subprocess
import time

import cv2
import pytest
from support import raw
from support.appliance import PATIENCE

TOKEN, KEY = "a-long.token_~1", "a-long-key"
READING = ["/jpg", "/controls", "/status", "/metrics", "/focus"]
CHANGING = ["/set?LensPosition=3", "/focus/hold", "/still"]


@pytest.fixture(scope="module")
def guarded(start_module_picam, small_tables):
    """Both are set."""
    return start_module_picam({**small_tables, "server": {"token": TOKEN, "key": KEY}})


def ask(picam, path, *headers):
    method = "POST" if path.startswith("/focus/") else "GET"
    return raw.exchange(picam.port, raw.get(path, *headers, method=method), PATIENCE)


def test_reading_needs_key_or_token(guarded):
    bearer = f"Authorization: Bearer {TOKEN}"
    for path in READING:
        refused = ask(guarded, path)
        assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Basic realm="picam", charset="UTF-8"')
        assert refused.body.startswith(b"no token: expected server.token") and refused.body.count(b"\n") == 1
        assert ask(guarded, path, bearer).status == 200
        assert ask(guarded, f"{path}?key={KEY}").status == 200
    with raw.Stream(guarded.port, f"/stream?key={KEY}", timeout=PATIENCE) as stream:
        stream.take(2)
    assert ask(guarded, "/healthz").status == 200


def test_changing_needs_the_token(guarded):
    for path in CHANGING:
        assert ask(guarded, path).status == 401
        assert ask(guarded, path, f"Authorization: Bearer {KEY}").status == 401
        keyed = f"{path}{'&' if '?' in path else '?'}key={KEY}"
        assert ask(guarded, keyed).status == 401
        assert ask(guarded, path, f"Authorization: Bearer {TOKEN}").status == 200


def test_a_wrong_token_waits_and_a_right_one_beside_it_does_not(guarded):
    wrong = raw.connect(guarded.port, timeout=PATIENCE)
    wrong.sendall(raw.get("/jpg", "Authorization: Bearer not-the-token"))
    began = time.monotonic()
    assert ask(guarded, "/status", f"Authorization: Bearer {TOKEN}").status == 200
    with wrong:
        assert raw.parse(*raw.read_to_end(wrong, PATIENCE)).status == 401
    assert time.monotonic() - began > 0.8, "it was answered at once"


def test_programs_send_it_as_the_password_of_basic(guarded):
    url = f"http://127.0.0.1:{guarded.port}"
    set_lens = ["curl", "-sS", "-u", f"technician:{TOKEN}", f"{url}/set?LensPosition=4.5"]
    assert subprocess.run(set_lens, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout == "ok\n"
    status = json.loads(ask(guarded, f"/status?key={KEY}").body)
    assert status["controls"]["requested"]["LensPosition"] == 4.5
    reader = cv2.VideoCapture(f"http://technician:{TOKEN}@127.0.0.1:{guarded.port}/stream", cv2.CAP_FFMPEG)
    try:
        good, picture = reader.read()
    finally:
        reader.release()
    assert good and picture.shape == (360, 640, 3)
    stream = f"http://technician:{TOKEN}@127.0.0.1:{guarded.port}/stream"
    ffmpeg = ["ffmpeg", "-loglevel", "error", "-nostdin", "-f", "mpjpeg", "-i", stream, "-frames:v", "2", "-f", "null", "-"]
    assert subprocess.run(ffmpeg, capture_output=True, text=True, timeout=PATIENCE).returncode == 0


def test_neither_is_logged(guarded):
    ask(guarded, f"/set?key={KEY}&LensPosition=x", f"Authorization: Bearer {TOKEN}")
    assert TOKEN not in guarded.log() and KEY not in guarded.log()


def test_the_token_alone_leaves_pictures_to_everybody(start_picam, small_tables):
    picam = start_picam({**small_tables, "server": {"token": TOKEN}})
    assert ask(picam, "/jpg").status == 200 and ask(picam, "/set?LensPosition=1").status == 401
