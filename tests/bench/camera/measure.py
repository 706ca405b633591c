"""What is measured of one service: at rest, with a client, when a value is set, when the camera breaks."""

import re
from typing import NamedTuple

from . import readings
from .services import CLIENT, KEPT, LOG, fault, processor

PERIOD_US = 125_000
# A stream that repeats the newest picture by its own clock is as old as the phase between the clocks makes it.
PHASES = 8
RESTARTS = 3
# The sensor's mode, as the one and the other log it.
MODE = re.compile(r"(?:Selected sensor format: |camera: sensor mode )(\d+x\d+)")
# A client for a moment, so that all memory is there that serving one takes.
ONE_STREAM = f"mkdir -p {KEPT}/one; {CLIENT} stream 1000 {KEPT}/one >/dev/null; rm -r {KEPT}"
# Until exposure, white balance and focus have settled, and with them picam's sensor runs at the stream's rate.
SETTLE = "sleep 12"
CHANGES = [("ExposureTime", 20000), ("ExposureTime", 9000), ("AnalogueGain", 4), ("AnalogueGain", 6)]
CHANGES += [("LensPosition", 4), ("LensPosition", 5)]


class Fault(NamedTuple):
    """A fault of the camera for so many seconds. exposure: what is asked for with /set then, in µs; 0: nothing."""

    name: str
    broken: dict
    seconds: float
    repaired: dict = {}
    exposure: int = 0


FAULTS = [
    *(Fault(f"no frames for {seconds} s", {"stall": 1}, seconds, {"stall": 0}) for seconds in (0.8, 1.5, 3, 30)),
    Fault("unplugged for 4 s", {"gone": 1}, 4, {"gone": 0}),
    Fault("the same frame for 5 s", {"freeze": 1}, 5, {"freeze": 0}),
    Fault("5 damaged frames", {"errors": 5}, 1),
    Fault("5 register writes fail, for a new ExposureTime", {"bus_errors": 5}, 1, exposure=9000),
    Fault("the image processor drops a job", {"drop": 1}, 1),
    Fault("the image processor takes 300 ms more for 4 s", {"slow_ms": 300}, 4, {"slow_ms": 0}),
]
# How long after a fault a service may still come back.
WATCHED = 10


def measure(guest, service, size, hertz):
    """{what: figures} of a service at a size: `held` and `available`, what was free before, for each of RESTARTS."""
    figures = {"starts": [], "available": [], "held": []}
    with guest.service(service, size, hertz) as start:
        figures["starts"].append(start)
        guest.run(SETTLE)
        texts = _exercise(guest)
        figures["mode"] = MODE.findall(guest.run(f"cat {LOG}"))[-1]
    _read(figures, texts, guest.fetch(), hertz)
    for _ in range(RESTARTS):
        figures["available"].append(guest.available())
        with guest.service(service, size, hertz) as start:
            figures["starts"].append(start)
            guest.run(f"{SETTLE}; {ONE_STREAM}")
            figures["held"].append(guest.held())
    return figures


def _read(figures, texts, kept, hertz):
    """Adds the figures that are in `texts` and in the pictures of `kept`."""
    steady = readings.seen(texts["steady"], "steady", kept)
    came = readings.new(steady)
    figures["rate"] = (len(came) - 1) / (came[-1].arrived - came[0].arrived) * 1e6
    for name in ("alone", "steady"):
        busy, time = readings.processor(texts[name])
        figures[f"processor_{name}"] = busy / 1000 / (time / 1e6 * hertz)
    names = [f"phase{phase}" for phase in range(PHASES)]
    figures["stream_age"] = readings.ages([one for name in names for one in readings.seen(texts[name], name, kept)])
    figures["jpg_age"] = readings.ages(readings.answered(texts["jpg"], "jpg", kept))
    figures["changes"] = texts["changes"]
    figures["red"] = came[-1].picture.colours[0]


def _exercise(guest):
    """What the client and the journal wrote, by name."""
    texts = {"alone": guest.run(processor("sleep 4"))}
    stream = f"mkdir -p {KEPT}/{{0}}; {CLIENT} stream {{1}} {KEPT}/{{0}} {{2}}"
    texts["steady"] = guest.run(processor(stream.format("steady", 5000, 0)), 600)
    for phase in range(PHASES):
        texts[f"phase{phase}"] = guest.run(stream.format(f"phase{phase}", 600, phase * PERIOD_US // PHASES), 600)
    texts["jpg"] = guest.run(f"mkdir -p {KEPT}/jpg; {CLIENT} ask /jpg {KEPT}/jpg 16", 600)
    texts["changes"] = []
    for control, value in CHANGES:
        asked = guest.run(f"{CLIENT} ask '/set?{control}={value}'; {SETTLE}").split()[0]
        texts["changes"].append((control, readings.change(guest.read("journal"), control, value, int(asked))))
    return texts


def break_camera(guest, service, size, hertz, which):
    """What a fault does to a service that was started for it."""
    stream = f"mkdir -p {KEPT}/fault; {CLIENT} stream {int(1000 * (2 + which.seconds + WATCHED))} {KEPT}/fault >/tmp/listing"
    breaks = fault(which.broken, which.seconds, which.repaired)
    if which.exposure:
        breaks += f"; {CLIENT} ask /set?ExposureTime={which.exposure}"
    with guest.service(service, size, hertz):
        guest.run(f"{SETTLE}; {stream} & sleep 2; {breaks}; wait $!", 600)
        listing, log = guest.run("cat /tmp/listing"), guest.run(f"cat {LOG}")
    return readings.outage(readings.seen(listing, "fault", guest.fetch()), log)
