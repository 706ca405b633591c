#!/usr/bin/env python3
"""An hour of bad company: does picam stay what it was after its first minute?

Fifty clients come, go, stall, half-close and send rubbish; the source stalls now and then; steady stream clients
watch all the time. Once a second picam's resident memory, mappings, descriptors, threads and connections are written down.
At the end memory and mappings must be flat, descriptors and threads back where they were, and no steady stream lost.
The samples are left in soak.json, drawn in soak.svg. Exit code 1 and a line for each thing that was wrong.

Everything runs on 127.0.0.1 in one thread. `--seed` repeats every client's decisions, not their exact moments.
"""

import argparse
import collections
import heapq
import itertools
import json
import random
import selectors
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import drawing  # noqa: E402
from support import raw  # noqa: E402
from support.appliance import ROOT, Picam  # noqa: E402
from support.memory import warm_up  # noqa: E402
from support.swarm import Client  # noqa: E402

VISITORS = 50
STEADY = 4
TABLES = {
    "camera": {"width": 640, "height": 360},
    "jpeg": {"quality": 80},
    # Short, so that stalled and silent clients come round often.
    "limits": {"request_seconds": 2.0, "write_seconds": 2.0},
}
# Between the medians of the second and the last quarter. A stall leaves up to two frames more in use (338 KiB each), now
# and then another two: while the sum stays within six frames, nothing piles up. A page leaked with every fiftieth of the
# 70,000 visits of an hour would be over it.
MEMORY_TOLERANCE_KIB = 2048
# The same for mappings. A coroutine's stack and its guard page are two of them, so they come and go with the clients. One
# leaked with every thousandth visit would be over it.
MAPPINGS_TOLERANCE = 32
# A client waits this long for what it must get; a limit of picam's is never that long here.
PATIENCE = 60.0
# A header of that many bytes was not cut off: picam's own limit is 16 KiB, the rest waits in the kernels.
ENDLESS_BYTES = 8 << 20
# A steady client that gets fewer of the captured frames than this was not served, however busy the machine is.
LEAST_SERVED = 0.3

GARBAGE = [
    bytes.fromhex("16030100c8010000c40303") + bytes(range(256)),
    b"\0" * 4096,
    b"GET /jpg\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /jpg HTTP/1.1\r\nnonsense\r\n\r\n",
    b"GET /jpg HTTP/1.1\r\nHost : x\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: \xff\r\n\r\n",
    raw.get("/jpg", *(f"X-Number-{number}: {number}" for number in range(40))),
    raw.get("/jpg", "Content-Length: -1"),
    raw.get("/nothing", "Content-Length: 99999999999999999999", method="POST"),
    raw.get("/nothing", "Transfer-Encoding: chunked", "Content-Length: 5", method="POST") + b"0\r\n\r\n" + raw.get("/metrics"),
    raw.get("/jpg", method="BREW"),
]
RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: close by a reset


class Wait:
    """What a client yields: resume it when `sock` is ready for `event`, at the latest at `until`."""

    def __init__(self, until, sock=None, event=selectors.EVENT_READ):
        self.until, self.sock, self.event = until, sock, event


