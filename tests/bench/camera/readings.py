"""What the client and the camera's journal wrote down, as figures. Times are µs of the guest's clock."""

import re
import statistics
from typing import NamedTuple

from camera.picture import read_picture

# The stamp has this many bits of the clock.
CLOCK = 1 << 32
CONTROLS = {"ExposureTime": "Exposure", "AnalogueGain": "Analogue Gain", "LensPosition": "Focus, Absolute"}
# The lens of the Camera Module 3, by its tuning file.
LENS_AT_0, LENS_PER_DIOPTRE = 445, 32


class Seen(NamedTuple):
    """A line of the client. picture: None for "no signal", or when the connection was closed."""

    arrived: int
    closed: bool
    picture: object

    @property
    def age(self):
        """From the start of the readout, when the first line is exposed, to the last byte."""
        return (self.arrived - self.picture.began - self.picture.exposure) % CLOCK


def seen(listing, folder, kept):
    """The lines "arrived bytes" and "arrived closed" of `client stream`, with the pictures kept in `folder`."""
    found = []
    for number, line in enumerate(line for line in listing.splitlines() if re.fullmatch(r"\d+ (\d+|closed)", line)):
        arrived, what = line.split()
        closed = what == "closed"
        found.append(Seen(int(arrived), closed, None if closed else _camera_picture(kept[f"{folder}/{number:05}.jpg"])))
    return found


def answered(listing, folder, kept):
    """The same for the lines "asked answered status bytes" of `client ask`."""
    lines = [line.split() for line in listing.splitlines()]
    return [
        Seen(int(words[1]), False, _camera_picture(kept[f"{folder}/{number:05}.jpg"]))
        for number, words in enumerate(lines)
        if words[2] == "200"
    ]


def _camera_picture(jpeg):
    """The picture, or None for one whose stamp is dimmed away: "no signal"."""
    picture = read_picture(jpeg)
    return picture if picture.gain >= 1 else None


def new(found):
    """Those of `found` that show a frame for the first time."""
    shown, first = set(), []
    for one in found:
        if one.picture and one.picture.began not in shown:
            shown.add(one.picture.began)
            first.append(one)
    return first


class Outage(NamedTuple):
    """What a fault did. seconds: the longest time without a new picture; None: none came any more. signs: "no signal"
    pictures. ended: exit codes of the service. exposure: of the last picture, in µs."""

    seconds: float
    signs: int
    ended: list
    exposure: int


def outage(found, log):
    """Of a stream that was read from before the fault until long after, and the supervisor's log."""
    came = new(found)
    gaps = [(b.arrived - a.arrived) / 1e6 for a, b in zip(came, came[1:])]
    silence = (found[-1].arrived - came[-1].arrived) / 1e6
    ended = [int(code) for code in re.findall(r"^\d+ end (\d+)$", log, re.MULTILINE)]
    signs = sum(not (one.closed or one.picture) for one in found)
    # A client that has just come back to a service that has just started is not yet the end of it.
    seconds = None if silence > max([2.0, *gaps]) else max(gaps)
    return Outage(seconds, signs, ended, came[-1].picture.exposure)


class Change(NamedTuple):
    """How long after /set was asked the register was written, and the first frame with the value began, in seconds."""

    register: float
    frame: float


def change(journal, control, value, asked):
    """Of the newest lines of the journal; None if no frame had the value."""
    frames = re.findall(r"^(\d+) frame \d+ \w+ exposure_us=(\d+) gain=(\d+) frame_us=\d+ lens=(\d+)", journal, re.MULTILINE)
    writes = re.findall(r"^(\d+) write \d+ -?\d+ (.*)$", journal, re.MULTILINE)
    for us, *state in frames:
        exposure, gain, lens = map(int, state)
        has = {
            "ExposureTime": abs(exposure - value) < 60,
            "AnalogueGain": abs(gain / 1000 - value) < 0.03,
            "LensPosition": lens == LENS_AT_0 + LENS_PER_DIOPTRE * value,
        }[control]
        if int(us) >= asked and has:
            before = [int(at) for at, name in writes if name == CONTROLS[control] and asked <= int(at) <= int(us)]
            return Change((before[-1] - asked) / 1e6, (int(us) - asked) / 1e6) if before else None
    return None


def processor(listing):
    """(µs of processor, µs of time) of the line that services.processor() prints."""
    before, after, began, ended = map(int, re.search(r"^processor (\d+) (\d+) (\d+) (\d+)$", listing, re.MULTILINE).groups())
    return after - before, ended - began


def ages(found):
    """(median, longest) age in ms of those that are pictures of the camera."""
    all_ages = [one.age / 1000 for one in found if one.picture]
    return statistics.median(all_ages), max(all_ages)
