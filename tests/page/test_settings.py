"""Settings from the page: a place for each control, refusals in picam's words, what is saved and what is not."""

import json
import signal

import pytest
from playwright.sync_api import expect
from support.appliance import Picam

GROUPS = ["exposure", "colour", "image", "autofocus"]


def controls(picam):
    return {row["name"]: row for row in json.loads(picam.get("/controls")[2])}


def wait_requested(picam, **wanted):
    picam.wait_status(lambda status: all(status["controls"]["requested"].get(name) == value for name, value in wanted.items()))


@pytest.fixture
def opened(page):
    """The page with all groups of controls open."""
    for group in GROUPS:
        page.locator(f"#{group} > summary").click()
    return page


def test_every_control_has_a_place_and_its_help(opened, picam):
    for name, row in controls(picam).items():
        box = opened.locator(".control", has=opened.locator(f"#set-{name}-help"))
        expect(box).to_be_visible()
        expect(box).to_contain_text(row["help"])
        expect(box).to_contain_text(name)


def test_each_kind_of_control_is_set(opened, picam):
    opened.locator("#set-AfRange").select_option("macro")
    wait_requested(picam, AfRange="macro")
    opened.locator("#set-AeEnable").uncheck()
    wait_requested(picam, AeEnable=False)
    exposure = opened.locator(".control", has=opened.locator("#set-ExposureTime"))
    expect(opened.locator("#set-ExposureTime")).not_to_have_value("")  # what the camera does
    exposure.get_by_label("auto").uncheck()
    picam.wait_status(lambda status: "ExposureTime" in status["controls"]["requested"])
    opened.locator("#set-ExposureTime").fill("15000")
    opened.locator("#set-ExposureTime").press("Enter")
    wait_requested(picam, ExposureTime=15000)
    opened.get_by_label("more: Exposure time").click()
    wait_requested(picam, ExposureTime=19000)  # a third of a stop
    opened.get_by_label("Red and blue: red").fill("1.5")
    expect(opened.locator("#image > summary")).to_contain_text("as it comes")
    opened.get_by_label("more: Sharpness").click()  # a new list of controls comes, in which there is no red yet
    expect(opened.locator("#image > summary")).to_contain_text("1 set")
    opened.get_by_label("Red and blue: blue").fill("2")
    opened.get_by_label("Red and blue: blue").press("Enter")
    wait_requested(picam, ColourGains=[1.5, 2.0], AwbEnable=False)
    expect(opened.locator("#colour > summary")).to_contain_text("fixed")
    expect(opened.locator("#set-AwbMode-why")).to_have_text("no effect now: the white balance is fixed")
    exposure.get_by_label("auto").check()
    wait_requested(picam, ExposureTime=None)


def test_a_refusal_is_shown_in_picams_words_until_it_is_dismissed(opened, picam):
    opened.locator("#set-Brightness").fill("7")
    opened.locator("#set-Brightness").press("Enter")
    error = opened.get_by_role("alert")
    expect(error).to_contain_text('Brightness = "7": expected a number from -1 to 1')
    opened.get_by_label("dismiss").click()
    expect(error).to_be_hidden()
    assert controls(picam)["Brightness"]["requested"] is None


def test_what_is_set_elsewhere_is_shown(opened, picam):
    assert picam.get("/set?Contrast=1.25")[0] == 200
    expect(opened.locator("#set-Contrast")).to_have_value("1.25")


@pytest.fixture
def start(tmp_path, small_tables):
    """start(): a picam that keeps what is saved."""
    running = []

    def start():
        tables = {**small_tables, "state": {"directory": str(tmp_path / "state")}}
        running.append(Picam(tmp_path, tables, listen="127.0.0.1:0").wait_ready())
        return running[-1]

    yield start
    for picam in running:
        if picam.process.poll() is None:
            picam.stop()


def test_what_is_saved_outlives_a_power_cut_and_what_is_not_is_undone(start, visit):
    picam = start()
    page = visit(picam.port)
    page.locator("#slider").focus()
    page.keyboard.press("Home")
    page.keyboard.press("PageUp")
    bar = page.locator("#saving")
    expect(bar).to_contain_text("not saved")
    page.locator("#save").click()
    expect(page.locator("#unsaved")).to_contain_text("saved ")
    picam.signal(signal.SIGKILL)
    picam.wait()

    again = start()
    assert controls(again)["LensPosition"]["requested"] == 1.0
    page = visit(again.port)
    expect(page.locator("#dioptres")).to_contain_text("1.00 D")
    page.locator("#more").click()
    wait_requested(again, LensPosition=1.1)
    page.locator("#autofocus > summary").click()
    lens = page.locator(".control", has=page.locator("#set-LensPosition"))
    expect(lens.locator(".saved")).to_have_text("saved: 1.00 D ≈ 1.0 m")
    page.locator("#undo").click()
    wait_requested(again, LensPosition=1.0)
    expect(page.locator("#unsaved")).to_have_text("as it was saved")


def test_what_is_saved_is_forgotten_only_when_asked_twice(start, visit):
    picam = start()
    assert picam.get("/set?Contrast=2&save=1")[0] == 200
    page = visit(picam.port)
    page.locator("#camera > summary").click()
    page.locator("#reset").click()
    assert controls(picam)["Contrast"]["saved"] == 2.0
    page.locator("#reset").click()
    wait_requested(picam, Contrast=None)


def test_ctrl_s_saves(start, visit):
    picam = start()
    page = visit(picam.port)
    page.locator("#more").click()
    expect(page.locator("#saving")).to_contain_text("not saved")
    page.keyboard.press("Control+s")
    expect(page.locator("#unsaved")).to_contain_text("saved ")


def test_how_others_connect_with_this_cameras_address(page, picam, wait_said):
    page.locator("#connect > summary").click()
    connect = page.locator("#connect")
    for program in ("Home Assistant", "OctoPrint", "Moonraker", "ROS 2", "ffmpeg"):
        expect(connect).to_contain_text(program)
    expect(connect).to_contain_text(f"http://camera.local:{picam.port}/stream")
    page.evaluate("document.addEventListener('copy', () => { window.copied = document.activeElement.value; })")
    page.get_by_label("copy for curl").click()
    wait_said(page, "Copied")
    assert page.evaluate("window.copied") == f"curl -o now.jpg 'http://camera.local:{picam.port}/jpg?fresh=1'"
