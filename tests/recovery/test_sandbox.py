"""The sandbox, tried from inside: what a picam that is taken over can still do, and what ends it."""

import ctypes
import os
import platform
import re
import signal
import struct
from pathlib import Path

import pytest
from support import sandbox

LIBC = ctypes.CDLL(None, use_errno=True)
# The same on every architecture.
LANDLOCK_CREATE_RULESET, LANDLOCK_VERSION = 444, 1
# Linux 6.12: what picam asks for.
WHOLE = 6
ARCHITECTURE = platform.machine()
CALLS = sandbox.CALLS.get(ARCHITECTURE, {})
def landlock_version():
    return max(0, LIBC.syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION))


needs_landlock = pytest.mark.skipif(landlock_version() < WHOLE, reason="LANDLOCK NOT TESTED: this kernel has not all of it (6.12)")
needs_numbers = pytest.mark.skipif(not CALLS, reason=f"SECCOMP NOT TESTED: numbers of {ARCHITECTURE} are not known here")


def attempt(picam, what, target):
    return sandbox.attempt(picam.get, what, target)



@needs_landlock
@needs_numbers
def test_every_thread_is_in_it(start, tmp_path):
    picam = start({"state": {"directory": str(tmp_path / "state")}})
    assert picam.get("/jpg")[0] == 200
    assert picam.status()["sandbox"] == {"mode": "on", "files": "enforced", "calls": "enforced"}
    threads = list(Path(f"/proc/{picam.pid}/task").iterdir())
    assert len(threads) >= 7
    for thread in threads:
        status = (thread / "status").read_text()
        assert "NoNewPrivs:\t1\n" in status and "Seccomp:\t2\n" in status
    limits = Path(f"/proc/{picam.pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
    assert not [line for line in picam.lines if "sandbox" in line and "WARN" in line]


@needs_landlock
def test_files_that_it_can_still_reach(start, tmp_path):
    """As root or not: the sandbox is no matter of permissions."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (outside / "secret").chmod(0o644)
    site = tmp_path / "site"
    site.mkdir()
    state = tmp_path / "state"
    picam = start({"state": {"directory": str(state)}}, folder=site)

    assert attempt(picam, "read", site / "picam.toml") == "done"
    assert attempt(picam, "read", "/proc/self/status") == "done"
    assert attempt(picam, "write", state / "anything") == "done"
    for path in (outside / "secret", "/etc/passwd", "/proc/1/cmdline", f"/proc/{os.getpid()}/cmdline", "/dev/null"):
        assert attempt(picam, "read", path) == "Permission denied", path
    (site / "other").touch()
    for path in (outside / "new", outside / "secret", site / "picam.toml", site / "other", "/tmp/picam-new", "/proc/self/oom_score_adj"):
        assert attempt(picam, "write", path) == "Permission denied", path
    assert not (outside / "new").exists()
    assert picam.get("/healthz")[0] == 200


@needs_landlock
def test_what_it_needs_later_it_still_gets(start, tmp_path):
    """Its file is replaced by another one of that name; what is set is saved; the watchdog is opened with the first frame."""
    state, device = tmp_path / "state", tmp_path / "watchdog"
    device.touch()
    tables = {"state": {"directory": str(state)}, "watchdog": {"device": str(device)}}
    picam = start(tables)
    picam.wait_log(r"watchdog .*: armed")
    picam.config.rename(tmp_path / "old.toml")
    picam.write_config({**tables, "camera": {"width": 320, "height": 180}, "jpeg": {"quality": 55}})
    picam.signal(signal.SIGHUP)
    assert "jpeg.quality" in picam.wait_log(r"reloaded; changed: (.*)$").group(1)
    assert picam.get("/set?LensPosition=2")[0] == 200
    picam.signal(signal.SIGTERM)
    assert picam.wait() == 0
    assert "LensPosition = 2" in (state / "controls.toml").read_text()
    assert device.read_bytes().endswith(b"V")


@needs_numbers
@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_call_that_picam_never_makes_ends_it(start, name):
    picam = start()
    with pytest.raises(OSError):  # no answer comes
        picam.get(f"/debug/sandbox/call?target={sandbox.arguments(CALLS, name)}")
    assert picam.wait() == -signal.SIGSYS


def test_clone3_is_not_there(start):
    """It could start a process; threads start without it."""
    picam = start()
    assert attempt(picam, "call", "435") == "Function not implemented"


@needs_numbers
def test_in_log_mode_nothing_is_refused(start, tmp_path):
    picam = start({"security": {"sandbox": "log"}})
    assert picam.status()["sandbox"] == {"mode": "log", "files": "open", "calls": "logged"}
    assert attempt(picam, "read", "/etc/passwd") == "done"
    assert attempt(picam, "call", sandbox.arguments(CALLS, 'socket')) == "done"
    assert attempt(picam, "write", tmp_path / "new") == "done"
    picam.signal(signal.SIGTERM)
    assert picam.wait() == 0


def test_it_can_be_switched_off(start):
    picam = start({"security": {"sandbox": "off"}})
    assert picam.status()["sandbox"] == {"mode": "off", "files": "open", "calls": "open"}
    status = Path(f"/proc/{picam.pid}/status").read_text()
    assert "NoNewPrivs:\t0\n" in status and "Seccomp:\t0\n" in status


class OldKernel:
    """Lets the calls with these numbers fail in the child, as a kernel does that does not know them."""

    def __init__(self, *numbers):
        load, equal, answer = 0x20, 0x15, 0x06  # BPF
        not_there, allow = 0x00050000 | 38, 0x7FFF0000  # ENOSYS
        steps = [(load, 0, 0, 0)]
        for number in numbers:
            steps += [(equal, 0, 1, number), (answer, 0, 0, not_there)]
        steps.append((answer, 0, 0, allow))
        self.code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
        self.program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(self.code)))

    def __call__(self):
        no_new_privs, seccomp, filter_mode = 38, 22, 2
        assert LIBC.prctl(no_new_privs, 1, 0, 0, 0) == 0
        assert LIBC.prctl(seccomp, filter_mode, self.program, 0, 0) == 0


@needs_numbers
def test_an_old_kernel_is_one_warning(start):
    picam = start(preexec=OldKernel(LANDLOCK_CREATE_RULESET, CALLS["seccomp"]))
    assert picam.status()["sandbox"] == {"mode": "on", "files": "open", "calls": "open"}
    assert picam.get("/jpg")[0] == 200
    (line,) = [line for line in picam.lines if "sandbox" in line]
    assert "WARN" in line and "no Landlock" in line and "system calls are open" in line
