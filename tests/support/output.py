"""What a child process prints: a test can wait for a line of it, and show the words of a program that failed."""

import os
import re
import subprocess
import threading
import time

KEPT = 200  # lines


class Output:
    """Reads `stream`, a text pipe of a child process, until its end, so that the child never has to wait."""

    def __init__(self, stream):
        self.stream = stream
        self.lines = []
        self._more = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.stream:
            with self._more:
                self.lines = [*self.lines[1 - KEPT :], line.rstrip("\n")]
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def wait(self, pattern, timeout=60.0):
        """Match object of a line in which `pattern` is found."""
        deadline = time.monotonic() + timeout
        with self._more:
            while not any(matches := [re.search(pattern, line) for line in self.lines]):
                left = deadline - time.monotonic()
                why = "the program ended" if self._ended else f"not within {timeout} s"
                assert not self._ended and left > 0, f"no line with {pattern!r}: {why}; it said:\n{self}"
                self._more.wait(left)
        return next(match for match in matches if match)

    def end(self, timeout=5.0):
        """Waits until the child has closed its end: everything that it said is here."""
        self._reader.join(timeout)

    def __str__(self):
        return "\n".join(self.lines) or "(nothing)"


def started(command, cwd=None, environment=None):
    """Starts a program that nobody types to, with more in its environment; the process, and what it prints on both outputs."""
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    return process, Output(process.stdout)
