"""usr/lib/picam/guard and supervise as they are, under BusyBox: whom they kill, what they commit, and what they survive."""

import contextlib
import os
import re
import time

import pytest
from support import raw
from support.appliance import PATIENCE, ROOT, toml
from support.attackers import HONEST, Exhaust, Flood
from support.overlay import Overlay, unavailable
from support.swarm import Swarm
from support.tries import holds_once

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

# The guard's own times are minutes; what is compared stays in proportion. A trial is longer than two frames may be apart, and
# where it is to succeed it has all the time that a busy machine may need.
SHORT = {"PAUSE": 1, "KILL_SILENT": 6, "KILL_BLIND": 6, "RESTART_SILENT": 20, "RESTART_BLIND": 40, "TRIAL_FRESH": 8, "TRIAL_LIMIT": 600}
# `make attack` lets neighbours attack for minutes, beside a guard with the times that it ships with.
ATTACK = float(os.environ.get("PICAM_ATTACK_SECONDS", 0))
# With a picam that is a script, which never needs more time than that.
QUICK = {**SHORT, "KILL_SILENT": 4, "KILL_BLIND": 4, "RESTART_BLIND": 8, "TRIAL_FRESH": 7, "BACKEND_LIMIT": 2}
SITE = {"camera": {"source": "pattern", "width": 640, "height": 360, "rate": 3.0}, "jpeg": {"quality": 80}}
PORT = 8000
# A picam that says to the guard what /run/answer says; {n} is the number of the question.
SAYS = """#!/bin/sh
case $1 in
--probe)
    n=$(($(cat /run/asked 2>/dev/null || echo 0) + 1))
    echo $n >/run/asked
    . /run/answer
    ;;
--print-config) printf '[server]\\nlisten = "0.0.0.0:8000"\\n[camera]\\nrate = 8.0\\n' ;;
*) while :; do sleep 1; done ;;
esac
"""


@pytest.fixture
def make_root(tmp_path):
    with contextlib.ExitStack() as running:

        def make(site=SITE, says=None, slot="A", files=None, **constants):
            files = {**(files or {}), **({"usr/bin/picam": (SAYS, 0o755)} if says else {})}
            times = QUICK if says else {} if ATTACK else SHORT
            root = running.enter_context(Overlay(tmp_path, {"guard": {**times, **constants}}, files, slot))
            root.shell("mkdir -p /data/picam /data/update /data/site /run/picam")
            (tmp_path / "events/site").write_text(toml(site))
            root.shell("cp /events/site /data/picam/picam.toml")
            if says:
                answer(root, says)
            return root

        yield make


def answer(root, script):
    """What picam says from now on: a line of shell, with $n."""
    (root.folder / "events/answer").write_text(script + "\n")
    root.shell("cp /events/answer /run/answer.new; mv /run/answer.new /run/answer")


def asked(root):
    return int(root.shell("cat /run/asked 2>/dev/null || echo 0"))


def wait_asked(root, more):
    """Waits until the guard has asked this many times more; returns how long that took, seconds."""
    before, started = asked(root), time.monotonic()
    root.wait(lambda: asked(root) >= before + more, "the guard to ask")
    return time.monotonic() - started


def serving(root):
    """Starts picam by its init script and the guard; waits for frames."""
    root.shell("/etc/init.d/S60picam start")
    root.wait(lambda: root.shell(f"picam --probe http://127.0.0.1:{PORT}/healthz") == "live", "frames")
    root.start("/usr/lib/picam/guard")
    root.wait(lambda: root.shell("cat /run/picam/guard-started"), "the guard")


ATTACKS = {"all connections": Exhaust, "flood": lambda port: Flood(port, "/jpg")}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_one_neighbour_causes_no_kill_and_no_restart(make_root, attack):
    root = make_root()
    serving(root)
    picam = root.shell("pidof picam")

    def lost_frames():
        with root.network(), contextlib.closing(Swarm()) as swarm, attack(PORT) as attacker:
            attacker.wait_answers(200, 10)
            honest = swarm.add(PORT, 10, source=HONEST)
            swarm.run(ATTACK or 2 * SHORT["KILL_BLIND"] + 2)
            assert [client.error for client in honest if client.error] == []
            assert raw.exchange(PORT, raw.get("/healthz"), source=HONEST).status == 200
        print(f"\n{attacker.opened} connections, {dict(attacker.answers)}; honest: {[len(client.sequences) for client in honest]} frames")
        return sum(client.lost() for client in honest)

    holds_once(lost_frames)
    assert picam in root.shell("pidof picam").split()  # beside the guard's question
    assert not re.search("kill|reboot|restart", root.events())


