"""picam-update beside a RAUC of the test's own: which of several bundles it takes, and who learns how a check went."""

import json
import re

import pytest
from support import raw
from support.appliance import toml
from support.overlay import Overlay, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

# Knows the bundles that /run/bundles names, a line "URL VERSION" each; installs none.
RAUC = """#!/bin/sh
case $1 in
info)
    shift
    version=$(sed -n "s,^$2 ,,p" /run/bundles)
    [ -n "$version" ] || { echo "no $2" >&2; exit 1; }
    printf "RAUC_MF_VERSION='%s'\\nRAUC_MF_COMPATIBLE='picam-test'\\n" "$version"
    ;;
install) echo "installing failed" && exit 1 ;;
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
