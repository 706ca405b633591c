"""The live picture: drawn from the stream, honest when it is not live, back by itself."""

import base64
import signal
import time

import cv2
import numpy
from PIL import Image
from playwright.sync_api import expect
from support import raw, stamp
from support.appliance import PATIENCE, Picam

STATE = "#state"
# The canvas as it is, whatever lies over it.
PIXELS = """() => document.getElementById('picture').toDataURL('image/png').split(',')[1]"""
HIDE = """(hidden) => {
    Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
}"""


def shown(page):
    """The stamp of the picture that is drawn; None for none."""
    bytes_ = numpy.frombuffer(base64.b64decode(page.evaluate(PIXELS)), numpy.uint8)
    picture = cv2.imdecode(bytes_, cv2.IMREAD_COLOR)
    return stamp.decode(cv2.resize(picture, (1280, 720)))  # the stamp was drawn into the whole picture


def wait_new_picture(page, after=None):
    """Waits for the drawn picture to be another one than `after`; its stamp."""
    deadline = time.monotonic() + PATIENCE
    while (found := shown(page)) is None or found == after:
        assert time.monotonic() < deadline, "the picture stands still"
    return found


def wait_state(page, state, words):
    expect(page.locator(STATE)).to_have_attribute("data-state", state)
    expect(page.locator("#words")).to_contain_text(words)


def test_the_picture_is_live(page, picam):
    first = wait_new_picture(page)
    second = wait_new_picture(page, first)
    assert second.sequence > first.sequence
    expect(page.locator("#words")).to_contain_text("Hz")
    # A busy machine draws late now and then: that it never catches up would be wrong.
    picam.wait_status(lambda _: picam.newest_frame() - shown(page).sequence < 8)


def test_a_tab_has_one_long_connection_and_a_hidden_one_none(page, picam):
    picam.wait_status(lambda status: status["streams"] == 1)
    page.evaluate(HIDE, True)
    picam.wait_status(lambda status: status["streams"] == 0)
    before = shown(page)
    page.evaluate(HIDE, False)
    picam.wait_status(lambda status: status["streams"] == 1)
    wait_new_picture(page, before)


def test_a_camera_that_stalls(start_picam, small_tables, visit):
    picam = start_picam(small_tables, env={"PICAM_TEST_FAULTS": "1"})
    page = visit(picam.port)
    assert picam.get("/debug/stall?seconds=4")[0] == 200
    wait_state(page, "dark", "no signal from the camera for")
    expect(page.locator("#over")).to_contain_text("picam is restarting it")
    expect(page.locator("#told")).to_have_text("no signal from the camera")
    wait_state(page, "live", "live")
    expect(page.locator("#over")).to_be_hidden()


def test_a_server_that_is_killed_and_returns(tmp_path, small_tables, visit):
    def start(port=0):
        return Picam(tmp_path, small_tables, listen=f"127.0.0.1:{port}").wait_ready()

    picam = start()
    page = visit(picam.port)
    before = wait_new_picture(page)
    picam.signal(signal.SIGKILL)
    picam.wait()
    wait_state(page, "off", "no connection, trying again in")
    expect(page.locator("#now")).to_be_visible()
    expect(page.locator("#told")).to_have_text("no connection to the camera")
    again = start(picam.port)
    wait_state(page, "live", "live")
    assert wait_new_picture(page, before).time > before.time
    again.stop()


def test_a_cable_that_is_pulled(visit, cable):
    """Nothing says that the connection has ended: the page notices the silence."""
    page = visit(cable.port)
    cable.pull()
    wait_state(page, "stale", "old")
    wait_state(page, "off", "no connection, trying again in")
    before = shown(page)
    cable.mend()
    wait_state(page, "live", "live")
    wait_new_picture(page, before)


def test_a_slow_network_gets_smaller_pictures_and_is_told_so(visit, cable):
    page = visit(cable.port)
    cable.rate = 40_000
    expect(page.locator("#slow")).to_contain_text("slow connection")
    expect(page.locator("#slow")).to_contain_text("480 wide")
    expect(page.locator("#slow")).to_contain_text("a second")
    slowest = page.locator("#slow").text_content()
    cable.rate = None
    expect(page.locator("#slow")).not_to_have_text(slowest)


def test_a_full_house_is_told_in_picams_words(start_picam, small_tables, visit):
    # Not another page: on a slow machine that lets go of its stream for a smaller one. Nobody reads this one.
    picam = start_picam({**small_tables, "limits": {"streams": 1, "write_seconds": 600}})
    with raw.Stream(picam.port, timeout=PATIENCE) as stream:
        stream.next()
        page = visit(picam.port, live=False)
        wait_state(page, "off", "all 1 streams are taken (limits.streams)")
    wait_state(page, "live", "live")


def test_a_still_is_taken_from_the_page(page):
    page.locator("#still > summary").click()
    expect(page.locator("#pause")).to_have_text(" The picture pauses for about a second.")
    with page.expect_download() as taken:
        page.get_by_text("Take a still").click()
    assert taken.value.suggested_filename.startswith("picam-")
    with Image.open(taken.value.path()) as still:
        assert (still.size, still.format) == ((4608, 2592), "JPEG")
    expect(page.locator("#words")).to_contain_text("live")


def test_there_is_no_still_to_take_where_they_are_off(visit, start_picam):
    page = visit(start_picam({"camera": {"width": 640, "height": 360, "still": "off"}}).port)
    page.locator("#still > summary").click()
    expect(page.locator("#download")).to_be_visible()
    expect(page.locator("#take")).to_be_hidden()
