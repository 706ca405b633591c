"""What do bands cost, and what do they save? One photograph after the other, encoded by one thread and by several in turns.

    cargo build --release --locked
    python tests/bench/bands.py [ROUNDS]

Prints, for each number of threads up to the cores of this machine, how long a frame takes, what processor time picam spends on
it, and how large it is, each beside one thread's.
"""

import os
import re
import signal
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import photos, raw  # noqa: E402
from support.appliance import Picam  # noqa: E402

FRAMES = 48
TICKS = os.sysconf("SC_CLK_TCK")


def tables(threads):
    return {
        "camera": {"source": f"replay:{photos.folder()}", "rate": 8.0},
        "jpeg": {"quality": 100, "threads": threads},
    }


def processor(picam):
    """Seconds of it that picam has had."""
    fields = Path(f"/proc/{picam.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def encoded(picam):
    """(pictures, seconds that they took) so far."""
    text = picam.get("/metrics")[2].decode()
    return [float(re.search(rf"^picam_encode_seconds_{name} (\S+)$", text, re.MULTILINE)[1]) for name in ("count", "sum")]


def measure(picam, threads):
    """(latency in s, processor in s a frame, bytes a frame) of FRAMES frames with one client."""
    with raw.Stream(picam.port) as stream:
        while picam.status()["encode_threads"] != threads:
            stream.next()
        (count, seconds), spent = encoded(picam), processor(picam)
        sizes = [len(part.body) for part in stream.take(FRAMES)]
        spent = processor(picam) - spent
        count, seconds = (after - before for after, before in zip(encoded(picam), (count, seconds)))
    return seconds / count, spent / count, statistics.mean(sizes)


def main(rounds):
    found = {threads: [] for threads in range(1, os.cpu_count() + 1)}
    with tempfile.TemporaryDirectory() as folder:
        picam = Picam(folder, tables(1)).wait_ready()
        try:
            for _ in range(rounds):
                for threads, rows in found.items():
                    picam.write_config(tables(threads))
                    picam.signal(signal.SIGHUP)
                    rows.append(measure(picam, threads))
        finally:
            picam.stop()
    alone = [statistics.median(column) for column in zip(*found[1])]
    for threads, rows in found.items():
        latency, spent, size = (statistics.median(column) for column in zip(*rows))
        print(
            f"{threads} threads: {1e3 * latency:.2f} ms, {latency / alone[0]:.2f} of one thread's;"
            f" {1e3 * spent:.2f} ms of processor a frame ({spent / alone[1] - 1:+.1%}); {size / alone[2] - 1:+.3%} bytes"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5)
