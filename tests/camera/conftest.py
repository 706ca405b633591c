"""Fixtures: a guest with the camera, booted once a module, and its parts built once a session."""

import contextlib

import pytest
from image.lab.packages import Packages
from image.lab.rootfs import default_distribution, picam_files

from camera.guest import PI5, Guest, build_initramfs, wanted
from camera.module import build_module
from camera.pisp import pisp_files

# `make test` does not boot anything: `make test-camera` says so by the environment variable PICAM_TEST_CAMERA.
if not wanted():
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def packages():
    return Packages()


@pytest.fixture(scope="session")
def module(packages):
    return build_module(packages)


@pytest.fixture(scope="session")
def initramfs(packages, module, tmp_path_factory):
    """The initramfs with the module and the picam of default_distribution()."""
    folder = tmp_path_factory.mktemp("initramfs")
    return build_initramfs(packages, module, picam_files(default_distribution()), folder)


@pytest.fixture(scope="session")
def pi5_initramfs(packages, module, tmp_path_factory):
    """The same with the picam of pisp_files()."""
    folder = tmp_path_factory.mktemp("pi5-initramfs")
    return build_initramfs(packages, module, pisp_files(default_distribution()), folder)


@contextlib.contextmanager
def running(guest):
    """Starts and stops it. At its end the kernel's log must be clean."""
    try:
        yield guest.start()
        assert guest.complaints() == ""
    finally:
        guest.stop()


@pytest.fixture(scope="module")
def guest(packages, initramfs, tmp_path_factory):
    """A running guest without the module, shared by a module's tests."""
    with running(Guest(packages, initramfs, tmp_path_factory.mktemp("guest"))) as guest:
        yield guest


@pytest.fixture(scope="module")
def pi5_guest(packages, pi5_initramfs, tmp_path_factory):
    """The same as a Pi 5."""
    with running(Guest(packages, pi5_initramfs, tmp_path_factory.mktemp("pi5"), compatible=PI5)) as guest:
        yield guest


@pytest.fixture
def camera(guest):
    """camera(tables, **parameters of the module): the guest with the module plugged in and picam serving its pictures;
    ended and unplugged after the test, or when the test calls it again."""
    plugged = []

    def end():
        if plugged:
            plugged.clear()
            guest.set(reset=1)
            guest.stop_picam()
            assert guest.read("buffers") == "0 0"
            guest.unplug()

    def start(tables="", **parameters):
        end()
        guest.plug(**parameters)
        plugged.append(True)
        guest.start_picam(tables)
        guest.wait_jpeg(60)
        return guest

    yield start
    end()