class Loop:
    """Runs clients, which are generators of `Wait`; each is sent True if its socket is ready, False if it is time."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.clients = set()
        self._due = []
        self._turns = {}  # client: number of its newest wait
        self._number = itertools.count()

    def start(self, client):
        self.clients.add(client)
        self._resume(client, None)

    def run(self, until):
        while (now := time.monotonic()) < until:
            first = self._due[0][0] if self._due else until
            for key, _ in self.selector.select(max(0.0, min(first, until) - now)):
                self._resume(key.data, True)
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                _, number, client = heapq.heappop(self._due)
                if self._turns.get(client) == number:
                    self._resume(client, False)

    def stop(self, client):
        """Ends a client where it is; its sockets are closed by its own `with`."""
        self._forget(client)
        self.clients.discard(client)
        client.close()

    def _forget(self, client):
        self._turns.pop(client, None)
        for key in list(self.selector.get_map().values()):
            if key.data is client:
                self.selector.unregister(key.fileobj)

    def _resume(self, client, ready):
        self._forget(client)
        try:
            wait = client.send(ready)
        except StopIteration:
            self.clients.discard(client)
            return
        self._turns[client] = number = next(self._number)
        heapq.heappush(self._due, (wait.until, number, client))
        if wait.sock:
            self.selector.register(wait.sock, wait.event, client)


def soon(seconds):
    return time.monotonic() + seconds


def read_to_end(sock, patience=PATIENCE):
    """Generator; its value: (all bytes until the peer closes, "fin" | "reset" | "open" after `patience`)."""
    data, until = bytearray(), soon(patience)
    while (yield Wait(until, sock)):
        try:
            chunk = sock.recv(1 << 16)
        except ConnectionResetError:
            return bytes(data), "reset"
        if not chunk:
            return bytes(data), "fin"
        data += chunk
    return bytes(data), "open"


class Soak:
    """One run: the picam, its clients, and what was seen."""

    def __init__(self, picam, seed):
        self.picam = picam
        self.seed = seed
        self.loop = Loop()
        self.began = time.monotonic()
        self.counts = collections.Counter()
        self.faults = {}  # text: (second at which it was seen first, how often)
        self.samples = []
        self.stalls = []  # (second at which it was asked for, its length in seconds)
        self.steady = []

    def now(self):
        return time.monotonic() - self.began

    def fault(self, text):
        first, times = self.faults.get(text, (self.now(), 0))
        self.faults[text] = first, times + 1

    def connect(self, receive_buffer=None):
        sock = raw.connect(self.picam.port, receive_buffer=receive_buffer, timeout=PATIENCE)
        sock.setblocking(False)  # from here on: what is sent first fits into any send buffer
        return sock

    # Clients. Each takes a random generator of its own.

    def look(self, rng):
        """One answer, read at once."""
        path, expected = rng.choice([
            ("/jpg", {200, 503}), ("/jpg?fresh=1", {200, 503}), ("/status", {200}), ("/metrics", {200}),
            ("/healthz", {200, 503}), ("/nothing", {404}), ("/set?LensPosition=1.5", {200}), ("/set?LensPosition=x", {400}),
            ("/stream?fps=0", {400}), ("/debug/panic", {500}),
        ])  # fmt: skip
        times = rng.choice([1, 1, 1, 20])  # the first request of a connection is answered, what follows is thrown away
        with self.connect() as sock:
            sock.send(times * raw.get(path))
            answer = yield from read_to_end(sock)
        self.check(path, answer, expected)

    def check(self, what, answer, expected):
        """The answer is whole and has one of the `expected` statuses."""
        try:
            parsed = raw.parse(*answer)
            assert parsed.status in expected, f"answered {parsed.status}: {parsed.body[:80]!r}"
            assert len(parsed.body) == int(parsed.headers["content-length"]), "cut short"
            assert parsed.closed != "open", "not closed"
        except (AssertionError, KeyError, ValueError) as error:
            self.fault(f"{what}: {error}")

    def watch(self, rng):
        """Watches a stream for a while and leaves, sometimes by a reset within a picture."""
        with self.connect(rng.choice([None, None, 4096])) as sock:
            sock.send(raw.get(rng.choice(["/stream", "/stream?fps=2", "/?action=stream"])))
            until = soon(rng.uniform(0.1, 6.0))
            while (yield Wait(until, sock)):
                try:
                    if not sock.recv(1 << 16):
                        self.fault("a watched stream was ended")
                        break
                except ConnectionResetError:
                    self.fault("a watched stream was reset")
                    break
            if rng.random() < 0.5:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def stall(self, rng):
        """Asks and never reads."""
        with self.connect(4096) as sock:
            sock.send(raw.get(rng.choice(["/stream", "/stream", "/jpg"])))
            yield Wait(soon(rng.uniform(0.5, 8.0)))

    def half_close(self, rng):
        """Asks, closes its sending side, and must be served all the same."""
        path = rng.choice(["/stream", "/jpg", "/status"])
        with self.connect() as sock:
            sock.send(raw.get(path))
            sock.shutdown(socket.SHUT_WR)
            if path != "/stream":
                self.check(f"half-closed {path}", (yield from read_to_end(sock)), {200, 503})
                return
            data, until = b"", soon(PATIENCE)
            while data.count(b"X-Frame: ") < 3 and (yield Wait(until, sock)):
                try:
                    chunk = sock.recv(1 << 16)
                except ConnectionResetError:
                    chunk = b""
                if not chunk:
                    break
                data += chunk
            if data.count(b"X-Frame: ") < 3:
                self.fault(f"half-closed /stream: {data[:60]!r} and {data.count(b'X-Frame: ')} pictures")

    def malformed(self, rng):
        """Sends what is no request: is refused by an error or by a close, in the end."""
        rubbish = rng.choice([*GARBAGE, rng.randbytes(rng.randrange(1, 2000)), rng.randbytes(40) + b"\r\n\r\n"])
        with self.connect() as sock:
            try:
                sock.send(rubbish)
            except ConnectionError:
                return
            self.check_refused("malformed", (yield from read_to_end(sock)))

    def partial(self, rng):
        """Sends the beginning of a request; leaves, or waits for the end of picam's patience."""
        request = raw.get("/jpg")
        with self.connect() as sock:
            sock.send(request[: rng.randrange(len(request) - 1)])
            if rng.random() < 0.5:
                yield Wait(soon(rng.uniform(0.1, 3.0)))
            else:
                self.check_refused("partial", (yield from read_to_end(sock)))

    def endless(self, rng):
        """Sends header bytes until picam answers, closes or resets."""
        sent, until = 0, soon(PATIENCE)
        with self.connect() as sock:
            sock.send(b"GET /jpg HTTP/1.1\r\nX: ")
            # Reading, too: a sender whose window is shut learns of a close by the end of what it reads, and of a reset
            # only once the kernel has forgotten the closed socket, after a minute.
            both = selectors.EVENT_READ | selectors.EVENT_WRITE
            while sent < ENDLESS_BYTES and (yield Wait(until, sock, both)):
                try:
                    sock.recv(1, socket.MSG_PEEK)
                    return  # answered or closed
                except BlockingIOError:
                    pass  # so it can be written to
                except ConnectionError:
                    return
                try:
                    sent += sock.send(b"a" * rng.randrange(1, 1 << 14))
                except ConnectionError:
                    return
            self.fault("endless header: neither cut off nor answered")

    def check_refused(self, what, answer):
        data, closed = answer
        if closed == "open":
            self.fault(f"{what}: not closed within {PATIENCE} s")
        elif data and raw.parse(data).status not in {400, 404, 405, 408, 431, 503, 505}:
            self.fault(f"{what}: answered {data[:60]!r}")

    # What goes on all the time.

    def visit(self, slot):
        """One visitor after the other, each of a random kind."""
        kinds = {self.look: 5, self.watch: 5, self.stall: 3, self.half_close: 3, self.malformed: 2, self.partial: 2,
                 self.endless: 1}  # fmt: skip
        rng = random.Random(f"{self.seed} {slot}")
        while True:
            yield Wait(soon(rng.uniform(0.0, 2.0)))
            kind = rng.choices(list(kinds), kinds.values())[0]
            self.counts[kind.__name__] += 1
            yield from kind(rng)

    def watch_steadily(self, client):
        """A stream that must not be lost; its numbers must not go back."""
        buffer = memoryview(bytearray(1 << 18))
        seen = 0
        while True:
            if not (yield Wait(soon(PATIENCE), client.sock)):
                client.error = f"nothing came for {PATIENCE} s"
                break
            try:
                count = client.sock.recv_into(buffer)
                if not count:
                    client.error = "closed by picam"
                    break
                client.feed(buffer[:count])
            except (OSError, ValueError) as error:
                client.error = f"{type(error).__name__}: {error}"
                break
            for earlier, later in itertools.pairwise(client.sequences[max(0, seen - 1) :]):
                if later < earlier:
                    self.fault(f"a steady stream went back from frame {earlier} to {later}")
            seen = len(client.sequences)
        self.fault(f"a steady stream was lost: {client.error}")

    def stall_source(self):
        """Hides the camera's frames for some seconds now and then, and leaves it time to settle in between."""
        rng = random.Random(f"{self.seed} source")
        while True:
            yield Wait(soon(rng.uniform(15.0, 30.0)))
            seconds = rng.randrange(2, 5)
            with self.connect() as sock:
                sock.send(raw.get(f"/debug/stall?seconds={seconds}"))
                self.stalls.append((round(self.now(), 1), seconds))
                self.check("stall", (yield from read_to_end(sock)), {200})

    def sample(self):
        """Writes down once a second what picam takes."""
        while True:
            second = time.monotonic()
            sample = {"second": round(self.now(), 1), **resources(self.picam)}
            with self.connect() as sock:
                sock.send(raw.get("/status"))
                data, _ = yield from read_to_end(sock)
            try:
                status = json.loads(raw.parse(data).body)
                sample |= {name: status[name] for name in ("connections", "streams")}
                sample["stalls"] = status["counters"]["stalls"]
                sample["frames"] = status["counters"]["frames_captured"]
                self.samples.append(sample)
            except (AssertionError, ValueError) as error:
                self.fault(f"/status: {error}")
            yield Wait(max(second + 1.0, time.monotonic()))

    def report(self):
        """A line a minute for who looks on."""
        while True:
            yield Wait(soon(60.0))
            print(f"soak: {self.now():.0f} s, {sum(self.counts.values())} visits, {self.samples[-1]}", flush=True)

    def run(self, seconds):
        for _ in range(STEADY):
            client = Client(self.picam.port, "/stream")
            self.steady.append(client)
            self.loop.start(self.watch_steadily(client))
        for client in [self.sample(), self.report(), self.stall_source(), *map(self.visit, range(VISITORS))]:
            self.loop.start(client)
        self.loop.run(self.began + seconds)
        for client in list(self.loop.clients):
            self.loop.stop(client)
        for client in self.steady:
            client.sock.close()
        # What picam still answers is not a leak.
        self.picam.wait_status(lambda status: status["connections"] <= 1 and status["streams"] == 0, timeout=PATIENCE)


