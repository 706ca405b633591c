"""Focus from the page: the window, the slider, the keys, the sweep."""

import json
import re

import pytest
from playwright.sync_api import expect


@pytest.fixture(autouse=True)
def as_at_the_start(picam):
    """Each test begins with autofocus, and with no window."""
    assert picam.get("/set?AfMode=continuous&AfMetering=auto")[0] == 200


def requested(picam):
    return picam.status()["controls"]["requested"]


def wait_requested(picam, **wanted):
    picam.wait_status(lambda status: all(status["controls"]["requested"].get(name) == value for name, value in wanted.items()))


def test_the_slider_sets_the_lens_and_says_how_far_that_is(page, picam):
    slider = page.locator("#slider")
    slider.focus()
    slider.press("Home")
    wait_requested(picam, LensPosition=0.0)
    expect(page.locator("#dioptres")).to_have_text("0.00 D ≈ ∞")
    for _ in range(2):
        slider.press("PageUp")
    slider.press("ArrowRight")
    wait_requested(picam, LensPosition=2.1, AfMode="manual")
    expect(page.locator("#dioptres")).to_have_text("2.10 D ≈ 48 cm")
    expect(slider).to_have_attribute("aria-valuetext", "2.10 dioptres, about 48 centimetres")
    row = next(row for row in json.loads(picam.get("/controls")[2]) if row["name"] == "LensPosition")
    assert row["requested"] == 2.1
    page.locator("#less").click()
    wait_requested(picam, LensPosition=2.0)
    expect(page.locator("#mode")).to_have_text("held")
    page.locator("#always").click()
    wait_requested(picam, AfMode="continuous", LensPosition=None)
    expect(page.locator("#always")).to_have_attribute("aria-pressed", "true")


def test_a_hand_that_drags_ends_where_it_lets_go(page, picam):
    """However many values it passes: one request at a time, and the last one wins."""
    box = page.locator("#slider").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 20, middle)
    page.mouse.down()
    for step in range(1, 41):
        page.mouse.move(box["x"] + 20 + step * (box["width"] - 40) / 40, middle)
    page.mouse.up()
    last = float(page.locator("#slider").input_value())
    assert last > 14
    wait_requested(picam, LensPosition=last)


def window(picam):
    return requested(picam).get("AfWindows")


def test_a_tap_moves_the_window(visit, picam, wait_said):
    page = visit(picam.port, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    box = page.locator("#picture").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.6)
    picam.wait_status(lambda status: "AfWindows" in status["controls"]["requested"])
    x, y, width, height = window(picam)
    assert (x + width / 2, y + height / 2) == (pytest.approx(0.7, abs=0.01), pytest.approx(0.6, abs=0.01))
    wait_said(page, "window from 60 to 80 % across")


def test_a_drag_draws_the_window_and_keys_move_it(page, picam):
    box = page.locator("#picture").bounding_box()

    def point(x, y):
        return box["x"] + box["width"] * x, box["y"] + box["height"] * y

    page.mouse.move(*point(0.2, 0.3))
    page.mouse.down()
    page.mouse.move(*point(0.4, 0.4))
    page.mouse.move(*point(0.6, 0.8))
    page.mouse.up()
    picam.wait_status(lambda status: "AfWindows" in status["controls"]["requested"])
    assert window(picam) == pytest.approx([0.2, 0.3, 0.4, 0.5], abs=0.01)
    page.locator("#picture").focus()
    page.keyboard.press("ArrowRight")
    picam.wait_status(lambda status: status["controls"]["requested"]["AfWindows"][0] == pytest.approx(0.22, abs=0.01))
    page.keyboard.press("-")
    picam.wait_status(lambda status: status["controls"]["requested"]["AfWindows"][2] < 0.39)


def test_windows_are_not_smaller_than_what_can_be_measured(page, picam):
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 115, box["y"] + 108)
    page.mouse.up()
    picam.wait_status(lambda status: "AfWindows" in status["controls"]["requested"])
    assert min(window(picam)[2:]) >= 0.125


def test_sharpness_is_measured_in_the_window_and_its_best_is_kept(page):
    meter = page.locator("#sharp")
    expect(page.locator("#meter")).to_be_visible()
    expect(meter).to_have_attribute("aria-valuetext", re.compile(r"^[\d.]+, best [\d.]+$"))
    expect(page.locator("#best")).to_have_text(re.compile(r"best [\d.]+"))
    page.locator("#tone").click()
    expect(page.locator("#tone")).to_have_attribute("aria-pressed", "true")
    page.locator("#tone").click()
    expect(page.locator("#tone")).to_have_attribute("aria-pressed", "false")


def test_a_sweep_draws_its_curve_and_holds_the_sharpest(page, picam, wait_said):
    page.locator("#sweep").click()
    expect(page.locator("#sweep")).to_have_text("Stop")
    expect(page.locator("#found")).to_contain_text("of")
    expect(page.locator("#curve polyline")).to_have_attribute("points", re.compile(r"\S+ \S+"))  # it grows
    expect(page.locator("#found")).to_have_text(re.compile(r"^sharpest at [\d.]+ D \(≈ .*\), verified \d+\s%$"))
    expect(page.locator("#curve .best")).to_have_count(1)
    wait_said(page, "sharpest at")
    assert requested(picam)["AfMode"] == "manual"
    held = requested(picam)["LensPosition"]
    page.locator("#choices button", has_text="Hold").click()
    expect(page.locator("#choices button")).to_have_count(0)
    assert requested(picam)["LensPosition"] == pytest.approx(held, abs=0.05)


def test_a_sweep_is_stopped_and_undone(page, picam):
    page.locator("#sweep").click()
    expect(page.locator("#curve polyline")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#found")).to_have_text("stopped; the lens goes back to where it was")
    wait_requested(picam, AfMode="continuous")


def test_focus_once_and_hold(page, picam):
    page.locator("#once").click()
    wait_requested(picam, AfMode="auto")
    expect(page.locator("#hold")).to_be_enabled()
    page.locator("#hold").click()
    wait_requested(picam, AfMode="manual")
    expect(page.locator("#hold")).to_have_attribute("aria-pressed", "true")


def test_letters_are_keys_until_they_are_switched_off(page, picam):
    loupe = page.locator("#loupe")
    expect(loupe).to_have_attribute("open", "")  # there is room
    page.keyboard.press("l")
    expect(loupe).not_to_have_attribute("open", "")
    page.locator("#ask").click()
    page.get_by_label("Letters are keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    expect(loupe).not_to_have_attribute("open", "")
    page.reload()
    expect(page.locator("#letters")).not_to_be_checked()


def test_the_loupe_shows_the_window_pixel_for_pixel(page):
    glass = page.locator("#glass")
    page.set_viewport_size({"width": 500, "height": 900})
    expect(glass).to_have_attribute("width", "476")  # as wide as there is room
    assert glass.bounding_box()["width"] == 476
    colours = "() => new Set(document.getElementById('glass').getContext('2d').getImageData(0, 0, 99, 99).data).size"
    assert page.evaluate(colours) > 1