def test_a_trial_is_committed_while_a_neighbour_attacks(make_root):
    root = make_root(slot="B")
    with root.network(), Exhaust(PORT) as attacker:
        serving(root)
        attacker.wait_answers(429, 10)
        root.wait_event("slot B is committed", PATIENCE + ATTACK)
    assert "boot_partition=3" in root.shell("cat /boot/autoboot.txt").split("[tryboot]")[0]
    assert "reboot" not in root.events()


def test_a_full_picam_is_neither_healthy_nor_blind(make_root):
    root = make_root(says="echo full all 256 connections are taken")
    root.start("/usr/bin/picam")
    root.start("/usr/lib/picam/guard")
    wait_asked(root, 2 * QUICK["KILL_BLIND"])
    assert "picam is full all 256 connections are taken" in root.events()
    answer(root, "echo blind no signal")
    root.wait_event("no frames for .* killing picam")
    assert root.events().count("killing picam") == 1 and "reboot" not in root.events()


@pytest.mark.parametrize("failure", ["kill -SEGV $$", "exit 127", "kill -STOP $$"], ids=["crash", "not there", "hang"])
def test_a_tool_that_fails_is_no_fault_of_picam(make_root, failure):
    """Only the longest of all limits is left: a machine that cannot even ask is restarted in the end."""
    root = make_root(says=failure)
    root.start("/usr/bin/picam")
    root.start("/usr/lib/picam/guard")
    root.wait_event("no frames from picam for .*: restarting")
    root.wait_event("(?m)^reboot")
    assert re.search(r"^1 \S+ A 1\.0\.0 power restarted: no frames from picam for 8 s\nguard$", root.shell("cat /data/update/starts /data/update/ended"))
    assert "picam --probe fails" in root.events() and "killing picam" not in root.events()


def test_a_picam_that_does_not_answer_is_killed(make_root):
    root = make_root(says="echo silent no answer within 3s")
    root.start("/usr/bin/picam")
    root.start("/usr/lib/picam/guard")
    root.wait_event("no answer for .* killing picam")
    root.wait(lambda: not root.shell("pidof picam"), "its end")


def test_frames_of_a_trial_are_counted_by_their_numbers_alone(make_root):
    """No clock takes part: neither picam's line nor the guard knows the time of day."""
    root = make_root(says="echo live 7", slot="B", TRIAL_LIMIT=12)
    root.start("/usr/lib/picam/guard")
    root.wait_event("no 7 s of fresh frames within 12 s")
    root.wait_event("(?m)^reboot")
    assert "committed" not in root.events()
    assert "slot B" in root.shell("cat /data/update/failed.log")
    assert re.search(r"^1 \S+ B 1\.0\.0 trial failed: no 7 s of fresh frames within 12 s$", root.shell("cat /data/update/starts"))


def test_a_picam_that_starts_again_within_a_trial_counts_anew(make_root):
    root = make_root(says="echo live $((900000 + n))", slot="B")
    root.start("/usr/lib/picam/guard")
    wait_asked(root, 2)
    answer(root, "echo live $n")
    root.wait_event(r"slot B is committed: fresh frames for \d+ s")
    root.wait(lambda: root.shell("cat /run/picam/starts").endswith("B 1.0.0 trial committed"), "the log of the starts")
    # A guard that starts again finds frames, and nothing that is news.
    asked_before = asked(root)
    root.shell("kill -9 $(cat /run/picam/guard.pid)")
    root.start("/usr/lib/picam/guard")
    root.wait(lambda: asked(root) > asked_before + 2, "the guard to look")
    assert root.shell("cat /data/update/starts").count("\n") == 0
    assert root.shell("cat /data/update/starts").endswith("B 1.0.0 trial committed")


