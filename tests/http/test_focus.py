"""The focus: measured, scanned, swept and held, on the pattern's scene with charts at 0.5, 2 and 5 dioptres."""

import json

import pytest
from support import raw
from support.appliance import PATIENCE

# Many frames a second make a sweep short.
TABLES = {"camera": {"width": 960, "height": 540, "rate": 40}, "jpeg": {"quality": 80}}
LEFT, MIDDLE, RIGHT = "0,0.3,0.333,0.4", "0.334,0.3,0.333,0.4", "0.667,0.3,0.333,0.4"
SWEEP_TIME = 120


@pytest.fixture(scope="module")
def picam(start_module_picam):
    return start_module_picam(TABLES)


def post(picam, path, timeout=PATIENCE):
    answer = raw.exchange(picam.port, raw.get(path, method="POST"), timeout)
    return answer.status, answer.body.decode()


def told(picam, path, timeout=PATIENCE):
    """The JSON that a POST is answered."""
    status, body = post(picam, path, timeout)
    assert status == 200, body
    return json.loads(body)


def requested(picam):
    return picam.status()["controls"]["requested"]


def focus(picam, window=MIDDLE):
    status, _, body = picam.get(f"/focus?window={window}")
    assert status == 200
    return json.loads(body)


def wait_for_lens(picam, position):
    def is_there(status):
        actual = status["controls"]["actual"]
        return (actual.get("AfState"), actual.get("LensPosition")) == ("idle", pytest.approx(position))

    picam.wait_status(is_there)


def test_sharpness_falls_as_the_lens_leaves_what_is_in_the_window(picam):
    scores = []
    for lens in (2.0, 3.0, 5.0, 9.0):
        assert picam.get(f"/set?LensPosition={lens}")[0] == 200
        wait_for_lens(picam, lens)
        found = focus(picam)
        assert (found["lens"], found["af_state"]) == (lens, "idle")
        scores.append(found["sharpness"])
    assert scores == sorted(scores, reverse=True) and scores[0] > 3 * scores[-1], scores


@pytest.mark.parametrize("window, distance", [(LEFT, 0.5), (MIDDLE, 2.0), (RIGHT, 5.0)])
def test_one_scan_finds_what_is_in_the_window(picam, window, distance):
    found = told(picam, f"/focus/auto?window={window}")
    assert (found["result"], found["lens"]) == ("focused", distance)
    assert requested(picam)["AfMode"] == "auto"


def test_a_scan_where_nothing_is_says_so(picam):
    assert picam.get("/set?AfRange=macro")[0] == 200
    try:
        assert told(picam, f"/focus/auto?window={LEFT}")["result"] == "failed"
    finally:
        assert picam.get("/set?AfRange=normal&AfMode=continuous&AfMetering=auto")[0] == 200


@pytest.mark.parametrize("window, distance", [(LEFT, 0.5), (MIDDLE, 2.0), (RIGHT, 5.0)])
def test_a_sweep_finds_the_sharpest_position_and_stays_there(picam, window, distance):
    picam.get("/set?AfMode=continuous&AeEnable=1&AwbEnable=1")
    found = told(picam, f"/focus/sweep?window={window}", SWEEP_TIME)
    assert found["result"] == "sharp" and found["best"] == pytest.approx(distance, abs=0.1), found
    assert found["verified"] > 0.9 and found["confidence"] > 10
    positions = [position for position, _ in found["curve"]]
    assert positions == sorted(positions) and positions[0] == 0 and positions[-1] == 15
    kept = requested(picam)
    assert kept["LensPosition"] == pytest.approx(found["best"], abs=0.001) and kept["AfMode"] == "manual"
    assert (kept["AeEnable"], kept["AwbEnable"]) == (True, True), "exposure and white balance are given back"
    wait_for_lens(picam, kept["LensPosition"])


def test_a_part_of_the_range_is_swept_alone(picam):
    found = told(picam, f"/focus/sweep?window={RIGHT}&from=4&to=6.2", SWEEP_TIME)
    positions = [position for position, _ in found["curve"]]
    assert (min(positions), max(positions)) == (4, 6.2) and found["best"] == pytest.approx(5, abs=0.1)


def test_the_picture_without_detail_leaves_everything_as_it_was(picam):
    """Nothing but the even yellow and cyan of two bars, which no lens changes."""
    assert picam.get("/set?LensPosition=3")[0] == 200
    before = requested(picam)
    found = told(picam, "/focus/sweep?window=0.26,0.39,0.15,0.25", SWEEP_TIME)
    assert found["result"] == "too little detail" and found["confidence"] < 10 and len(found["curve"]) > 20
    assert requested(picam) == before
    wait_for_lens(picam, 3)


