"""The power goes at random moments: while files on /data are replaced, and while an update is installed."""

import random
import time

import pytest

from image.conftest import BOOT
from image.lab import disk
from image.lab.fileserver import FileServer

SEED = 20251122
FILES = 8
SIZE = 20000

# Replaces files of known content for ever: temporary, fsync, rename. Generation g of a file is SIZE bytes of one digit.
WRITER = f"""
cd /data/picam
g=$(cat generation 2>/dev/null || echo 0)
while :; do
    g=$((g + 1))
    for n in $(seq {FILES}); do
        yes $((g % 10)) | tr -d '\\n' | head -c {SIZE} | dd of=file$n.new bs={SIZE} iflag=fullblock conv=fsync 2>/dev/null
        mv file$n.new file$n
    done
    echo $g >generation.new; sync; mv generation.new generation
done
"""


def check_files(machine):
    """Every file has its whole size, and its bytes are all of one generation."""
    listing = machine.shell(
        f"cd /data/picam; for n in $(seq {FILES}); do [ -f file$n ] || continue; "
        "echo $(wc -c <file$n) $(fold -w 1 file$n | sort -u | tr -d '\\n'); done", 60)  # fmt: skip
    for line in listing.splitlines():
        size, digits = line.split()
        assert int(size) == SIZE and len(digits) == 1, listing
    return len(listing.splitlines())


def test_data_survives(make_machine, rounds, report):
    chance = random.Random(SEED)
    machine = make_machine()
    machine.power_on()
    machine.wait_jpeg(BOOT)
    started, checked = time.monotonic(), 0
    for number in range(rounds):
        machine.shell(f"cat >/run/writer <<'END'\n{WRITER}\nEND\nsh /run/writer >/dev/null 2>&1 &")
        time.sleep(chance.uniform(1, 8))
        machine.power_cut()
        machine.power_on()
        machine.wait_jpeg(BOOT)
        checked += check_files(machine)
        mounts = machine.shell("cat /proc/mounts")
        assert " /data ext4 rw" in mounts, mounts
        assert "making it" not in machine.shell("logread"), f"round {number}"
    assert checked > 0
    report(f"{rounds} power cuts while writing: {checked} files whole, {(time.monotonic() - started) / rounds:.0f} s a round")
    _a_reset_survives(machine, report)


def _a_reset_survives(machine, report):
    """The power goes while /data is wiped, somewhere in it: the next start finishes that. Nothing of the site is left."""
    secret = f"the key of the hall {random.random()}"
    machine.shell(f"echo '{secret}' >/data/site/authorized_keys; cp /data/site/authorized_keys /data/deleted; sync; rm /data/deleted; sync")
    assert secret.encode() in data_partition(machine)
    boots, started = len(machine.runs), time.monotonic()
    machine.shell("picam-update --factory-reset >/run/out 2>&1 &")
    size = disk.partitions(machine.image)[7][2] >> 20
    machine.wait_console(f"factory reset: wiping /data from 0 to {size} MiB", BOOT, since=boots)
    machine.power_cut()
    machine.power_on()
    machine.wait_jpeg(BOOT)
    report(f"a picture {time.monotonic() - started:.0f} s after --factory-reset, a power cut included; {machine.history()}")
    assert secret.encode() not in data_partition(machine)
    # What the technician left on the first partition is taken over again.
    assert machine.shell("ls /data/picam /data/site").split() == ["/data/picam:", "picam.toml", "state", "/data/site:"]
    assert " /data ext4 rw" in machine.shell("cat /proc/mounts")
    machine.wait_status(lambda status: [start["number"] for start in status["starts"]] == [1], 60)


def data_partition(machine):
    """The bytes of the card's last partition, as they are on the card by now."""
    machine.shell("sync")
    _, start, length = disk.partitions(machine.image)[7]
    with machine.image.open("rb") as image:
        image.seek(start)
        return image.read(length)


@pytest.fixture(scope="module")
def server(factory):
    bundle = factory.bundle("cut", "1.1.0")
    with FileServer(bundle.parent) as running:
        yield running


def test_install_survives(make_machine, server, rounds, report):
    """A cut anywhere in the installation leaves the committed slot in charge, and the next attempt goes through."""
    chance = random.Random(SEED + 1)
    machine = make_machine()
    machine.power_on()
    machine.wait_jpeg(BOOT)
    began = time.monotonic()
    longest = 30.0  # about what an installation takes; some cuts fall into the trial
    for number in range(rounds):
        boots = len(machine.runs)
        machine.shell(f"picam-update {server.url('cut.raucb')} >/run/out 2>&1 &")
        time.sleep(chance.uniform(0.5, longest))
        machine.power_cut()
        machine.power_on()
        machine.wait_jpeg(BOOT)
        # Cut after the restart into the trial, or before it: either way the committed slot is back.
        assert machine.runs[-1].slot == "A" and not machine.runs[-1].tryboot, machine.history()
        assert "committed: yes" in machine.shell("picam-update --status"), f"round {number}"
        assert boots <= len(machine.runs)
    report(f"{rounds} power cuts while installing: {(time.monotonic() - began) / rounds:.0f} s a round; {machine.history()}")
    boots = len(machine.runs)
    machine.shell(f"picam-update {server.url('cut.raucb')} >/run/out 2>&1 &")
    machine.wait_boots(boots + 1, 240)
    machine.wait_console("slot B is committed", 240, since=boots)
