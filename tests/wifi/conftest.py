"""Fixtures: the guest with one distribution's wpa_supplicant, booted once; `python -m lanes wifi` has made its parts."""

import os

import pytest
from image.lab.packages import Packages

from wifi.guest import SECONDS, Guest

# `make test` does not boot anything: `make test-wifi` says by this environment variable whose wpa_supplicant it is.
NAME = os.environ.get("PICAM_TEST_WIFI")
if not NAME:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def guest(tmp_path_factory):
    guest = Guest(NAME, Packages(), tmp_path_factory.mktemp("guest"))
    try:
        yield guest.start(SECONDS)
    finally:
        guest.stop()


@pytest.fixture
def camera(guest):
    """The guest, its network off afterwards."""
    yield guest
    guest.power_off()


def pytest_report_header():
    return f"wpa_supplicant of {NAME or 'nobody, see make test-wifi'}"
