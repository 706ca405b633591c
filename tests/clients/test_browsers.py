"""Browsers without a screen showing `<img src=/stream>`: what is on their screens, pixel by pixel, and how new it is."""

import statistics
import time

import cv2
import numpy
import pytest
from support import photos, stamp
from support.appliance import PATIENCE
from support.likeness import nearest_photograph
from support.site import site
from support.browsers import Chromium, Firefox, WebKit

WIDTH, HEIGHT = photos.SIZE
MARGIN = 200  # the browser window is a bit larger than the picture
# Different pictures that a browser's screen must show: it moves.
PICTURES = 4
SMALL = {"camera": {"width": 640, "height": 360}, "jpeg": {"quality": 80}}
SMALL_SIZE = 640, 360


@pytest.fixture(scope="module", params=[Chromium, Firefox, WebKit], ids=lambda browser: browser.__name__)
def browser(request):
    with request.param((WIDTH + MARGIN, HEIGHT + MARGIN)) as browser:
        yield browser


@pytest.fixture
def small_browser(browser):
    """The same browser with a window for `SMALL_SIZE`, of which a screenshot takes less time."""
    browser.resize(SMALL_SIZE[0] + MARGIN, SMALL_SIZE[1] + MARGIN)
    yield browser
    browser.resize(WIDTH + MARGIN, HEIGHT + MARGIN)


@pytest.fixture
def show(tmp_path, browser):
    """show(url) opens a page with nothing but that picture, waits until there is one, and returns its size; the page is
    closed after the test, and the stream with it."""

    def show(url):
        page = tmp_path / "page.html"
        page.write_text(f"<!doctype html><style>*{{margin:0}}</style><img src='{url}'>")
        browser.open(page.as_uri())
        return browser.wait_script("let i = document.images[0]; return i && i.naturalWidth && [i.width, i.height]")

    yield show
    browser.open("about:blank")


def shown_stamp(browser, size):
    """The stamp of the picture in the window's corner; None as long as there is no picture."""
    picture = browser.screenshot()
    assert picture.shape[0] >= size[1] and picture.shape[1] >= size[0], "the window is too small"
    return stamp.decode(picture[: size[1], : size[0]])


def wait_stamp(browser, size):
    """The stamp of the first picture that is painted."""
    deadline = time.monotonic() + PATIENCE
    while not (found := shown_stamp(browser, size)):
        assert time.monotonic() < deadline, "no picture is shown"
    return found


def test_browser_shows_the_live_stream(photo_picam, browser, show):
    assert show(photo_picam.url + "/stream") == [WIDTH, HEIGHT]
    sequences, deadline = [], time.monotonic() + PATIENCE
    while len(set(sequences)) < PICTURES:
        assert time.monotonic() < deadline, f"the picture hardly moves: {sequences}"
        picture = browser.screenshot()[:HEIGHT, :WIDTH]
        found = stamp.decode(picture)
        if found:  # none before the first picture is painted
            sequences.append(found.sequence)
            assert nearest_photograph(picture) < 1.0
    assert sequences == sorted(sequences)


def test_first_picture_does_not_wait_for_the_second(start_picam, small_browser, show):
    picam = start_picam(SMALL)
    show(picam.url + "/stream?fps=0.02")  # the second one comes after 50 s
    wait_stamp(small_browser, SMALL_SIZE)
    assert picam.status()["counters"]["frames_sent"] == 1


