"""picam-update beside a RAUC of the test's own: which of several bundles it takes, and who learns how a check went."""

import json
import re

import pytest
from support import raw
from support.appliance import toml
from support.overlay import Overlay, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

# Knows the bundles that /run/bundles names, a line "URL VERSION" each, and installs those of /run/installed, a line alike:
# the slot has that version then, and the backend is asked to arm it.
RAUC = """#!/bin/sh
case $1 in
info)
    shift
    version=$(sed -n "s,^$2 ,,p" /run/bundles)
    [ -n "$version" ] || { echo "no $2" >&2; exit 1; }
    printf "RAUC_MF_VERSION='%s'\\nRAUC_MF_COMPATIBLE='picam-test'\\n" "$version"
    ;;
install)
    version=$(sed -n "s,^$2 ,,p" /run/installed 2>/dev/null)
    [ -n "$version" ] || { echo "installing failed" && exit 1; }
    mkdir -p /run/slot/etc
    echo "VERSION=$version" >/run/slot/etc/picam-release
    mount --bind /run/slot /slots/root-b
    /usr/lib/picam/rauc-backend set-primary B || { echo "LastError: Failed marking slot rootfs.1 bootable" && exit 1; }
    ;;
--mount=*) while :; do sleep 1; done ;;
esac
"""
FIRST, SECOND = "https://a.example/picam/", "http://b.example/x.raucb"
BUNDLE = f"{FIRST}picam-test.raucb"
SITE = {"camera": {"source": "pattern", "width": 64, "height": 64}, "update": {"url": f"{FIRST} {SECOND}"}}


@pytest.fixture
def root(tmp_path):
    with Overlay(tmp_path, files={"usr/bin/rauc": (RAUC, 0o755)}) as root:
        root.shell("mkdir -p /data/picam /data/update /run/picam")
        (tmp_path / "events/site").write_text(toml(SITE))
        root.shell("cp /events/site /data/picam/picam.toml")
        yield root


def check(root, *bundles):
    """What `picam-update --check` prints, and its exit code, if there are these bundles."""
    lines = "\n".join(bundles)
    printed = root.shell(f"printf '{lines}\\n' >/run/bundles; picam-update --check; echo code $?")
    return printed.rpartition("\ncode ")[::2] if "\n" in printed else ("", printed.removeprefix("code "))


def reported(root):
    """The parts of /status and /metrics that tell of the last check."""
    with root.network():
        status = json.loads(raw.exchange(8000, raw.get("/status")).body)["update"]
        metrics = raw.exchange(8000, raw.get("/metrics")).body.decode()
    return status, re.findall(r'^picam_update_check_age_seconds\{result="(\w+)"\} (\S+)$', metrics, re.M)


def test_how_the_last_check_went_is_seen_from_outside(root):
    root.shell("/etc/init.d/S60picam start")
    root.wait(lambda: root.shell("picam --probe http://127.0.0.1:8000/healthz") == "live", "frames")
    status, metrics = reported(root)
    assert (status["result"], status["time"]) == ("none", None)
    assert [result for result, _ in metrics] == ["none"]
    for bundles, code, result in (
        ([], "1", "failed"),
        ([f"{BUNDLE} 0.9.0"], "2", "refused"),
        ([f"{BUNDLE} 2.0.0"], "1", "failed"),  # it cannot be installed
        ([f"{BUNDLE} 1.0.0"], "0", "ok"),
    ):
        before = root.shell("date -u +%Y-%m-%dT%H:%M:%SZ")
        assert check(root, *bundles)[1] == code, bundles
        status, metrics = reported(root)
        assert status["result"] == result, bundles
        assert before <= status["time"] <= root.shell("date -u +%Y-%m-%dT%H:%M:%SZ")
        uptime = float(root.shell("cat /proc/uptime").split()[0])
        assert 0 <= status["age_seconds"] < uptime
        assert [name for name, _ in metrics] == [result]
        assert status["age_seconds"] <= float(metrics[0][1]) < uptime
    assert f"checked: {status['time']}, ok" in root.shell("picam-update --status")
    # Where nothing is looked for any more, nothing is told of.
    root.shell("sed -i 's/^url = .*/url = \"\"/' /data/picam/picam.toml; picam-update --check")
    assert reported(root)[0]["result"] == "none"


