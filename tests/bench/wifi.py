"""How old are the pictures of two streams over a Wi-Fi-like link that is too slow for both, with and without jpeg.max_mbit?

    python tests/bench/wifi.py

Prints, for each, what each client got a second, the median age of its pictures in seconds, and the quality at the end.
Needs root.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import photos  # noqa: E402
from support.appliance import Picam  # noqa: E402
from support.process import PYTHON  # noqa: E402
from support.swarm import Swarm  # noqa: E402
from support.wifi_link import SERVER, Link  # noqa: E402

MBIT = 60
CLIENTS = 2
# The quality finds its place first.
SETTLING, SECONDS = 15.0, 15.0


def client(port):
    """At the other end of the link: prints what each of CLIENTS got as JSON."""
    swarm = Swarm()
    swarm.add(port, CLIENTS, host=SERVER)
    swarm.run(SETTLING)
    for one in swarm.clients:
        one.delays.clear()
    began = time.monotonic()
    swarm.run(SECONDS)
    spent = time.monotonic() - began
    print(json.dumps([(len(one.delays) / spent, statistics.median(one.delays)) for one in swarm.clients]))
    swarm.close()


def output(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def measure(max_mbit):
    tables = {
        "camera": {"source": f"replay:{photos.folder()}", "stamp": True, "rate": 8.0},
        "jpeg": {"quality": 100, "max_mbit": max_mbit},
    }
    with tempfile.TemporaryDirectory() as folder, Link(delay=0.008, rate=MBIT * 1e6) as link:
        picam = Picam(folder, tables, listen=f"{SERVER}:0", prefix=link.server)
        try:
            port = picam.wait_ready().port
            rows = json.loads(output([*link.client, PYTHON, __file__, str(port)]))
            status = json.loads(output([*link.client, "curl", "--silent", f"{picam.url}/status"]))
        finally:
            picam.stop()
    told = ", ".join(f"{rate:.1f} Hz {age:.2f} s" for rate, age in rows)
    size = status["frame"]["jpeg_bytes"] / 1000
    print(f"max_mbit = {max_mbit:>4}: {told}; quality {status['encode_quality']}, {size:.0f} KB a frame", flush=True)


def main():
    print(f"{CLIENTS} streams over {MBIT} Mbit/s:")
    for max_mbit in (0.0, MBIT / CLIENTS * 0.8):
        measure(max_mbit)


if __name__ == "__main__":
    client(int(sys.argv[1])) if len(sys.argv) > 1 else main()
