"""Fixtures: a picam with libcamera inside, and the configuration of libcamera's virtual pipeline."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from support import appliance
from support.bars import VIRTUAL

# `make test-libcamera` builds and names it. `make test` has no libcamera, and does not collect these tests.
BINARY = os.environ.get("PICAM_LIBCAMERA_BINARY")

if not BINARY:
    collect_ignore_glob = ["test_*.py"]

TABLES = {"camera": {"source": "libcamera", "width": 640, "height": 360}, "jpeg": {"quality": 95}}


@pytest.fixture(scope="session")
def libcamera_binary():
    return Path(BINARY).resolve()


@pytest.fixture(scope="session")
def version_lines(libcamera_binary):
    return subprocess.run([libcamera_binary, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture
def virtual(tmp_path):
    """The virtual pipeline's configuration file. Without it, or with another content, there is another camera."""
    path = tmp_path / "virtual.yaml"
    path.write_text(VIRTUAL)
    return path


@pytest.fixture
def start_virtual(libcamera_binary, virtual, tmp_path, monkeypatch):
    """start_virtual(tables=…): a ready picam with the virtual pipeline; stopped after the test, with exit code 0."""
    monkeypatch.setattr(appliance, "BINARY", libcamera_binary)
    with contextlib.ExitStack() as running:

        def start(tables=None, **options):
            folder = tmp_path / f"picam-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            env = {"LIBCAMERA_VIRTUAL_CONFIG_FILE": str(virtual), "PICAM_TEST_FAULTS": "1"}
            picam = appliance.Picam(folder, {**TABLES, **(tables or {})}, env=env, **options)
            running.callback(picam.stop)
            return picam.wait_ready()

        yield start
