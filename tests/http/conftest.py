"""The picam of the HTTP tests."""

import pytest

# A camera has stalled when five frames are missing, or nothing came for a second: at three frames a second that is 1.7 s.
# A machine that stops for a second is then no stalled camera, whose /jpg is rightly answered 503.
PATIENT = {"camera": {"width": 640, "height": 360, "rate": 3.0}, "jpeg": {"quality": 80}}


@pytest.fixture(scope="session")
def small_tables():
    return PATIENT


@pytest.fixture(scope="module")
def picam(start_module_picam):
    """One picam with a small moving pattern, three frames a second, shared by a module's tests."""
    return start_module_picam(PATIENT, env={"PICAM_TEST_FAULTS": "1"})
