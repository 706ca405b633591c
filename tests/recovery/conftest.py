"""A picam that may end by itself."""

import pytest

from support.appliance import Picam

SMALL = {"camera": {"width": 320, "height": 180}}


@pytest.fixture
def start(tmp_path):
    """start(tables): a picam that may end by itself; killed after the test if it has not. Its file is in `folder`."""
    started = []

    def start(tables=None, folder=tmp_path, preexec=None, prefix=(), **env):
        env = {"PICAM_TEST_FAULTS": "1", **env}
        picam = Picam(folder, {**SMALL, **(tables or {})}, env=env, preexec=preexec, prefix=prefix)
        started.append(picam)
        return picam.wait_ready()

    yield start
    for picam in started:
        if picam.process.poll() is None:
            picam.process.kill()
        picam.wait()
        picam.process.stderr.close()