def resources(picam):
    """What a process can leak, as the kernel counts it."""
    return {
        "memory_kib": picam.rss_kib(),
        "mappings": len(Path(f"/proc/{picam.pid}/maps").read_text().splitlines()),
        "descriptors": len(list(Path(f"/proc/{picam.pid}/fd").iterdir())),
        "threads": len(picam.threads()),
    }


def at_rest(picam):
    """What picam takes when a second has brought no fewer descriptors: what its last client left is closed."""
    least, until = resources(picam), soon(1.0)
    while time.monotonic() < until:
        time.sleep(0.1)
        if (now := resources(picam))["descriptors"] < least["descriptors"]:
            least, until = now, soon(1.0)
    return least


def settled(picam, before):
    """What picam takes once it has had the time to close what its last clients left."""
    until = soon(PATIENCE)
    while (now := resources(picam))["descriptors"] > before["descriptors"] and time.monotonic() < until:
        time.sleep(0.1)
    return now


def judge(soak, before, after):
    """The lines that say what is wrong."""
    wrong = [f"{times}×, first at {first:.1f} s: {text}" for text, (first, times) in soak.faults.items()]
    quarter = len(soak.samples) // 4
    if quarter < 5:
        return [*wrong, f"{len(soak.samples)} samples are too few"]
    for name, tolerance in (("memory_kib", MEMORY_TOLERANCE_KIB), ("mappings", MAPPINGS_TOLERANCE)):
        taken = [sample[name] for sample in soak.samples]
        second, last = statistics.median(taken[quarter : 2 * quarter]), statistics.median(taken[-quarter:])
        if last - second > tolerance:
            wrong.append(f"{name} grew: median {second} in the second quarter, {last} in the last")
    for name in ("descriptors", "threads"):
        if after[name] > before[name]:
            wrong.append(f"{name}: {before[name]} before, {after[name]} after")
    captured = soak.samples[-1]["frames"] - soak.samples[0]["frames"]
    # A "no signal" picture has the number of the last frame. There is one a second, and one when a stall begins.
    repeats_allowed = sum(seconds for _, seconds in soak.stalls) + 2 * (1 + soak.samples[-1]["stalls"])
    for number, client in enumerate(soak.steady):
        numbers = client.sequences
        if len(numbers) < LEAST_SERVED * captured:
            wrong.append(f"steady stream {number}: {len(numbers)} of {captured} frames")
        repeats = len(numbers) - len(set(numbers))
        if repeats > repeats_allowed:
            wrong.append(f"steady stream {number}: {repeats} numbers came twice, at most {repeats_allowed} may")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--report", type=Path, default=ROOT / "target" / "soak", help="folder of soak.json and soak.svg")
    options = parser.parse_args()
    print(f"soak: {options.seconds:.0f} s, --seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        picam = Picam(folder, TABLES, env={"PICAM_TEST_FAULTS": "1"})
        try:
            picam.wait_ready()
            warm_up(picam)
            before = at_rest(picam)
            soak = Soak(picam, options.seed)
            soak.run(options.seconds)
            after = settled(picam, before)
        except BaseException:
            picam.process.kill()
            picam.wait()
            raise
        picam.stop()
    wrong = judge(soak, before, after)
    options.report.mkdir(parents=True, exist_ok=True)
    result = {
        "seconds": options.seconds, "seed": options.seed, "before": before, "after": after, "visits": dict(soak.counts),
        "stalls": soak.stalls, "steady_frames": [len(client.sequences) for client in soak.steady],
        "log_lines": len(picam.lines), "wrong": wrong, "samples": soak.samples,
    }  # fmt: skip
    (options.report / "soak.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.report / "soak.svg").write_text(drawing.svg(soak.samples, soak.stalls, options.seed))
    print(f"soak: visits {dict(soak.counts)}")
    print(f"soak: before {before}, after {after}, steady streams {result['steady_frames']} frames, "
          f"{len(soak.stalls)} stalls, {len(picam.lines)} log lines; {options.report}/soak.svg")  # fmt: skip
    for line in wrong:
        print(f"soak: WRONG: {line}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
