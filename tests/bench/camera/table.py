"""The figures side by side, as Markdown. A row in which picam is not better says so, and why."""

import statistics
from typing import Callable, NamedTuple

from ..page import markdown
from .measure import FAULTS
from .readings import CONTROLS

# Smaller differences are none.
NOISE = 0.03
# Between two pictures, in seconds: what fails at another moment costs one more or less.
FRAME = 0.125
NARROW_MODE = "1536x864"
OUTAGES = "The longest time for which a client of `/stream` saw nothing new, with each service started afresh for each fault."
SIZES = [(640, 360), (2304, 1296)]


class Row(NamedTuple):
    """A figure. text: how it is written; worth: what is better the smaller it is, if that can be said; why: the reason
    where picam's is not the smaller one."""

    name: str
    text: Callable
    worth: Callable = None
    why: str = ""


def _seconds(figures, control, what):
    """Of each change of a control; endless for one that no frame had."""
    return [getattr(change, what) if change else float("inf") for name, change in figures["changes"] if name == control]


def _range(values, digits=2):
    low, high = (f"{value:.{digits}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low}–{high}"


def _change_row(control):
    def text(figures):
        times = [_range(_seconds(figures, control, what)) for what in ("register", "frame")]
        return "{} s; {} s".format(*times)

    name = f"`/set?{control}` to the register; to the start of the first frame with it"
    return Row(name, text, lambda figures: max(_seconds(figures, control, "frame")), QUEUE)


def _taken(figures):
    """What MemAvailable is less by while the service runs, in MB."""
    return statistics.median(
        (before - held["available"]) * 1.024 / 1000 for before, held in zip(figures["available"], figures["held"])
    )


QUEUE = "libcamera's queue of requests and the sensor's registers take as long in both"
MODE = (
    "picam shows the whole field, by the mode 2304x1296, whose readout takes 17 ms; the original takes 1536x864, which "
    "takes 8 ms and shows two thirds of the width"
)
ROWS = [
    Row("start to the first JPEG", lambda f: f"{_range(f['starts'])} s", lambda f: statistics.median(f["starts"])),
    Row("`/stream`, new pictures", lambda f: f"{f['rate']:.1f} Hz", lambda f: -f["rate"], "8 Hz is what was asked for"),
    Row(
        "processor per frame; without a client",
        lambda f: f"{f['processor_steady']:.1f} ms; {f['processor_alone']:.1f} ms",
        lambda f: f["processor_steady"],
    ),
    Row(
        "memory of the process (RSS); of that not files",
        lambda f: f"{f['held'][-1]['VmRSS'] * 1.024 / 1000:.0f} MB; {f['held'][-1]['RssAnon'] * 1.024 / 1000:.0f} MB",
        lambda f: f["held"][-1]["VmRSS"],
    ),
    Row("buffers of the camera", lambda f: f"{f['held'][-1]['buffers'][1] / 1e6:.1f} MB", lambda f: f["held"][-1]["buffers"][1]),
    Row("MemAvailable less by, median of three starts", lambda f: f"{_taken(f):.0f} MB", _taken),
    Row(
        "descriptors, at three starts",
        lambda f: _range([held["descriptors"] for held in f["held"]], 0),
        lambda f: f["held"][-1]["descriptors"],
    ),
    Row(
        "age of the picture in `/stream`: median, longest",
        lambda f: "{:.0f}, {:.0f} ms".format(*f["stream_age"]),
        lambda f: f["stream_age"][0],
        MODE,
    ),
    Row(
        "age of `/jpg` at any moment: median, longest",
        lambda f: "{:.0f}, {:.0f} ms".format(*f["jpg_age"]),
        lambda f: f["jpg_age"][0],
        "both take the newest frame, half an interval old on average; " + MODE,
    ),
    *map(_change_row, CONTROLS),
    Row("mode of the sensor", lambda f: f["mode"]),
    Row(
        "a red patch as (R, G, B)",
        lambda f: "outside the field" if f["mode"] == NARROW_MODE else "({:.0f}, {:.0f}, {:.0f})".format(*f["red"]),
    ),
]


def _note(row, original, picam):
    """What must be said of a row."""
    if not row.worth:
        return ""
    one, other = row.worth(original), row.worth(picam)
    if other < one - abs(one) * NOISE:
        return ""
    return ("equal" if other <= one + abs(one) * NOISE else "**worse**") + (f": {row.why}" if row.why else "")


def figures_table(original, picam):
    """The two services at one size."""
    rows = [[row.name, row.text(original), row.text(picam), _note(row, original, picam)] for row in ROWS]
    return markdown(["", "the original", "picam", "where picam is not better"], rows)


def _outage_text(which, outage):
    words = ["**never again**" if outage.seconds is None else f"{outage.seconds:.1f} s"]
    if outage.signs:
        words.append(f'"no signal" {outage.signs} times' if outage.signs > 1 else '"no signal" once')
    words += [f"ended with {code}, was started again" for code in outage.ended]
    if which.exposure:
        words.append("the exposure came" if abs(outage.exposure - which.exposure) < 60 else "the exposure **never came**")
    return "; ".join(words)


def _outage_note(original, picam):
    one, other = (float("inf") if outage.seconds is None else outage.seconds for outage in (original, picam))
    if other < one - FRAME:
        return ""
    return "equal" if other <= one + FRAME else "**worse**"


def outages_table(original, picam):
    """What faults did to both: {name: Outage} each."""
    rows = []
    for which in FAULTS:
        both = [outages[which.name] for outages in (original, picam)]
        rows.append([which.name, *(_outage_text(which, outage) for outage in both), _outage_note(*both)])
    return markdown(["what the camera does", "the original", "picam", "where picam is not better"], rows)


def result(original, picam, versions):
    """All of it. original, picam: (figures by size, outages by fault) of each."""
    parts = []
    for size in SIZES:
        parts += [f"#### At {size[0]}×{size[1]}, 8 Hz, quality 100", figures_table(original[0][size], picam[0][size])]
    parts += [f"#### When the camera fails, at {SIZES[0][0]}×{SIZES[0][1]}", OUTAGES, outages_table(original[1], picam[1])]
    parts.append("Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".")
    return "\n\n".join(parts)
