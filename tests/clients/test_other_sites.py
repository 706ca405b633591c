"""Pages of other sites in a real browser, on a network where it says no more of a request than it must."""

import contextlib
import html
import itertools

import pytest
from support.site import site
from support.browsers import Chromium

# Names what has been answered; `parent` is the page itself, or the one that it is framed in.
SETTLED = """<script>
const settled = new Set();
addEventListener('message', (message) => settled.add(message.data));
</script>"""
ATTACK = """<!doctype html><meta name=referrer content=no-referrer>
<iframe name=frame></iframe>
<iframe src="PICAM/set?LensPosition=1"></iframe>
<form method=post target=frame action="PICAM/set?LensPosition=2"></form>
<script>
const tell = (name) => parent.postMessage(name, '*');
const image = new Image();
image.onload = image.onerror = () => tell('image');
image.src = 'PICAM/set?LensPosition=3';
fetch('PICAM/set?LensPosition=4', { mode: 'no-cors' }).finally(() => tell('fetch'));
fetch('PICAM/set?LensPosition=5', { mode: 'no-cors', method: 'POST' }).finally(() => tell('post'));
navigator.sendBeacon('PICAM/set?LensPosition=6');
document.querySelector('iframe[name=frame]').onload = () => tell('form');
document.forms[0].submit();
</script>"""


@contextlib.contextmanager
def another_site(page, _):
    """URL of a server with it."""
    with site(SETTLED + page) as url:
        yield url


@contextlib.contextmanager
def sandboxed_frame(page, _):
    """URL of a page that shows it in a frame, which has no origin."""
    with site(f"<!doctype html>{SETTLED}<iframe sandbox='allow-scripts allow-forms' srcdoc='{html.escape(page)}'></iframe>") as url:
        yield url


@contextlib.contextmanager
def local_file(page, folder):
    """URL of a file with it, which has no origin either."""
    file = folder / "attack.html"
    file.write_text(SETTLED + page)
    yield file.as_uri()


@pytest.fixture(scope="module")
def browser():
    with Chromium((1000, 900)) as browser:
        yield browser


def lens(picam):
    return picam.status()["controls"]["requested"].get("LensPosition")


@pytest.mark.parametrize("place", [another_site, sandboxed_frame, local_file])
def test_a_page_of_another_origin_sets_nothing(start_picam, small_tables, browser, tmp_path, place):
    picam = start_picam(small_tables)
    address = f"http://{Chromium.LOCAL}:{picam.port}"
    requests = picam.status()["counters"]["requests"]
    with place(ATTACK.replace("PICAM", address), tmp_path) as url:
        browser.open(url)
        browser.wait_script("return ['image', 'fetch', 'post', 'form'].every((name) => settled.has(name))")
        asked = itertools.count(1)  # each question is a request, too
        picam.wait_status(lambda status: status["counters"]["requests"] - next(asked) >= requests + 6)
    assert lens(picam) is None


def test_a_public_name_that_points_here_shows_nothing(start_picam, small_tables, browser):
    picam = start_picam(small_tables)
    browser.open(f"http://{Chromium.PUBLIC}:{picam.port}/jpg")
    line = browser.wait_script("return document.body && document.body.innerText")
    assert line.startswith("Host = ") and "server.names" in line


def test_a_typed_address_is_asked_about(start_picam, small_tables, browser):
    """And goes on by − and +."""
    picam = start_picam(small_tables)
    browser.open(f"http://{Chromium.LOCAL}:{picam.port}/set?LensPosition=2.5")
    browser.wait_script("return document.images[0] && document.images[0].naturalWidth")
    assert browser.script("return document.getElementById('what').textContent") == "LensPosition = 2.5"
    assert lens(picam) is None
    for button, position in (("set", 2.5), ("more", 2.6), ("less", 2.5), ("less", 2.4)):
        browser.script(f"document.getElementById('{button}').click()")
        browser.wait_script(f"return document.getElementById('result').textContent == 'Set: LensPosition = {position}'")
        assert lens(picam) == position