def test_picture_shown_is_the_newest_that_was_sent(start_picam, small_browser, show, figures):
    """One frame a second out of eight: what is shown must not be one of those frames behind."""
    picam = start_picam(SMALL)
    start = time.time()
    show(picam.url + "/stream?fps=1")
    wait_stamp(small_browser, SMALL_SIZE)
    first = time.time() - start
    behind, ages, deadline = {}, {}, time.monotonic() + PATIENCE
    while len(behind) < 6:
        assert time.monotonic() < deadline, f"the picture does not move: {behind}"
        found, now = shown_stamp(small_browser, SMALL_SIZE), time.time()
        # Each frame's best screenshot counts: the others come late, or only just before the next frame.
        newest = picam.status()["frame"]["sequence"]
        behind[found.sequence] = min(newest - found.sequence, behind.get(found.sequence, newest))
        ages.setdefault(found.sequence, now - found.time)
    sequences = sorted(behind)[1:-1]  # the first may have been there for long, the last is not seen to its end
    step = statistics.median(numpy.diff(sequences))
    figures.add(type(small_browser).__name__, 1, first, statistics.median(ages[sequence] for sequence in sequences))
    assert statistics.median(behind[sequence] for sequence in sequences) < step, f"one frame late: {behind}"


def test_the_page_is_live(start_picam, browser):
    picam = start_picam(SMALL)
    browser.open(picam.url + "/")
    live = "return document.getElementById('words')?.textContent.startsWith('live')"
    browser.wait_script(f"{live} && !document.getElementById('meter').hidden", PATIENCE)
    assert picam.status()["streams"] == 1
    assert browser.script("return document.getElementById('error').hidden")


def test_seven_tabs_are_each_live_when_they_are_looked_at(start_picam):
    """One more than the connections that a browser opens to one server."""
    picam = start_picam(SMALL)
    with Chromium((1000, 900)) as browser:
        browser.open(picam.url + "/")
        for _ in range(6):
            browser.driver.switch_to.new_window("tab")
            browser.open(picam.url + "/")
        for tab in browser.driver.window_handles:
            browser.driver.switch_to.window(tab)
            browser.wait_script("return document.getElementById('words')?.textContent.startsWith('live')", PATIENCE)
            picam.wait_status(lambda status: status["streams"] == 1)


# Draws picam's picture twice, as an image and as fetched bytes, and tells the sizes and a pixel of each.
OTHER_PAGE = """<!doctype html><script>
window.seen = {};
function pixel(image) {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.width, image.height];
    const drawing = canvas.getContext('2d');
    drawing.drawImage(image, 0, 0);
    return [image.width, image.height, ...drawing.getImageData(image.width / 2, image.height - 8, 1, 1).data];
}
async function tell(name, work) {
    try { seen[name] = await work(); } catch (error) { seen[name] = String(error); }
}
tell('image', async () => {
    const image = new Image();
    image.crossOrigin = 'anonymous';
    image.src = 'PICAM/jpg';
    await image.decode();
    return pixel(image);
});
tell('fetched', async () => pixel(await createImageBitmap(await (await fetch('PICAM/jpg')).blob())));
tell('asked first', async () => (await fetch('PICAM/status', { headers: { 'X-Own': '1' } })).status);
</script>"""


def other_page(browser, picam):
    """What a page of another origin gets of this picam."""
    with site(OTHER_PAGE.replace("PICAM", picam.url)) as url:
        browser.open(url)
        return browser.wait_script("return window.seen && Object.keys(seen).length == 3 && seen")


def test_page_of_another_origin_reads_the_picture_where_that_is_allowed(start_picam, photo_tables, browser):
    tables = photo_tables(500)
    allowed = start_picam({**tables, "server": {"allow_origin": "*"}})
    seen = other_page(browser, allowed)
    picture = cv2.imdecode(numpy.frombuffer(allowed.get("/jpg")[2], numpy.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[:2] == (HEIGHT, WIDTH)
    for way in ("image", "fetched"):
        assert seen[way][:2] == [WIDTH, HEIGHT], seen
        assert sum(seen[way][2:5]) > 0, "a black picture"
    assert seen["asked first"] == 200, "a request that the browser asks for with OPTIONS first"


def test_page_of_another_origin_reads_nothing_by_default(start_picam, photo_tables, browser):
    seen = other_page(browser, start_picam(photo_tables(500)))
    assert all(isinstance(outcome, str) for outcome in seen.values()), seen