def test_a_commit_that_was_cut_short_is_a_commit(make_root):
    """The guard stops a backend that takes too long, which may have written what counts before."""
    backend = (ROOT / "rootfs-overlay/usr/lib/picam/rauc-backend").read_text()
    slow = re.sub(r'(?m)^(        commit "\$slot" \|\| exit 1)\n        settled "\$slot"\n    else$', r"\1\n        exit 137\n    else", backend)
    assert slow != backend
    root = make_root(says="echo live $n", slot="B", files={"usr/lib/picam/rauc-backend": (slow, 0o755)})
    root.start("/usr/lib/picam/guard")
    root.wait_event("slot B is committed: fresh frames for")
    assert "failed" not in root.events() and "reboot" not in root.events()
    settled = root.shell("ls /data/update/staged; /usr/lib/picam/rauc-backend settle; ls /data/update")
    assert settled.splitlines() == ["/data/update/staged", "starts"]


def test_without_the_first_partition_there_is_no_trial_to_fail(make_root):
    root = make_root(says="echo live $n")
    root.shell("rm /boot/autoboot.txt")
    root.start("/usr/lib/picam/guard")
    root.wait_event("which slot is committed cannot be read")
    wait_asked(root, 2 * QUICK["TRIAL_FRESH"])
    assert "reboot" not in root.events()


def test_what_hangs_does_not_stop_the_guard(make_root):
    """The log, the configuration and the boot files, each of which may lie on a card that has died."""
    hang = ("#!/bin/sh\nexec sleep 1000\n", 0o755)
    root = make_root(says="echo silent; [ $n -lt 2 ] || echo live", files={"usr/lib/picam/rauc-backend": hang}, RESTART_BLIND=40)
    root.shell("cp /usr/bin/picam /run/picam.sh; mkdir -p /run/hanging; ln -s /bin/sleep /run/hanging/logger")
    (root.folder / "events/hanging").write_text("#!/bin/sh\n[ $1 != --print-config ] || exec sleep 1000\nexec /run/picam.sh \"$@\"\n")
    root.shell("cp /events/hanging /run/hanging/picam; chmod 755 /run/hanging/picam; printf '#!/bin/sh\\nexec sleep 1000\\n' >/run/hanging/logger.new; "
               "mv /run/hanging/logger.new /run/hanging/logger; chmod 755 /run/hanging/logger")  # fmt: skip
    root.start("env", "PATH=/run/hanging:/programs:/usr/bin:/bin", "/usr/lib/picam/guard")
    wait_asked(root, 4)


def test_supervise_survives_its_logger(make_root):
    root = make_root()
    serving(root)
    supervisor, picam = root.shell("cat /run/picam.pid"), root.shell("pidof picam")
    root.wait_event("listening on")
    root.shell("kill -9 $(pgrep -f '^cat$') 2>/dev/null; sleep 3; kill -9 $(pidof picam)")
    root.wait_event(r"supervise: picam was ended by signal 9 \(KILL\)")
    root.wait(lambda: root.shell("pidof picam") not in ("", picam), "another picam")
    assert root.shell("cat /run/picam.pid") == supervisor == root.shell(f"[ -d /proc/{supervisor} ] && echo {supervisor}")


def test_supervise_names_the_sandbox(make_root):
    root = make_root()
    serving(root)
    root.shell("kill -SYS $(pidof picam)")
    root.wait_event(r"supervise: picam was ended by signal 31 \(sandbox: a system call that picam never makes\)")


def test_the_supervisor_is_started_again(make_root):
    root = make_root()
    serving(root)
    supervisor = root.shell("cat /run/picam.pid")
    root.shell(f"kill -9 {supervisor}")
    root.wait_event("the supervisor has ended: starting it again")
    root.wait(lambda: root.shell("cat /run/picam.pid") != supervisor, "another supervisor")
    # It finds the old picam at its address, which serves on, and takes over once that has ended.
    root.shell("kill -9 $(pidof picam)")
    root.wait(lambda: root.shell(f"picam --probe http://127.0.0.1:{PORT}/healthz") == "live", "frames again")


def test_a_supervisor_that_was_stopped_stays_away(make_root):
    root = make_root(RESTART_BLIND=10)
    serving(root)
    root.shell("/etc/init.d/S60picam stop")
    root.wait(lambda: not root.shell("pidof picam"), "the end of picam")
    root.wait_event("no frames from picam for .*: restarting")  # the guard has looked many times
    assert "starting it again" not in root.events() and not root.shell("pidof picam")
