"""GET /controls: what a page needs to offer every control."""

import json


def controls(picam):
    status, headers, body = picam.get("/controls")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    return {control["name"]: control for control in json.loads(body)}


def test_each_control_says_what_it_takes(picam):
    listed = controls(picam)
    lens = listed["LensPosition"]
    assert (lens["type"], lens["auto"], lens["unit"], lens["min"], lens["max"]) == ("number", True, "dioptres", 0, 15)
    assert listed["ExposureTime"]["type"] == "integer"
    assert listed["AfMode"]["choices"] == ["manual", "auto", "continuous"] and not listed["AfMode"]["auto"]
    assert (listed["ColourGains"]["type"], listed["ColourGains"]["max"]) == ("pair", 32)
    assert listed["AeEnable"]["type"] == "boolean" and listed["AfWindows"]["type"] == "window"
    assert all(control["help"] and control["unavailable"] is None for control in listed.values())


def test_what_the_files_say_and_what_is_in_force(start_picam, small_tables):
    picam = start_picam({**small_tables, "controls": {"AnalogueGain": 2.0, "AfMode": "continuous"}})
    assert picam.get("/set?LensPosition=1.5")[0] == 200
    listed = controls(picam)
    assert (listed["AnalogueGain"]["configured"], listed["AnalogueGain"]["requested"]) == (2.0, 2.0)
    assert (listed["AfMode"]["configured"], listed["AfMode"]["requested"]) == ("continuous", "manual")
    assert (listed["LensPosition"]["configured"], listed["LensPosition"]["requested"]) == (None, 1.5)
    assert listed["ExposureTime"]["requested"] is None