def test_the_second_url_counts_when_the_first_cannot_be_read(root):
    printed, code = check(root, f"{SECOND} 1.0.0")
    assert code == "0" and f"{BUNDLE} is refused: no {BUNDLE}" in printed and "1.0.0 runs already" in printed
    # What can be read decides: the other one is not asked.
    for version, code in (("1.0.0", "0"), ("0.9.0", "2"), ("2.0.0", "1")):
        printed, ended = check(root, f"{BUNDLE} {version}", f"{SECOND} 3.0.0")
        assert ended == code and SECOND not in printed and "3.0.0" not in printed


def test_what_is_no_check_is_not_told_of(root):
    root.shell(f"printf '{BUNDLE} 1.0.0\\n' >/run/bundles")
    assert "runs already" in root.shell(f"picam-update {BUNDLE}")
    running = "sh -c 'sleep 1000; exit' picam-update >/dev/null 2>&1 & echo $! >/run/picam/update.lock; picam-update --check; kill $!"
    assert "another update is running" in root.shell(running)
    assert root.shell("ls /run/picam/checked 2>/dev/null") == ""


def test_an_update_that_was_killed_locks_nobody_out(root):
    for left in ("sleep 1000 >/dev/null 2>&1 & echo $! >/run/picam/update.lock", "echo 4194303 >/run/picam/update.lock", ": >/run/picam/update.lock"):
        assert check(root, f"{BUNDLE} 1.0.0")[1] == "0"
        assert root.shell(f"{left}; picam-update --check").endswith("1.0.0 runs already"), left
        assert root.shell("ls /run/picam/update.lock 2>/dev/null") == ""


def install(root, version, installed=None):
    """What `picam-update` prints for a bundle of this version, and its exit code; the other slot then has `installed`."""
    root.shell(f"printf '{BUNDLE} {version}\\n' >/run/bundles; printf '{BUNDLE} {installed or version}\\n' >/run/installed")
    return root.shell(f"picam-update {BUNDLE}; echo code $?").rpartition("\ncode ")[::2]


def armed(root):
    """What is armed and remembered, by file."""
    listing = root.shell("for file in /run/picam/armed /data/update/*; do [ ! -f $file ] || echo ${file##*/}=$(cat $file); done")
    return dict(line.split("=", 1) for line in listing.splitlines())


def restarted(root, slot, version, tryboot=0):
    """The next start, as far as the scripts can see: this slot with this version."""
    root.shell(f"echo rauc.slot={slot} >/run/cmdline; mount --bind /run/cmdline /proc/cmdline; rm -f /run/picam/armed /run/picam/starts")
    root.shell(f"sed s/1.0.0/{version}/ /slots/root-a/etc/picam-release >/run/release; mount --bind /run/release /etc/picam-release")
    root.set_firmware(partition={"A": 2, "B": 3}[slot], tryboot=tryboot)


def test_only_what_was_checked_is_armed(root):
    """The bundle on the server is replaced between the look into it and the installation, by an older one signed as well."""
    printed, code = install(root, "2.0.0", installed="0.9.0")
    assert code == "1" and "was not installed: slot B has 0.9.0, though 2.0.0 was to be installed" in printed
    assert armed(root) == {} and "reboot" not in root.events()
    printed, code = install(root, "2.0.0")
    assert code == "0" and "2.0.0 is in slot B: restarting into it on trial" in printed
    assert armed(root) == {"armed": "B", "staged": "B", "trying": "2.0.0"} and "reboot" in root.events()


def test_a_slot_without_a_version_is_not_armed(root):
    root.shell("mount -t tmpfs tmpfs /slots/root-b")
    assert root.shell("/usr/lib/picam/rauc-backend set-primary B; echo $?") == "rauc-backend: the root in slot B has no version\n1"
    assert armed(root) == {}


