"""What the tests do with a machine that runs: HTTP through a forwarded port, a root shell through a virtio port."""

import json
import os
import re
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path


class MachineError(AssertionError):
    """The machine did not do what was waited for; the message has the end of its console."""


class Access:
    """The way in. `folder` has the shell's socket; HTTP comes by `port`, or a free one of this machine. Who inherits says by
    history() and console_end() how it went."""

    # By this every limit of time is longer than the caller says: for a machine that others keep waiting.
    patience = 1

    def __init__(self, folder, port=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or _free_port()
        self._shell = None

    def history(self):
        """The boots so far in a word."""
        return "one boot"

    def console_end(self, lines=25):
        """The last lines of the console."""
        raise NotImplementedError

    # HTTP

    def get(self, path, timeout=10.0, method="GET"):
        """One request: (status, headers, body)."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout * self.patience) as reply:
                return reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def wait_jpeg(self, seconds, path="/jpg"):
        """Waits for a whole JPEG from `path`; (headers, body)."""
        deadline = time.monotonic() + seconds * self.patience
        while True:
            try:
                status, headers, body = self.get(path, timeout=5)
                if status == 200 and body[:2] == b"\xff\xd8" and body[-2:] == b"\xff\xd9":
                    return headers, body
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise MachineError(f"no JPEG within {seconds * self.patience} s; {self.history()}\n" + self.console_end())
            time.sleep(0.1)

    def status(self):
        """/status as a dictionary."""
        return json.loads(self.get("/status")[2])

    def wait_status(self, condition, seconds):
        """Waits until `condition` holds for what /status says; that."""
        deadline, status = time.monotonic() + seconds * self.patience, None
        while True:
            try:
                status = self.status()
                if condition(status):
                    return status
            except (OSError, ValueError):
                pass
            if time.monotonic() > deadline:
                raise MachineError(f"not within {seconds * self.patience} s; last status: {status}; {self.history()}\n" + self.console_end())
            time.sleep(0.2)

    # Shell

    @property
    def _shell_path(self):
        return self.folder / "shell"

    def shell(self, command, seconds=30, check=True):
        """Runs a command as root in the guest; its output. MachineError if it fails, unless `check` is false."""
        code, output = self.shell_code(command, seconds)
        if check and code != 0:
            raise MachineError(f"in the guest: {command} ended with {code}: {output}")
        return output

    def shell_code(self, command, seconds=30):
        """(exit code, output) of a command in the guest."""
        deadline = time.monotonic() + seconds * self.patience
        mark = os.urandom(6).hex()
        buffer = b""
        while True:
            try:
                connection = self._connected()
                if not buffer:
                    # The quotes keep the command itself, echoed by nobody, from looking like its end.
                    connection.sendall(f"\n{{ {command}\n}} </dev/null 2>&1; echo {mark[:6]}''{mark[6:]} $?\n".encode())
                    buffer = b"\n"
                connection.settimeout(max(0.1, min(5.0, deadline - time.monotonic())))
                data = connection.recv(65536)
                if not data:
                    raise ConnectionError("the machine is gone")
                buffer += data
            except TimeoutError:
                pass
            except OSError as error:
                self._close_shell()
                if buffer.strip() or time.monotonic() > deadline:
                    raise MachineError(f"in the guest: {command}: {error}; {self.history()}") from error
                buffer = b""
                time.sleep(0.3)
            match = re.search(rb"^(.*?)" + mark.encode() + rb" (\d+)\n", buffer, re.DOTALL)
            if match:
                return int(match[2]), match[1].decode(errors="replace").strip()
            if time.monotonic() > deadline:
                self._close_shell()
                raise MachineError(f"in the guest: no end of {command!r} within {seconds * self.patience} s: {buffer[-500:]!r}; {self.console_end()}")

    def _connected(self):
        if self._shell is None:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(5)
            connection.connect(str(self._shell_path))
            self._shell = connection
        return self._shell

    def _close_shell(self):
        if self._shell:
            self._shell.close()
            self._shell = None


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
