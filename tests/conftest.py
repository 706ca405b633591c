"""Fixtures: running picams of the test's own, with the pattern or with replayed photographs."""

import contextlib

import pytest
from support import photos
from support.appliance import Picam

# A small picture where a test is about connections and not about pixels.
SMALL = {"camera": {"width": 640, "height": 360}, "jpeg": {"quality": 80}}


def photograph_tables(kilobytes=500):
    """picam.toml tables that replay stamped photographs as frames of about `kilobytes` KB (100, 500, 2000 or 4000)."""
    folder, quality = photos.frame_set(kilobytes)
    return {"camera": {"source": f"replay:{folder}", "stamp": True}, "jpeg": {"quality": quality}}


@contextlib.contextmanager
def _factory(tmp_path_factory):
    with contextlib.ExitStack() as running:

        def start(tables=None, ready=True, **options):
            picam = Picam(tmp_path_factory.mktemp("picam"), tables, **options)
            running.callback(picam.stop)
            return picam.wait_ready() if ready else picam

        yield start


@pytest.fixture
def start_picam(tmp_path_factory):
    """start_picam(tables, **options of Picam): a ready picam; stopped after the test, with exit code 0."""
    with _factory(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="module")
def start_module_picam(tmp_path_factory):
    """The same for a whole module."""
    with _factory(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="module")
def picam(start_module_picam):
    """One picam with a small moving pattern, shared by a module's tests."""
    return start_module_picam(SMALL, env={"PICAM_TEST_FAULTS": "1"})


@pytest.fixture(scope="module")
def photo_picam(start_module_picam):
    """One picam that replays photographs at 2304×1296, 8 Hz, about 500 KB a frame, stamped; of bands, by three threads."""
    tables = photograph_tables(500)
    return start_module_picam({**tables, "jpeg": {**tables["jpeg"], "threads": 3}})


@pytest.fixture(scope="session")
def small_tables():
    return SMALL


@pytest.fixture(scope="session")
def photo_tables():
    """The function `photograph_tables`."""
    return photograph_tables


@pytest.fixture
def report(capsys):
    """report(text): prints a measured figure, whatever pytest captures."""

    def say(text):
        with capsys.disabled():
            print(f"\n    {text}", flush=True)

    return say
