"""usr/lib/picam/starts as it is: what it knows of a start, what is left of the one before, and what /status and /metrics
tell of both; on a card that is full, read-only, or spoiled."""

import json
import re

import pytest
from support import raw
from support.appliance import toml
from support.overlay import Overlay, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

STARTS = "/usr/lib/picam/starts"
LOG = "/data/update/starts"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
POWER, RESET = 0x1000, 0x20


@pytest.fixture
def root(tmp_path):
    with Overlay(tmp_path) as root:
        root.shell("mkdir -p /data/update /run/picam")
        yield root


def begin(root, *before):
    """Another start, after these words to the script in the last one: the log's last line, without its time."""
    script = "".join(f"{STARTS} {words}; " for words in before)
    told = root.shell(f"{script} rm -rf /run/picam; {STARTS} begin")
    assert told == "", told
    return re.fullmatch(rf"(\d+) {TIME} (.*)", log(root)[-1]).expand(r"\1 \2")


def log(root, path=LOG):
    return root.shell(f"cat {path}").splitlines()


def test_why_it_was_started_and_what_became_of_it(root):
    assert begin(root) == "1 A 1.0.0 power starting"
    assert begin(root, "outcome serving", "stops") == "2 A 1.0.0 ordered starting"
    # A reason that was told counts for one start; one that was told first is not overwritten by the orderly end.
    assert begin(root, "outcome serving", "outcome 'restarted: no frames'", "ends guard", "stops") == "3 A 1.0.0 guard starting"
    assert begin(root) == "4 A 1.0.0 power starting"
    root.set_firmware(partition=2, tryboot=0, rsts=RESET)
    assert begin(root, "outcome committed", "outcome serving") == "5 A 1.0.0 reset starting"
    root.set_firmware(partition=2, tryboot=0, rsts=POWER)
    assert begin(root) == "6 A 1.0.0 power starting"
    root.shell("echo B >/data/update/staged")
    assert begin(root) == "7 A 1.0.0 fall-back starting"
    outcomes = ["serving", "restarted: no frames", "lost", "committed", "lost", "lost", "starting"]
    assert [line.split(" ", 5)[5] for line in log(root)] == outcomes
    assert log(root) == log(root, "/run/picam/starts")


def test_a_trial_and_a_walk(tmp_path):
    with Overlay(tmp_path, slot="B") as root:
        assert begin(root) == "1 B 1.0.0 trial starting"
        root.set_firmware(partition=3, tryboot=0)
        assert begin(root) == "2 B 1.0.0 walk starting"


def test_one_start_is_one_line(root):
    begin(root)
    root.shell(f"{STARTS} begin; {STARTS} begin")
    assert len(log(root)) == 1


def test_a_hundred_are_kept(root):
    root.shell(f"for n in $(seq 150); do echo $n 2026-11-28T13:00:05Z A 1.0.0 power serving; done >{LOG}")
    assert begin(root) == "151 A 1.0.0 power starting"
    assert [int(line.split()[0]) for line in log(root)] == list(range(52, 152))


def test_a_spoiled_log_is_no_hindrance(root):
    root.shell(f"printf '3 2026-11-28T13:00:05Z A 1.0.0 power serving\\nx y\\n\\377\\000\\n' >{LOG}")
    assert begin(root) == "4 A 1.0.0 power starting"
    assert [line.split()[0] for line in log(root)] == ["3", "4"]


@pytest.mark.parametrize("card", ["-o ro", "-o size=4k"], ids=["read-only", "full"])
def test_a_card_that_takes_nothing_is_told_and_the_start_is_shown(root, card):
    root.shell(f"mount -t tmpfs {card} tmpfs /data/update; yes >/data/update/filler 2>/dev/null")
    told = root.shell(f"{STARTS} begin; echo code $?")
    assert told == f"starts: {LOG} cannot be written: this start is missing there\ncode 0"
    assert root.shell("ls /data/update/starts* 2>/dev/null") == ""
    root.shell(f"{STARTS} outcome serving")
    assert root.shell("cat /run/picam/starts").endswith(" A 1.0.0 power serving")
    assert "ended cannot be written" in root.shell(f"{STARTS} ends guard")


def test_what_is_shown(root):
    (root.folder / "events/site").write_text(toml({"camera": {"source": "pattern", "width": 64, "height": 64}}))
    root.shell("mkdir -p /data/picam; cp /events/site /data/picam/picam.toml")
    root.shell("/etc/init.d/S60picam start")
    root.wait(lambda: root.shell("picam --probe http://127.0.0.1:8000/healthz") == "live", "frames")

    def told():
        with root.network():
            starts = json.loads(raw.exchange(8000, raw.get("/status")).body)["starts"]
            metrics = raw.exchange(8000, raw.get("/metrics")).body.decode()
        return starts, re.findall(r"^picam_machine_start(.*)$", metrics, re.M)

    assert told() == ([], ['{slot="none",version="none",reason="none",outcome="none"} 0'])
    root.shell(f"for n in $(seq 12); do echo $n 2026-11-28T13:00:05Z A 0.9.0 power serving; done >{LOG}")
    root.shell(f"{STARTS} begin; {STARTS} outcome 'failed: no frames'")
    starts, metrics = told()
    assert metrics == ['{slot="A",version="1.0.0",reason="power",outcome="failed"} 13']
    assert [start["number"] for start in starts] == list(range(13, 3, -1))
    assert re.fullmatch(TIME, starts[0].pop("time"))
    assert starts[0] == {"number": 13, "slot": "A", "version": "1.0.0", "reason": "power", "outcome": "failed: no frames"}
    shown = [line for line in root.shell("picam-update --status").splitlines() if line.startswith("start: ")]
    assert len(shown) == 10 and shown[-1].endswith(" A 1.0.0 power failed: no frames")
