"""The figures of `make bench-camera` are what the client and the journal wrote down."""

import cv2
import numpy
import pytest
from camera.picture import ROWS, STAMP_BITS, STAMP_ROWS

from bench.camera import readings, table
from bench.camera.measure import FAULTS
from bench.page import write_into

JOURNAL = """\
1000000 frame 50 taken exposure_us=16059 gain=1122 frame_us=124988 lens=541 sharpness=886 sharpness_right=886
1050000 write 50 1400 Exposure
1124988 frame 51 taken exposure_us=16059 gain=1122 frame_us=124988 lens=541 sharpness=886 sharpness_right=886
1249976 frame 52 taken exposure_us=19990 gain=1122 frame_us=124988 lens=541 sharpness=886 sharpness_right=886
1300000 write 52 573 Focus, Absolute
1374964 frame 53 taken exposure_us=19990 gain=1122 frame_us=124988 lens=573 sharpness=886 sharpness_right=886
"""


def jpeg(began, exposure=16000, gain=1122, light=255):
    """A picture with a stamp; `light` is how bright its bits are."""
    grey = numpy.full((360, 640), 60, numpy.uint8)
    for row, value in zip(range(STAMP_ROWS), (7, began, exposure, gain << 16 | 541)):
        bits = [light * (value >> (STAMP_BITS - 1 - bit) & 1) for bit in range(STAMP_BITS)]
        grey[row * 360 // ROWS : (row + 1) * 360 // ROWS] = numpy.repeat(numpy.array(bits, numpy.uint8), 640 // STAMP_BITS)
    return cv2.imencode(".jpg", grey)[1].tobytes()


def stream(*lines):
    """What readings.seen() makes of (arrived, began), of (arrived, None) for "no signal", or of (arrived, "closed")."""
    kept = {
        f"f/{number:05}.jpg": jpeg(began or 1, light=255 if began else 100)
        for number, (_, began) in enumerate(lines)
        if began != "closed"
    }
    return readings.seen("\n".join(f"{at} {what if what == 'closed' else 999}" for at, what in lines), "f", kept)


def test_age_is_from_the_end_of_the_first_lines_exposure():
    (one,) = stream((5_000_000, 4_960_000))
    assert one.age == 24_000
    wrapped = readings.Seen(10_000, False, one.picture._replace(began=2**32 - 16_000, exposure=16_000))
    assert wrapped.age == 10_000


def test_only_pictures_of_new_frames_count():
    found = stream((100, 20_000), (200, 20_000), (300, None), (400, "closed"), (500, 30_000))
    assert [one.arrived for one in readings.new(found)] == [100, 500]
    assert readings.ages(stream((56_000, 20_000), (96_000, 60_000)))[1] == 20


def test_a_gap_with_signs_and_an_end():
    found = stream((1_000_000, 1), (2_000_000, None), (3_000_000, "closed"), (5_500_000, 2), (5_600_000, 3))
    assert readings.outage(found, "1 start\n3000000 end 5\n4000000 start\n") == readings.Outage(4.5, 1, [5], 16000)


def test_a_picture_that_is_repeated_to_the_end_is_the_last():
    found = stream((1_000_000, 1), *((1_000_000 + 125_000 * number, 2) for number in range(1, 80)))
    assert readings.outage(found, "").seconds is None


@pytest.mark.parametrize(
    ("control", "value", "expected"),
    [("ExposureTime", 20000, (0.05, 0.249976)), ("LensPosition", 4, (0.3, 0.374964)), ("AnalogueGain", 6, None)],
)
def test_a_change_is_followed_through_the_journal(control, value, expected):
    change = readings.change(JOURNAL, control, value, 1_000_000)
    assert change == expected


def test_processor_time():
    assert readings.processor("1 2\nprocessor 100 350 1000 2000") == (250, 1000)


def test_the_table_says_where_picam_is_not_better():
    good, bad, never = (readings.Outage(seconds, 0, [], 9000) for seconds in (1.0, 2.0, None))
    rows = table.outages_table(
        {which.name: never if which is FAULTS[0] else good for which in FAULTS},
        {which.name: good if which in FAULTS[:2] else bad for which in FAULTS},
    ).splitlines()[2:]
    assert rows[0] == f"| {FAULTS[0].name} | **never again** | 1.0 s |  |"
    assert rows[1].endswith("| equal |")
    assert all(row.endswith("| **worse** |") for row in rows[2:])


def test_the_table_goes_between_the_marks(tmp_path):
    page, other = tmp_path / "page.md", "<!-- written by make bench -->\nother\n<!-- end -->\n"
    page.write_text(f"{other}before\n<!-- written by make bench-camera -->\nold\n<!-- end -->\nafter\n")
    write_into(page, "new", "make bench-camera")
    assert page.read_text() == f"{other}before\n<!-- written by make bench-camera -->\n\nnew\n\n<!-- end -->\nafter\n"
