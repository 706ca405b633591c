"""No neighbour on the network takes what the others need: one address floods picam or takes all the connections that it
can get; the programs of picam's own machine and the other neighbours are served as if it were not there."""

import contextlib
import re
import subprocess
import threading
import time

import pytest
from support import raw
from support.appliance import BINARY, PATIENCE
from support.attackers import ATTACKER, HONEST, Exhaust, Flood
from support.swarm import Swarm
from support.tries import holds_once

# How long each attack lasts once it is at full strength, seconds.
ATTACK = 4


def probe(picam, path="/healthz"):
    """What the appliance's guard is told, and the exit code."""
    done = subprocess.run([BINARY, "--probe", picam.url + path], capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout.rstrip("\n")


class Guarded(threading.Thread):
    """Asks like the guard, again and again."""

    def __init__(self, picam):
        super().__init__(daemon=True)
        self.picam, self.told, self._end = picam, [], threading.Event()

    def run(self):
        while not self._end.wait(0.2):
            self.told.append(probe(self.picam))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join()


ATTACKS = {
    "all connections": Exhaust,
    "flood of /jpg": lambda port: Flood(port, "/jpg"),
    "flood of /healthz": lambda port: Flood(port, "/healthz"),
    "flood of /set": lambda port: Flood(port, "/set?LensPosition=1"),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_one_address_against_all_others(start_picam, small_tables, attack):
    picam = start_picam(small_tables)

    def lost_frames():
        with contextlib.closing(Swarm()) as swarm, attack(picam.port) as attacker:
            attacker.wait_answers(200, 10)
            if isinstance(attacker, Exhaust):
                attacker.wait_answers(429, 100)
            (honest,) = swarm.add(picam.port, source=HONEST)
            with Guarded(picam) as guarded:
                swarm.run(ATTACK)
            assert honest.error is None and len(honest.sequences) > ATTACK
            assert raw.exchange(picam.port, raw.get("/healthz"), PATIENCE, source=HONEST).status == 200
        assert guarded.told and set(guarded.told) == {(0, "live")}
        return honest.lost()

    holds_once(lost_frames)


def test_an_address_over_its_limit_is_answered_429(start_picam, small_tables):
    picam = start_picam({**small_tables, "limits": {"per_address": 2}})
    streams = [raw.connect(picam.port, source=ATTACKER) for _ in range(2)]
    for stream in streams:
        stream.sendall(raw.get("/stream"))
        assert stream.recv(12) == b"HTTP/1.1 200"
    for _ in range(10):  # those that were refused do not count
        refused = raw.exchange(picam.port, raw.get("/jpg"), PATIENCE, source=ATTACKER)
        assert (refused.status, refused.headers["x-limit"]) == (429, "per_address")
        assert refused.body == b"127.0.0.2 has 2 connections already (limits.per_address)\n"
    assert raw.exchange(picam.port, raw.get("/jpg"), PATIENCE, source=HONEST).status == 200
    assert picam.refused("per_address") == 10
    streams[0].close()
    picam.wait_status(lambda status: status["streams"] == 1)
    assert raw.exchange(picam.port, raw.get("/jpg"), PATIENCE, source=ATTACKER).status == 200
    streams[1].close()


def test_whoever_sets_a_thousand_times_does_not_wipe_the_log(start_picam, small_tables):
    picam = start_picam(small_tables)
    started, times = time.monotonic(), 200
    for number in range(times):
        answer = raw.exchange(picam.port, raw.get(f"/set?ExposureTime={1000 + number}"), PATIENCE, source=HONEST)
        assert answer.status == 200
    lines = [line for line in picam.lines if "set ExposureTime" in line]
    assert 1 <= len(lines) <= time.monotonic() - started + 1
    picam.get("/set?ExposureTime=1")  # at most a second later the next line counts those before it
    picam.wait_status(lambda _: picam.get("/set?ExposureTime=2")[0] == 200 and re.search(r"set .*\d+ more since", picam.log()))


def test_probe_tells_full_from_blind_from_silent(start_picam, small_tables):
    limits = {"connections": 1, "streams": 1, "connections_hard": 20}
    picam = start_picam({**small_tables, "limits": limits}, env={"PICAM_TEST_FAULTS": "1"})
    assert probe(picam) == (0, "live")
    code, line = probe(picam, "/jpg")
    assert code == 0 and line.startswith("live ") and int(line.removeprefix("live ")) > 0
    with contextlib.ExitStack() as taken:
        for _ in range(5):  # limits.connections, and the places that only this machine gets
            stream = taken.enter_context(raw.connect(picam.port))
            stream.sendall(b"GET /")
        assert probe(picam) == (1, "full all 1 connections are taken (limits.connections)")
    picam.wait_status(lambda status: status["connections"] == 1)
    assert picam.get("/debug/stall?seconds=60")[0] == 200
    picam.wait_status(lambda status: status["signal"] == "lost")
    code, line = probe(picam)
    assert code == 1 and line.startswith("blind no signal")
    picam.stop()
    code, line = probe(picam)
    assert code == 1 and line.startswith("silent ")