def test_one_sweep_at_a_time_streams_go_on_and_who_goes_away_ends_it(picam):
    assert picam.get("/set?LensPosition=3")[0] == 200
    wait_for_lens(picam, 3)
    with raw.Stream(picam.port, "/stream?width=480&readings=1", timeout=PATIENCE) as stream:
        with raw.connect(picam.port, timeout=PATIENCE) as asker:
            asker.sendall(raw.get("/focus/sweep", method="POST"))
            lenses = {stream.next().headers["x-lens"] for _ in range(60)}
            for path in ("/focus/sweep", "/focus/auto", "/focus/hold"):
                status, line = post(picam, path)
                assert status == 409 and line.startswith("the camera is being focused for "), line
            assert picam.get("/set?Contrast=1.25&wait=1")[0] == 409 and "Contrast" not in requested(picam)
            assert picam.get("/set?Contrast=1")[0] == 200, "other controls can be set meanwhile"
        assert len(lenses) > 5, "the lens moves under the stream"
        lenses = [stream.next().headers["x-lens"] for _ in range(60)]
        assert set(lenses[20:]) == {"3.000"}, "the lens is back, and stays"
    assert requested(picam)["LensPosition"] == 3


def test_who_sets_and_waits_is_told_the_first_frame_that_shows_it(picam):
    with raw.Stream(picam.port, "/stream?width=480&readings=1", timeout=PATIENCE) as stream:
        lenses = {0: None}
        for lens in (1.0, 4.0, 2.5):
            answer = raw.exchange(picam.port, raw.get(f"/set?LensPosition={lens}&wait=1"), PATIENCE)
            assert (answer.status, answer.body) == (200, b"ok\n")
            first = int(answer.headers["x-frame"])
            while max(lenses) < first:  # which a busy machine may have skipped
                part = stream.next()
                lenses[part.sequence] = float(part.headers["x-lens"])
            shown = {sequence: it == lens for sequence, it in lenses.items() if sequence >= first - 1}
            assert shown == {sequence: sequence >= first for sequence in shown}, (first, lenses)


def test_who_sets_nothing_and_waits_is_told_the_next_frame(picam):
    answer = raw.exchange(picam.port, raw.get("/set?wait=1"), PATIENCE)
    assert answer.status == 200 and int(answer.headers["x-frame"]) > 0
    for bad, line in (("wait=2", 'wait = "2": expected 0 or 1'), ("wait=1&wait=1", "wait is given twice: expected once")):
        status, _, body = picam.get(f"/set?Contrast=1.75&{bad}")
        assert (status, body.decode()) == (400, f"{line}\n") and requested(picam).get("Contrast") != 1.75


def test_hold_keeps_the_lens_where_it_is(picam):
    assert told(picam, f"/focus/auto?window={RIGHT}")["result"] == "focused"
    assert told(picam, "/focus/hold") == {"lens": 5.0}
    assert (requested(picam)["LensPosition"], requested(picam)["AfMode"]) == (5.0, "manual")


@pytest.mark.parametrize("query, line", [
    ("from=-1", 'from = "-1": expected a number from 0 to 15 (dioptres)'),
    ("to=nan", 'to = "nan": expected a number from 0 to 15 (dioptres)'),
    ("from=5&to=4", "from = 5, to = 4: expected from below to"),
    ("window=1", 'window = "1": expected x,y,w,h as fractions of the picture, like 0.4,0.4,0.2,0.2'),
])  # fmt: skip
def test_a_sweep_that_cannot_be_is_refused_in_one_line(picam, query, line):
    assert post(picam, f"/focus/sweep?{query}") == (400, f"{line}\n")


@pytest.mark.parametrize("path", ["/focus/auto", "/focus/sweep", "/focus/hold"])
def test_only_a_post_of_our_own_moves_the_lens(picam, path):
    before = requested(picam)
    answer = raw.exchange(picam.port, raw.get(path), PATIENCE)
    assert answer.status == 405 and answer.headers["allow"] == "POST"
    foreign = ["User-Agent: Mozilla/5.0", "Origin: http://elsewhere.example"]
    request = "\r\n".join([f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{picam.port}", *foreign, "", ""])
    assert raw.exchange(picam.port, request.encode(), PATIENCE).status == 403
    assert requested(picam) == before


def test_a_camera_without_a_lens_says_so(start_picam, photo_tables):
    picam = start_picam(photo_tables(100))
    for path in ("/focus/sweep", "/focus/hold"):
        status, line = post(picam, path)
        assert status == 409 and "no lens position" in line
    found = json.loads(picam.get("/focus")[2])
    assert found["lens"] is None and found["sharpness"] > 0
