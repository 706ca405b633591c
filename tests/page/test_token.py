"""A camera that wants a token: the page asks for it, not the browser."""

import pytest
from playwright.sync_api import expect
from support.appliance import PATIENCE

TOKEN = "of-some-length"


def enter(page, token):
    expect(page.locator("#who")).to_be_visible()
    page.get_by_label("server.token").fill(token)
    page.get_by_role("button", name="Use it").click()


@pytest.fixture
def guarded(start_picam, small_tables):
    return lambda **server: start_picam({**small_tables, "server": {"token": TOKEN, **server}})


def test_who_changes_something_is_asked_and_remembered(visit, guarded):
    picam = guarded()
    page = visit(picam.port)
    hold = page.get_by_role("button", name="Hold")
    expect(page.locator("#who")).to_be_hidden()
    hold.click()
    enter(page, "a wrong one")
    expect(page.locator("#who")).to_be_hidden()
    hold.click()
    expect(page.locator("#why")).to_have_text("That token is wrong.")
    enter(page, TOKEN)
    hold.click()
    expect(hold).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.locator("#words")).to_contain_text("live")
    page.get_by_role("button", name="Continuous").click()
    expect(page.get_by_role("button", name="Continuous")).to_have_attribute("aria-pressed", "true")
    page.locator("#still > summary").click()
    with page.expect_download() as taken:
        page.get_by_text("Take a still").click()
    assert taken.value.path().stat().st_size > 100_000


def test_who_does_not_want_to_is_asked_again_once_they_change_something(visit, guarded):
    page = visit(guarded().port)
    hold = page.get_by_role("button", name="Hold")
    hold.click()
    page.get_by_role("button", name="Not now").click()
    expect(page.locator("#who")).to_be_hidden()
    hold.click()
    expect(page.locator("#who")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#who")).to_be_hidden()


def test_pictures_that_are_nobody_elses_come_with_the_token(visit, guarded):
    page = visit(guarded(key="another-one").port, live=False)
    enter(page, TOKEN)
    expect(page.locator("#words")).to_contain_text("live", timeout=PATIENCE * 1000)
