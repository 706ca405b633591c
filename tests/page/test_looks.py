"""How the page looks and reads: on a phone, at a desk, enlarged, by keyboard, to a screen reader; and how it is served."""

import gzip
import os
import time
from pathlib import Path

import cv2
import numpy
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from support import raw, stamp
from support.appliance import PATIENCE

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
# A window of a desk's screen, enlarged to 200 %.
ENLARGED = {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2}
LYING = {"viewport": {"width": 844, "height": 390}, "has_touch": True, "is_mobile": True}
SMALL = {"viewport": {"width": 320, "height": 568}}
SIZES = {"phone": PHONE, "lying phone": LYING, "desktop": DESKTOP, "enlarged": ENLARGED, "small": SMALL}


# Where the screenshots are kept, for people; README's is one of them.
KEPT = os.environ.get("PICAM_SCREENSHOTS")


def screenshot(page):
    """What is seen, BGR, one pixel a CSS pixel."""
    return cv2.imdecode(numpy.frombuffer(page.screenshot(scale="css"), numpy.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_the_picture_is_seen_as_picam_sent_it(visit, picam, size):
    """On the screen itself, and nothing lies over its corner with the stamp."""
    page = visit(picam.port, **SIZES[size])
    box = {key: round(value) for key, value in page.locator("#picture").bounding_box().items()}
    deadline = time.monotonic() + PATIENCE
    while True:
        picture = screenshot(page)[box["y"] :, box["x"] :][: box["height"], : box["width"]]
        # Bars of the stamp's size are what `stamp` expects: it was drawn into the whole picture.
        if found := stamp.decode(cv2.resize(picture, (1280, 720), interpolation=cv2.INTER_CUBIC)):
            break
        assert time.monotonic() < deadline, "no picture is seen"
    assert abs(found.time - time.time()) < PATIENCE
    if KEPT:
        page.screenshot(path=Path(KEPT) / f"{size}.png")


def open_all(page):
    page.evaluate("document.querySelectorAll('main details').forEach((part) => { part.open = true; })")


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_nothing_is_cut_off_at_the_side(visit, picam, size):
    page = visit(picam.port, **size)
    open_all(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    over = """() => [...document.querySelectorAll('main *')].filter((part) => {
        const { right, width } = part.getBoundingClientRect();
        return width > 1 && right > innerWidth + 1;
    }).map((part) => part.outerHTML.slice(0, 80))"""
    assert page.evaluate(over) == []


@pytest.mark.parametrize("size, light", [("phone", "dark"), ("phone", "light"), ("phone", "sun"), ("desktop", "dark")])
def test_axe_finds_nothing_serious(visit, picam, size, light):
    page = visit(picam.port, **SIZES[size], reduced_motion="reduce", color_scheme="light" if light == "light" else "dark")
    if light == "sun":
        page.locator("#sun").click()
    open_all(page)
    found = Axe().run(page).response["violations"]
    bad = [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found if rule["impact"] in ("serious", "critical")]
    assert not bad
    page.locator("#ask").click()
    found = Axe().run(page).response["violations"]
    assert not [rule["id"] for rule in found if rule["impact"] in ("serious", "critical")]


def test_buttons_are_large_enough_for_fingers(visit, picam):
    page = visit(picam.port, **PHONE)
    open_all(page)
    small = """() => [...document.querySelectorAll('button, select, summary, input[type=text], a')].filter((part) => {
        const { width, height } = part.getBoundingClientRect();
        return width && (width < 40 || height < 40);
    }).map((part) => part.outerHTML)"""
    assert page.evaluate(small) == []


def test_the_picture_stays_in_sight_on_a_phone(visit, picam):
    page = visit(picam.port, **PHONE)
    open_all(page)
    page.locator("#connect").scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert page.locator("#picture").bounding_box()["y"] < 60


FIRST = ["sun", "ask", "picture", "best", "tone", "once", "always", "sweep", "hold", "less", "slider", "more"]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_tab_key_goes_through_the_page_as_one_reads_it(visit, picam, size):
    page = visit(picam.port, **size)
    expect(page.locator("#meter")).to_be_visible()
    seen = []
    for _ in range(len(FIRST) + 9):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.parentElement?.id || ''"))
    names = [name for name in seen if name in FIRST]
    assert names == FIRST, seen
    rest = ["loupe", "exposure", "colour", "image", "autofocus", "still", "camera", "connect"]
    order = [name for name in seen if name in rest]
    assert set(order) == set(rest), seen
    assert order[order.index("exposure") :][:7] == rest[1:]


def test_the_page_is_served_compressed_and_kept(picam):
    plain = raw.exchange(picam.port, raw.get("/"))
    packed = raw.exchange(picam.port, raw.get("/", "Accept-Encoding: gzip, deflate"))
    assert plain.status == packed.status == 200
    assert plain.headers["content-type"] == "text/html; charset=utf-8"
    assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert plain.headers["vary"] == "Accept-Encoding" and plain.headers["cache-control"] == "no-cache"
    assert plain.headers["referrer-policy"] == "same-origin"
    tag = plain.headers["etag"]
    assert packed.headers["etag"] == tag
    kept = raw.exchange(picam.port, raw.get("/", f"If-None-Match: {tag}"))
    assert (kept.status, kept.body) == (304, b"") and kept.headers["etag"] == tag
    assert raw.exchange(picam.port, raw.get("/", 'If-None-Match: W/"other"')).status == 200


def test_nothing_of_the_page_comes_from_elsewhere(picam, start_picam, small_tables):
    answer = raw.exchange(picam.port, raw.get("/"))
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy
    assert policy.endswith("frame-ancestors 'self'")
    assert b" src=" not in answer.body.partition(b"<script>")[0]
    for origin, ends in (("http://dashboard.local", "'self' http://dashboard.local"), ("*", "'self'")):
        other = start_picam({**small_tables, "server": {"allow_origin": origin}})
        policy = raw.exchange(other.port, raw.get("/")).headers["content-security-policy"]
        assert policy.endswith(f"frame-ancestors {ends}")