def test_a_version_that_failed_its_trial_is_refused(root):
    install(root, "2.0.0")
    restarted(root, "A", "1.0.0")
    assert "the update in slot B did not hold" in root.shell("/usr/lib/picam/rauc-backend settle")
    assert "failed: 2.0.0 did not hold; see /data/update/failed.log" in root.shell("picam-update --status").splitlines()
    told = f"{BUNDLE} is 2.0.0, which failed its trial: picam-update {BUNDLE} installs it all the same"
    assert root.shell("picam-update --check; echo $?") == f"picam-update: {told}\n2"
    assert root.shell("cut -d ' ' -f 3 /run/picam/checked") == "refused"
    # Whoever else has it installed (hawkBit's updater asks RAUC itself).
    told = root.shell(f"rauc install {BUNDLE}; echo $?")
    assert "2.0.0 failed its trial: it is not tried again" in told and told.endswith("\n1")
    assert armed(root) == {"refused": "2.0.0 failed", "slot-B.bad": ""}
    # Another one that fails does not let the first one through.
    install(root, "2.1.0")
    restarted(root, "A", "1.0.0")
    root.shell("/usr/lib/picam/rauc-backend settle")
    assert root.shell("cat /data/update/refused") == "2.0.0 failed\n2.1.0 failed"
    assert check(root, f"{BUNDLE} 2.0.0")[1] == "2"
    # By hand it is tried again; what it is no newer than is forgotten once it is committed.
    assert install(root, "2.0.0")[1] == "0"
    restarted(root, "B", "2.0.0", tryboot=1)
    assert root.shell("/usr/lib/picam/rauc-backend set-state B good; echo $?") == "0"
    assert root.shell("cat /data/update/refused") == "2.1.0 failed"


def test_a_commit_that_the_power_ends_is_settled(root):
    install(root, "2.0.0")
    restarted(root, "B", "2.0.0", tryboot=1)
    root.shell("echo '1.5.0 failed' >/data/update/refused; sed -i 's/=2$/=3/' /boot/autoboot.txt")
    root.shell("/usr/lib/picam/rauc-backend settle")
    assert armed(root) == {}


def test_back_to_what_the_other_slot_holds(root):
    root.shell("mount -t tmpfs tmpfs /slots/root-b; mkdir /slots/root-b/etc; echo VERSION=0.9.0 >/slots/root-b/etc/picam-release")
    assert root.shell("picam-update --rollback; echo $?").endswith(
        "0.9.0 is in slot B: restarting into it on trial, in the place of 1.0.0\n0"
    )
    assert armed(root) == {"armed": "B", "leaving": "1.0.0", "staged": "B", "trying": "0.9.0"}
    assert root.shell("ls /run/picam/trial") and "reboot" in root.events()
    # The trial does not hold: nothing was left.
    restarted(root, "A", "1.0.0")
    root.shell("/usr/lib/picam/rauc-backend settle")
    assert armed(root) == {"slot-B.bad": ""}
    told = "slot B is marked bad: it failed its trial, was not written to its end, or could not be started"
    assert root.shell("picam-update --rollback; echo $?") == f"picam-update: {told}\n2"
    # It holds: what was left is not installed by itself.
    root.shell("rm /data/update/slot-B.bad; picam-update --rollback")
    restarted(root, "B", "0.9.0", tryboot=1)
    root.shell("/usr/lib/picam/rauc-backend set-state B good")
    assert armed(root) == {"refused": "1.0.0 left"}
    assert "left: 1.0.0, by --rollback" in root.shell("picam-update --status").splitlines()
    printed, code = check(root, f"{BUNDLE} 1.0.0")
    assert code == "2" and "1.0.0, which was left by picam-update --rollback: picam-update" in printed


def test_there_is_no_way_back_while_there_is_no_other_slot(root):
    root.shell("mount -t tmpfs tmpfs /slots/root-b")
    assert "the root in slot B has no version" in root.shell("picam-update --rollback; echo code $?")
    assert armed(root) == {} and "reboot" not in root.events()


def test_a_data_partition_in_memory_is_not_reset(root):
    told = root.shell("picam-update --factory-reset; echo code $?")
    assert "/data is in memory" in told and told.endswith("code 1")
    assert "reboot" not in root.events() and root.shell("ls /data/update") == ""
