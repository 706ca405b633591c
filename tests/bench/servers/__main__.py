"""picam beside other servers and beside the limits, on this machine: `make bench`, or `python -m bench.servers [docs]`.

Prints the tables, and writes them with JSON and a plot into target/bench; with `docs` into docs/performance.md, too.
"""

import datetime
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from support.appliance import ROOT

from ..page import write_into
from .pictures import Pictures
from .plot import plot
from .servers import EXAMPLES, PEERS, SIZE, limit, picam_pattern, picam_photographs, versions
from .tables import result

CLIENTS = (1, 10, 50, 200)
ROUNDS = 3
SECONDS = 3.0
RESULTS = ROOT / "target" / "bench"
PAGE = ROOT / "docs/performance.md"


def main():
    cores = len(os.sched_getaffinity(0))
    command = f"make bench on {cores} cores" if sys.argv[1:] == ["docs"] else ""
    if command and command not in PAGE.read_text():
        sys.exit(f"make bench: {PAGE.relative_to(ROOT)} has no place for figures of {cores} cores")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        pictures = {quality: Pictures(folder / str(quality), quality) for quality in (100, 85)}
        wanted = [(start, 100) for start in PEERS]
        wanted += [(picam_photographs, 85), (limit, 85), (picam_pattern, 100)]
        rounds = [_round(folder, pictures, wanted) for _ in range(ROUNDS)]
        told = {
            "machine": _machine(cores),
            "versions": versions(),
            "tjbench_ms": _tjbench(pictures[100].ppm),
            "rows": [_median([one[number] for one in rounds]) for number in range(len(wanted))],
        }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "bench.json").write_text(json.dumps(told, indent=1) + "\n")
    plot(told, RESULTS / "bench.svg")
    text = result(told)
    print(text)
    if command:
        write_into(PAGE, text, command)
        shutil.copy(RESULTS / "bench.svg", PAGE.with_name(f"bench-{cores}.svg"))
    print(f"\nwritten into {RESULTS.relative_to(ROOT)}", file=sys.stderr)


def _round(folder, pictures, wanted):
    """One row for each of `wanted`."""
    rows = []
    for start, quality in wanted:
        with start(folder, pictures[quality], quality) as server:
            print(f"{server.name}, quality {quality}", file=sys.stderr)
            loads = [_load(server, 0), *(_load(server, clients) for clients in CLIENTS)]
            rows.append({"server": server.name, "quality": quality, "first_jpeg_ms": server.first_jpeg * 1000, "loads": loads})
    return rows


def _load(server, clients):
    command = [EXAMPLES / "bench-load", server.port, server.path, clients, SECONDS, server.pid, server.clock]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        return {"clients": clients, "failed": done.stderr.strip()}
    return json.loads(done.stdout)


def _median(rows):
    """The median of each figure of one server's rounds; a load that failed once has failed."""
    first = rows[0]
    loads = []
    for same in zip(*(row["loads"] for row in rows)):
        failed = [load for load in same if "failed" in load]
        loads.append(failed[0] if failed else {name: _middle([load[name] for load in same]) for name in same[0]})
    return first | {"first_jpeg_ms": statistics.median(row["first_jpeg_ms"] for row in rows), "loads": loads}


def _middle(figures):
    return None if None in figures else statistics.median(figures)


def _machine(cores):
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "date": datetime.date.today().isoformat(),
        "processor": model[1] if model else platform.machine(),
        "cores": cores,
        "kernel": platform.release(),
        "size": SIZE,
        "rounds": ROUNDS,
        "seconds": SECONDS,
    }


def _tjbench(ppm):
    """Milliseconds in which libjpeg-turbo's own benchmark encodes the planes of a picture, at quality 100 on one core."""
    options = ["100", "-subsamp", "420", "-yuv", "-componly", "-nowrite", "-benchtime", "2"]
    done = subprocess.run(["tjbench", ppm, *options], capture_output=True, text=True, check=True)
    return 1000 / float(re.search(r"Comp from YUV\s+--> Frame rate:\s+([\d.]+) fps", done.stdout)[1])


if __name__ == "__main__":
    main()
