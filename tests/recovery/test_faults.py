"""A fault of native code ends picam at once, with its signal, on whatever thread it happens: a supervisor sees it."""

import ctypes
import os
import signal
import time

import pytest
from support import raw
from support.appliance import PATIENCE


def kill_thread(pid, thread, number):
    """A signal to one thread, as the kernel sends it to the one that has failed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.tgkill(pid, thread, number):
        raise OSError(ctypes.get_errno(), "tgkill")


def ended_by(picam, number):
    """Asserts that the signal has ended it, and that no handler said anything before."""
    assert picam.wait() == -number, picam.log()
    assert not [line for line in picam.lines if "panicked" in line or "backtrace" in line or "overflowed" in line]


@pytest.fixture
def start_whole(start, tmp_path):
    """A picam with every kind of thread: the one for the state is there only when there is a folder for it."""

    def start_one():
        picam = start({"state": {"directory": str(tmp_path / "state")}})
        # A request has been answered: the coroutines' own thread is at work, and what it installs is installed.
        assert picam.get("/jpg")[0] == 200
        return picam

    return start_one


def test_a_fault_on_each_thread_ends_picam(start_whole, report):
    """Prints what the supervisor's pause of 2 s comes between: until it is gone, and from a start to the first picture."""
    picam = start_whole()
    names = sorted(name for name, _ in picam.threads().values())
    assert {"capture", "encode", "guard", "watchdog", "signals", "accept", "state"} <= set(names), names
    for number in range(len(names)):
        if number:
            began = time.monotonic()
            picam = start_whole()
            assert picam.get("/jpg")[0] == 200
            report(f"{name}: gone after {gone * 1000:.0f} ms, a picture {(time.monotonic() - began) * 1000:.0f} ms after the next start")
        threads = sorted((name, thread) for thread, (name, _) in picam.threads().items())
        name, began = threads[number][0], time.monotonic()
        kill_thread(picam.pid, threads[number][1], signal.SIGSEGV)
        ended_by(picam, signal.SIGSEGV)
        gone = time.monotonic() - began


@pytest.mark.parametrize("number", [signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT], ids=lambda number: number.name)
def test_each_signal_of_a_fault_ends_picam(start_whole, number):
    picam = start_whole()
    os.kill(picam.pid, number)
    ended_by(picam, number)


@pytest.mark.parametrize("path, number", [
    ("/debug/segfault", signal.SIGSEGV),
    ("/debug/overflow", signal.SIGSEGV),
    ("/debug/abort", signal.SIGABRT),
    ("/debug/encoder/segfault", signal.SIGSEGV),
])  # fmt: skip
def test_real_faults_end_picam(start_whole, path, number):
    """In a request's coroutine: a wild address, the end of its stack, `abort`; and a wild address in the encoder."""
    picam = start_whole()
    with raw.connect(picam.port) as stream, raw.connect(picam.port) as sock:
        stream.sendall(raw.get("/stream"))  # so that the encoder has something to do
        sock.sendall(raw.get(path))
        raw.read_to_end(sock, PATIENCE)
        ended_by(picam, number)
