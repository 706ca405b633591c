"""Fixtures: the factory that builds images and bundles once, and machines of the test's own."""

import contextlib
import os
import time

import pytest

from image.lab.given import GIVEN, make_factory
from image.lab.machine import Machine

# `make test` does not boot anything: `make test-image` says so by this variable, `make test-image-full` by "full".
WANTED = os.environ.get("PICAM_TEST_IMAGE", "")
if not WANTED:
    collect_ignore_glob = ["test_*.py"]

# A picture that an emulated core draws and encodes in a few milliseconds.
SMALL = {"picam.toml": '[camera]\nsource = "pattern"\nwidth = 640\nheight = 360\nrate = 4\n[jpeg]\nquality = 80\n'}
# Emulation on shared cores: a boot takes 10 to 40 s.
BOOT = 240


@pytest.fixture(scope="session")
def rounds():
    """How many power cuts a loop makes."""
    return int(os.environ.get("PICAM_POWER_CUTS") or (20 if WANTED == "full" else 3))


@pytest.fixture(scope="session")
def factory():
    started = time.monotonic()
    built = make_factory(reuse=bool(os.environ.get("PICAM_IMAGE_REUSE")))
    print(f"\nimage ready in {time.monotonic() - started:.0f} s, kernel {built.kernel}")
    return built


@contextlib.contextmanager
def _machines(factory, tmp_path_factory):
    with contextlib.ExitStack() as running:

        def make(site=SMALL, **options):
            folder = tmp_path_factory.mktemp("machine")
            uboot = options.get("kind") == "uboot"
            machine = Machine(factory.disk(folder / "disk.img", site, uboot), folder, **options)
            running.callback(machine.power_cut)
            return machine

        yield make


@pytest.fixture
def make_machine(factory, tmp_path_factory):
    """make_machine(site, **options of Machine): a machine with a factory disk, off; off again after the test."""
    with _machines(factory, tmp_path_factory) as make:
        yield make


@pytest.fixture(scope="module")
def machine(factory, tmp_path_factory):
    """One running machine for a module's tests."""
    with _machines(factory, tmp_path_factory) as make:
        machine = make()
        machine.power_on()
        machine.wait_jpeg(BOOT)
        yield machine


def pytest_report_header():
    image = os.environ.get(GIVEN) or "an image of Debian's packages"
    return f"image tests: {f'{WANTED}, {image}' if WANTED else 'not asked for, see make test-image'}"
