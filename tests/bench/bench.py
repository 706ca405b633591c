#!/usr/bin/env python3
"""Figures, no verdict: what picam costs per client, beside a plain writer that sends the same frames.

Photographs at 2304×1296, about 500 KB a frame, on loopback. A row: processor time that sending takes per frame
and client (picam: its http threads; the plain writer: all of it, and it takes its frames from picam), that all of
picam takes per camera frame (decoding the replayed JPEG and encoding it), delay from capture to the last byte at
the client (median and 99th percentile over all clients), the server's memory per client, and frames that clients
skipped. One thread of this program reads all clients: with 100 on a small machine it is the bottleneck.
"""

import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import photos
from support.appliance import Picam, resident_kib, threads_cpu_seconds
from support.plain import Plain
from support.swarm import Swarm

SECONDS = 8.0
CLIENTS = (1, 10, 100)
RATES = (8.0, 30.0)
HEAD = "{:<8} {:>7} {:>7} {:>15} {:>15} {:>8} {:>8} {:>8} {:>11} {:>6}"
ROW = "{:<8} {:>7} {:>7g} {:>15.0f} {:>15} {:>8.2f} {:>8.1f} {:>8.1f} {:>11.1f} {:>6}"


def measure(name, server, rate, clients, sender=""):
    """Reads `clients` streams for a while and prints one row."""
    with contextlib.closing(Swarm()) as swarm:
        idle = resident_kib(server.pid)
        swarm.add(server.port, clients)
        swarm.run(2.0)  # connections settle, buffers find their size
        for client in swarm.clients:
            client.sequences.clear()
            client.delays.clear()
        before = [threads_cpu_seconds(server.pid, threads) for threads in (sender, "")]
        swarm.run(SECONDS)
        sending, everything = (
            threads_cpu_seconds(server.pid, threads) - past for threads, past in zip((sender, ""), before)
        )
        memory = resident_kib(server.pid) - idle
        frames = sum(len(client.sequences) for client in swarm.clients)
        errors = [client.error for client in swarm.clients if client.error]
        if errors or not frames:
            print(f"{name}: {len(errors)} clients failed: {errors[:1]}")
            return
        delays = [delay * 1000 for client in swarm.clients for delay in client.delays]
        cuts = statistics.quantiles(delays, n=100)
        lost = sum(client.lost() for client in swarm.clients)
        each = sending / frames * 1e6
        picture = f"{(everything - sending) / (SECONDS * rate) * 1e6:.0f}" if sender else "-"
        hertz = frames / SECONDS / clients
        print(ROW.format(name, clients, rate, each, picture, hertz, cuts[49], cuts[98], memory / clients, lost))


def main():
    folder, quality = photos.frame_set(500)
    columns = ["server", "clients", "camera", "µs/client-frame", "µs/camera-frame", "Hz each", "p50 ms", "p99 ms"]
    print(HEAD.format(*columns, "KiB/client", "lost"))
    for rate in RATES:
        tables = {"camera": {"source": f"replay:{folder}", "stamp": True, "rate": rate}, "jpeg": {"quality": quality}}
        for clients in CLIENTS:
            with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as running:
                picam = Picam(place, tables)
                running.callback(picam.stop)
                picam.wait_ready()
                with contextlib.closing(Swarm()) as warm:
                    warm.add(picam.port)
                    warm.run(2.0)  # every picture buffer is in use before memory is read
                measure("picam", picam, rate, clients, sender="http")
                plain = Plain(picam)
                running.callback(plain.stop)
                measure("plain", plain, rate, clients)


if __name__ == "__main__":
    main()
