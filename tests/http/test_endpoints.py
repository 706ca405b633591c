"""Everything but the stream: pictures, controls, state, metrics, health, and what is not there."""

import json
import statistics
import time

import cv2
import numpy
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus
from support import raw, stamp
from support.appliance import PATIENCE

PICTURES = ["/jpg", "/snapshot", "/snapshot.jpg", "/?action=snapshot", "/jpg?t=123"]


def fetch(picam, path, method="GET"):
    return raw.exchange(picam.port, raw.get(path, method=method), PATIENCE)


def decoded(answer):
    return cv2.imdecode(numpy.frombuffer(answer.body, numpy.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("path", PICTURES)
def test_picture_and_its_aliases(picam, path):
    answer = fetch(picam, path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert "no-store" in answer.headers["cache-control"]
    assert int(answer.headers["content-length"]) == len(answer.body)
    picture = decoded(answer)
    assert picture.shape == (360, 640, 3)
    found = stamp.decode(picture)
    assert found.sequence == int(answer.headers["x-frame"])
    assert found.time == pytest.approx(float(answer.headers["x-timestamp"]), abs=0.0015)


def test_picture_is_never_older_than_one_frame_interval(picam):
    """In frames, as a busy machine counts them too: a picture is of the newest frame that there was when it was asked
    for, of the one before, whose interval may not be over, or of a later one."""
    for pause in numpy.linspace(0, 1 / 3, 9):  # at every phase of the camera's beat, watched by no one else
        time.sleep(pause)
        newest = picam.newest_frame()
        assert int(fetch(picam, "/jpg").headers["x-frame"]) >= newest - 1


def test_fresh_picture_was_captured_after_the_request(picam):
    waited = []
    for pause in numpy.linspace(0, 1 / 3, 9):
        time.sleep(pause)
        before = fetch(picam, "/jpg")
        asked = time.time()
        answer = fetch(picam, "/jpg?fresh=1")
        assert answer.status == 200
        assert float(answer.headers["x-timestamp"]) >= asked
        waited.append(int(answer.headers["x-frame"]) - int(before.headers["x-frame"]))
    assert min(waited) >= 1
    assert statistics.median(waited) <= 2, f"it is of the next frame, not of the {waited}th"


@pytest.mark.parametrize("path", ["/jpg", "/jpg?fresh=1"])
def test_picture_of_a_stalled_camera_is_refused(start_picam, small_tables, path):
    """No picture is better than one of the past or a wait for ever."""
    picam = start_picam(small_tables, env={"PICAM_TEST_FAULTS": "1"})
    assert fetch(picam, "/debug/stall?seconds=30").status == 200
    picam.wait_status(lambda status: status["signal"] == "lost")
    answer = fetch(picam, path)
    assert answer.status == 503
    assert answer.body.count(b"\n") == 1


@pytest.mark.parametrize("query, expected", [
    ("ExposureTime=20000", {"ExposureTime": 20000, "AeEnable": None}),
    ("AnalogueGain=2&AeEnable=0", {"AnalogueGain": 2.0, "AeEnable": False}),
    ("ExposureTime=20000&AnalogueGain=2.5&LensPosition=1.5",
     {"ExposureTime": 20000, "AnalogueGain": 2.5, "LensPosition": 1.5, "AfMode": "manual", "AeEnable": None}),
    ("ExposureTime=&AnalogueGain=&LensPosition=0", {"LensPosition": 0.0, "AfMode": "manual"}),
    ("AeEnable=true", {"AeEnable": True}),
    ("AfMode=continuous&AwbEnable=0", {"AfMode": "continuous", "AwbEnable": False}),
    ("AfMode=auto&AwbEnable=1", {"AfMode": "auto", "AwbEnable": True}),
    ("LensPosition=auto&AnalogueGain=auto", {"LensPosition": None, "AnalogueGain": None}),
    ("ColourGains=1.5,2&AfWindows=0.25,0,0.5,1",
     {"ColourGains": [1.5, 2.0], "AwbEnable": False, "AfWindows": [0.25, 0.0, 0.5, 1.0], "AfMetering": "windows"}),
    ("ColourTemperature=5000&AeFlickerPeriod=50",
     {"ColourTemperature": 5000, "ColourGains": None, "AeFlickerPeriod": "50"}),
    ("AwbEnable=1&AfMetering=auto", {"ColourTemperature": None, "AfWindows": None}),
])  # fmt: skip
def test_set_is_remembered(picam, query, expected):
    answer = fetch(picam, f"/set?{query}")
    assert (answer.status, answer.body.strip()) == (200, b"ok")
    requested = json.loads(fetch(picam, "/status").body)["controls"]["requested"]
    for name, value in expected.items():
        assert requested.get(name) == value


@pytest.mark.parametrize("query, said", [
    ("ExposureTime=abc", "ExposureTime"), ("ExposureTime=0", "ExposureTime"), ("ExposureTime=1.5", "ExposureTime"),
    ("ExposureTime=-5", "ExposureTime"), ("AnalogueGain=0.5", "AnalogueGain"), ("AnalogueGain=nan", "AnalogueGain"),
    ("AnalogueGain=inf", "AnalogueGain"), ("LensPosition=-1", "LensPosition"), ("LensPosition=x", "LensPosition"),
    ("LensPosition=1&AfMode=auto", "AfMode"), ("AfMode=sometimes", "continuous"), ("AeEnable=perhaps", "AeEnable"),
    ("Brightness=1.1", "Brightness"), ("Exposure=1", "ExposureTime"), ("exposuretime=1", "ExposureTime"),
    ("ExposureTime=1&ExposureTime=2", "ExposureTime"), ("ExposureTime=20000&AeEnable=1", "AeEnable"),
    ("LensPosition=2&ExposureTime=bad", "ExposureTime"),
])  # fmt: skip
def test_bad_set_says_what_is_accepted_and_applies_nothing(picam, query, said):
    before = json.loads(fetch(picam, "/status").body)["controls"]["requested"]
    answer = fetch(picam, f"/set?{query}")
    assert answer.status == 400
    line = answer.body.decode()
    assert line.count("\n") == 1 and said in line
    assert json.loads(fetch(picam, "/status").body)["controls"]["requested"] == before


def test_head_sets_nothing(picam):
    before = json.loads(fetch(picam, "/status").body)["controls"]["requested"]
    raw.exchange(picam.port, raw.get("/set?ExposureTime=777", method="HEAD"))
    assert json.loads(fetch(picam, "/status").body)["controls"]["requested"] == before


def test_status(picam):
    def settled(status):
        return status["healthy"] and status["connections"] == 2  # the stream, and this request

    with raw.Stream(picam.port, timeout=PATIENCE) as stream:
        stream.take(2)
        picam.wait_status(settled)
        asked = time.time()
        answer = fetch(picam, "/status")
        answered = time.time()
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/json")
    status = json.loads(answer.body)
    assert status["source"] == "pattern"
    assert status["signal"] == ("live" if status["healthy"] else "lost")
    assert status["rate_hz"] == 3.0
    assert status["streams"] == 1 and status["connections"] == 2
    frame = status["frame"]
    assert (frame["width"], frame["height"]) == (640, 360)
    assert frame["sequence"] >= 1 and frame["jpeg_bytes"] > 1000
    # Its age is the time since its timestamp, by the clock at the moment of the answer.
    assert asked - 0.01 <= float(frame["timestamp"]) + frame["age_seconds"] <= answered + 0.01
    assert status["process"]["rss_bytes"] / 1024 == pytest.approx(picam.rss_kib(), rel=0.1)
    assert 0 < status["uptime_seconds"] < 3600
    assert asked - 0.01 <= status["time"] <= answered + 0.01
    counters = status["counters"]
    assert counters["frames_captured"] >= counters["frames_encoded"] >= 1
    assert counters["bytes_sent"] > counters["frames_sent"] > 0


def metrics(picam):
    """/metrics as a Prometheus server reads it: ({name: family}, {name: value of a sample})."""
    answer = fetch(picam, "/metrics")
    assert answer.status == 200
    text = answer.body.decode()
    openmetrics = answer.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics or answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in (parse_openmetrics if openmetrics else parse_prometheus)(text)}
    return families, {sample.name: sample.value for family in families.values() for sample in family.samples}


def test_metrics_are_prometheus_text(picam):
    with raw.Stream(picam.port, timeout=PATIENCE) as stream:
        stream.take(2)
        picam.wait_status(lambda status: status["streams"] == 1)  # those of the tests before are gone
        families, samples = metrics(picam)
    assert len(families) >= 8
    assert all(name.startswith("picam_") and family.documentation for name, family in families.items())
    assert samples["picam_streams"] == 1
    assert samples["picam_frames_captured_total"] > 0
    picam.wait_status(lambda _: metrics(picam)[1]["picam_signal"] == 1)


def test_health(picam):
    """While frames come, that is: a machine that gives picam no processor for a second has a stalled camera."""
    answers = []
    picam.wait_status(lambda _: answers.append(fetch(picam, "/healthz")) or answers[-1].status == 200)
    assert answers[-1].body == b"ok\n"


@pytest.mark.parametrize("path", [
    "/nothing", "/stream/", "/jpg/", "/STREAM", "/?action=take", "/../etc/passwd", "/debug", "/favicon.ico",
    "//stream", "/stream%00",
])  # fmt: skip
def test_everything_else_is_not_found(picam, path):
    answer = fetch(picam, path)
    assert answer.status == 404
    assert answer.body.count(b"\n") == 1
    assert int(answer.headers["content-length"]) == len(answer.body)


def test_debug_endpoints_are_not_there_in_production(start_picam, small_tables):
    picam = start_picam(small_tables)
    assert fetch(picam, "/debug/panic").status == 404
    assert fetch(picam, "/debug/stall?seconds=1").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/stream", "/jpg", "/set?ExposureTime=1000", "/status"])
def test_other_methods_are_not_allowed(picam, method, path):
    sets = path.startswith("/set")
    if method == "POST" and sets:
        return
    answer = fetch(picam, path, method)
    assert answer.status == 405
    assert answer.headers["allow"] == ("GET, HEAD, POST" if sets else "GET, HEAD")
    assert answer.body.count(b"\n") == 1


@pytest.mark.parametrize("path", ["/", "/jpg", "/status", "/metrics", "/healthz", "/nothing", "/set?bad=1"])
def test_head_answers_as_get_without_the_body(picam, path):
    get, head = fetch(picam, path), fetch(picam, path, "HEAD")
    assert head.body == b""
    assert head.status == get.status
    assert head.headers.keys() == get.headers.keys()
    assert head.headers["content-type"] == get.headers["content-type"]
