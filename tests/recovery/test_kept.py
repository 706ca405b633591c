"""What was set and not saved is requested again after every end of picam, until the machine is started again."""

import re
import signal

import pytest

from support.appliance import PATIENCE

CAMERA_LOST = 5


def requested(picam):
    return picam.status()["controls"]["requested"]


@pytest.fixture
def tables(tmp_path):
    return {"state": {"directory": str(tmp_path / "state")}}


def test_set_is_kept_through_an_orderly_restart(start, tables):
    first = start(tables)
    assert first.get("/set?LensPosition=2.5&ExposureTime=20000")[0] == 200
    before = requested(first)
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    assert requested(start(tables)) == before


def test_set_is_kept_when_picam_gives_its_camera_up(start, tables):
    first = start(tables)
    assert first.get("/set?LensPosition=4")[0] == 200
    before = requested(first)
    first.get("/debug/hang")
    assert first.wait(2 * PATIENCE) == CAMERA_LOST
    assert requested(start(tables)) == before


def test_it_ends_with_this_start_of_the_machine(start, tables, tmp_path):
    first = start(tables)
    before = requested(first)
    assert first.get("/set?LensPosition=4")[0] == 200
    first.signal(signal.SIGTERM)
    first.wait()
    kept = tmp_path / "state/controls.toml"
    of_now, changes = re.subn(r'(?m)^boot = ".', 'boot = "x', kept.read_text())
    assert changes == 1
    kept.write_text(of_now)
    second = start(tables)
    assert requested(second) == before
    second.signal(signal.SIGTERM)
    second.wait()
    assert not kept.exists()


def test_it_ends_with_other_files(start, tables):
    """Whoever changes what is configured wants that, after a restart as after a reload."""
    picam = start(tables)
    assert picam.get("/set?LensPosition=4&Contrast=2")[0] == 200
    for files, lens, contrast in (({"jpeg": {"quality": 50}}, 4, 2), ({"controls": {"Contrast": 3.0}}, None, 3)):
        picam.signal(signal.SIGTERM)
        picam.wait()
        picam = start({**tables, **files})
        found = requested(picam)
        assert (found.get("LensPosition"), found["Contrast"]) == (lens, contrast)


def test_a_kill_leaves_a_whole_file(start, tables, tmp_path):
    """At any moment: it is the one before or the one after."""
    kept = tmp_path / "state" / "controls.toml"
    seen = set()
    for round in range(5):
        picam = start(tables)
        if round:
            seen.add(requested(picam)["LensPosition"])
        for lens in range(1, 16):
            assert picam.get(f"/set?LensPosition={lens}")[0] == 200
        while not kept.exists():  # the first file is under way
            assert picam.process.poll() is None
        picam.process.kill()
        picam.wait()
        assert kept.exists()
    assert seen and all(1 <= lens < 16 for lens in seen)


def test_controls_changed_in_the_file_win_on_reload(start, tables):
    picam = start(tables)
    picam.get("/set?LensPosition=4")
    since = len(picam.lines)
    picam.write_config({**tables, "controls": {"LensPosition": 1.0}})
    picam.signal(signal.SIGHUP)
    picam.wait_log("reloaded", since=since)
    picam.signal(signal.SIGTERM)
    assert picam.wait() == 0
    assert requested(start({**tables, "controls": {"LensPosition": 1.0}}))["LensPosition"] == 1.0


def test_a_spoiled_file_is_named_and_left_out(start, tables, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "controls.toml").write_text("[controls]\nLensPosition = -1\n")
    picam = start(tables)
    picam.wait_log(r"not saved is left out: .*controls\.toml:2: .*LensPosition = -1: expected auto or a number")
    assert requested(picam)["AfMode"] == "continuous"
