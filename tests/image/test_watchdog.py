"""What hangs is brought back: picam by the guard, the guard and the kernel by the hardware watchdog."""

import time

from image.conftest import BOOT
from image.lab.machine import MachineError


def wait_fresh(machine, after, seconds):
    """Waits for a picture captured after the Unix time `after` (the guest's and this machine's clocks agree)."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            headers, _ = machine.wait_jpeg(5)
            if float(headers["X-Timestamp"]) > after:
                return
        except MachineError:
            pass
        assert time.monotonic() < deadline, machine.history()


def test_frozen_picam_is_replaced(machine, report):
    """SIGSTOP: nothing answers and nothing ends. The machine itself goes on."""
    frozen = machine.shell("pidof picam")
    started = time.monotonic()
    machine.shell("kill -STOP $(pidof picam)")
    wait_fresh(machine, time.time(), 150)
    report(f"picam frozen with SIGSTOP: fresh pictures again after {time.monotonic() - started:.0f} s")
    assert machine.shell("pidof picam") != frozen
    assert len(machine.runs) == 1, machine.history()
    assert "no answer for" in machine.shell("logread")


def test_frozen_picam_that_stays_frozen(machine, report):
    """Every new picam freezes, as with a camera driver in D state: the machine restarts. The guard's `picam --probe` is
    none of them."""
    boots, started = len(machine.runs), time.monotonic()
    freeze = "for pid in $(pidof picam); do grep -q probe /proc/$pid/cmdline || kill -STOP $pid; done"
    machine.shell(f"while :; do {freeze}; sleep 1; done >/dev/null 2>&1 &")
    machine.wait_boots(boots + 1, 240)
    report(f"picam frozen again and again: restarted after {time.monotonic() - started:.0f} s")
    assert machine.runs[boots - 1].ended in ("restart", "watchdog"), machine.history()
    machine.wait_jpeg(BOOT)


def test_frozen_guard(machine, report):
    """Nobody pets the hardware watchdog: it bites."""
    boots, started = len(machine.runs), time.monotonic()
    machine.shell("kill -STOP $(cat /run/picam/guard.pid)")
    machine.wait_boots(boots + 1, 240)
    assert machine.runs[boots - 1].ended == "watchdog", machine.history()
    report(f"guard frozen: reset by the hardware watchdog after {time.monotonic() - started:.0f} s")
    machine.wait_jpeg(BOOT)


def test_hanging_kernel(machine, report):
    """A crash that does not restart: every processor spins in the kernel. Its memory runs
    out, because not every kernel has the SysRq key."""
    boots, started = len(machine.runs), time.monotonic()
    machine.shell("echo 0 >/proc/sys/kernel/panic; echo 2 >/proc/sys/vm/panic_on_oom; tail /dev/zero >/dev/null 2>&1 &")
    machine.wait_boots(boots + 1, 240)
    assert machine.runs[boots - 1].ended == "watchdog", machine.history()
    assert any("Kernel panic" in line for line in machine.runs[boots - 1].console), machine.console_end()
    report(f"kernel hanging: reset by the hardware watchdog after {time.monotonic() - started:.0f} s")
    machine.wait_jpeg(BOOT)
