"""The page at /, in Debian's Chromium driven by Playwright, against a picam with the pattern."""

import contextlib
import os
import time

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from support.appliance import PATIENCE
from support.cable import Cable

# A name that only a local network knows: like an address there, it is no secure context, and the browser says less.
NAME = "camera.local"
FLAGS = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--autoplay-policy=no-user-gesture-required",
         f"--host-resolver-rules=MAP {NAME} 127.0.0.1"]  # fmt: skip
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
TABLES = {"camera": {"width": 1280, "height": 720, "rate": 8.0}, "jpeg": {"quality": 80}}

# Keeps all that a screen reader says: what comes next takes its place at any moment.
LISTEN = """
window.aloud = [];
addEventListener('DOMContentLoaded', () => {
  const told = document.getElementById('told');
  new MutationObserver(() => aloud.push(told.textContent)).observe(told, { childList: true, characterData: true, subtree: true });
});
"""

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="session")
def small_tables():
    return TABLES


@pytest.fixture(scope="module")
def chromium():
    """For a module: while Playwright runs, no other test of this process could use asyncio."""
    with sync_playwright() as playwright:
        flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def picam(start_module_picam, tmp_path_factory):
    """One picam for a module's tests, which keeps what is saved."""
    state = tmp_path_factory.mktemp("state")
    return start_module_picam({**TABLES, "state": {"directory": str(state)}}, env={"PICAM_TEST_FAULTS": "1"})


@pytest.fixture
def visit(chromium):
    """visit(port, **options of the browser's context): the page of the picam there, with a live picture. Errors in the page's
    script and what its policy forbids fail the test."""
    wrong = []
    with contextlib.ExitStack() as open_pages:

        def visit(port, live=True, **options) -> Page:
            context = chromium.new_context(**{**DESKTOP, **options})
            open_pages.callback(context.close)
            context.set_default_timeout(PATIENCE * 1000)
            context.add_init_script(LISTEN)
            page = context.new_page()
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("console", lambda line: wrong.append(line.text) if "Content Security" in line.text else None)
            page.goto(f"http://{NAME}:{port}/")
            if live:
                expect(page.locator("#words")).to_contain_text("live")
            return page

        yield visit
    assert not wrong


@pytest.fixture
def wait_said():
    """wait_said(page, words): until a screen reader has said them."""

    def wait_said(page, words):
        deadline = time.monotonic() + PATIENCE
        while not any(words in said for said in page.evaluate("window.aloud")):
            assert time.monotonic() < deadline, f"{words!r} is not among {page.evaluate('window.aloud')}"
            page.wait_for_timeout(50)

    return wait_said


@pytest.fixture
def page(visit, picam):
    return visit(picam.port)


@pytest.fixture
def cable(picam):
    """A cable to the picam."""
    with contextlib.closing(Cable(picam.port)) as cable:
        yield cable
