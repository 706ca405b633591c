"""Fixtures: a picam with libcamera inside, and the configuration of libcamera's virtual pipeline."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from support import appliance

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", appliance.ROOT / "target"))
BINARY = Path(os.environ.get("PICAM_LIBCAMERA_BINARY", TARGET / "x86_64-unknown-linux-gnu" / "release" / "picam"))

# One camera of 640×360 with moving colour bars.
VIRTUAL = """\
"Bars":
  supported_formats:
  - width: 640
    height: 360
    frame_rates: [30]
  test_pattern: "bars"
  location: "CameraLocationFront"
  model: "Virtual bars"
"""
TABLES = {"camera": {"source": "libcamera", "width": 640, "height": 360}, "jpeg": {"quality": 95}}


@pytest.fixture(scope="session")
def libcamera_binary():
    """The executable; the tests are skipped where it was not built."""
    if not BINARY.exists():
        pytest.skip(f'{BINARY} is missing: . "$(cross/setup x86_64)"; cargo build --release --features libcamera')
    return BINARY


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
