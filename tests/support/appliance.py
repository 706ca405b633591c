"""A picam of the test's own: started on a free port, watched through its log, stopped by its own id."""

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "picam"
LISTENING = r"listening on http://\S*:(\d+)/"
# Seconds after which a wait is given up. It only ends a test that would hang: a machine whose cores are busy with
# something else takes longer for everything, and no test is to fail for that.
PATIENCE = 300.0


def toml(tables):
    """TOML text of {"section": {"key": value}}; JSON's spelling of scalars and lists is TOML's."""
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
        for name, table in tables.items()
    )


class Picam:
    """One running `picam`.

    tables: the TOML file as nested dictionaries; args: further command line; env: further environment;
    prefix: a command to run it under (`ip netns exec NAME`, which replaces itself by picam); preexec: called in
    the child before it starts.
    """

    def __init__(self, folder, tables=None, args=(), env=None, listen="127.0.0.1:0", prefix=(), preexec=None):
        if not BINARY.exists():
            raise FileNotFoundError(f"{BINARY} is missing: run `cargo build --release` first")
        self.config = Path(folder) / "picam.toml"
        self.write_config(tables or {})
        self.host = "127.0.0.1"
        self.command = [*prefix, str(BINARY), "--config", str(self.config), *args]
        if listen:  # None: where the file says
            self.host = listen.rpartition(":")[0]
            self.command += ["--listen", listen]
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            preexec_fn=preexec,
            text=True,
            errors="replace",
        )
        self.pid = self.process.pid
        self.lines = []
        self._more = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def _read_log(self):
        for line in self.process.stderr:
            with self._more:
                self.lines.append(line.rstrip("\n"))
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def write_config(self, tables):
        self.config.write_text(tables if isinstance(tables, str) else toml(tables))

    def wait_log(self, pattern, timeout=PATIENCE, since=0):
        """Match object of the first log line (from line number `since`) in which `pattern` is found."""
        deadline = time.monotonic() + timeout
        seen = since
        with self._more:
            while True:
                while seen < len(self.lines):
                    match = re.search(pattern, self.lines[seen])
                    if match:
                        return match
                    seen += 1
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "picam ended" if self._ended else f"not seen within {timeout} s"
                    raise AssertionError(f"log line {pattern!r}: {why}; log:\n" + "\n".join(self.lines[-40:]))
                self._more.wait(left)

    def wait_ready(self, timeout=PATIENCE):
        self.port = int(self.wait_log(LISTENING, timeout).group(1))
        self.url = f"http://{self.host}:{self.port}"
        return self

    def get(self, path, timeout=PATIENCE, method="GET"):
        """(status code, headers, body) of one request; error answers are answers, not exceptions."""
        request = urllib.request.Request(self.url + path, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read()

    def status(self):
        return json.loads(self.get("/status")[2])

    def wait_status(self, condition, timeout=PATIENCE):
        """Polls /status (the only way to see some events from outside) until `condition(status)` holds."""
        deadline = time.monotonic() + timeout
        while True:
            status = self.status()
            if condition(status):
                return status
            assert time.monotonic() < deadline, f"not within {timeout} s; last status: {status}"
            time.sleep(0.05)

    def newest_frame(self):
        """Number of a frame that the camera has delivered by now, or one before the newest."""
        counters = self.status()["counters"]
        return counters["frames_captured"] + counters["frames_lost"]

    def refused(self, reason):
        """How many connections were refused or cut for this reason: a limit's key, `malformed` or `stopping`."""
        line = re.search(rf'^picam_http_refused_total{{reason="{reason}"}} (\d+)', self.get("/metrics")[2].decode(), re.M)
        return int(line[1]) if line else 0

    def rss_kib(self):
        """Resident memory of the process, KiB."""
        return resident_kib(self.pid)

    def cpu_seconds(self):
        """User and system time that the process has used so far, seconds."""
        return cpu_seconds(self.pid)

    def threads(self):
        """{thread id: (name, allowed cores)} as the kernel has them."""
        found = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            path = f"{self.pid}/task/{task.name}"
            found[int(task.name)] = proc_status(path, "Name"), proc_status(path, "Cpus_allowed_list")
        return found

    def open_sockets(self):
        """Number of the process's open sockets (listener and internals included)."""
        count = 0
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                count += os.readlink(link).startswith("socket:")
            except FileNotFoundError:  # closed while we looked
                pass
        return count

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=PATIENCE):
        """Exit code, once the process has ended and all of its log is read."""
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        return code

    def stop(self, timeout=PATIENCE):
        """SIGTERM; the exit code must be 0. Kills what does not obey, so that nothing is left behind."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            code = self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise AssertionError(f"picam did not end within {timeout} s of SIGTERM; log:\n" + self.log())
        finally:
            self.process.stderr.close()
        assert code == 0, f"exit code {code}; log:\n{self.log()}"

    def log(self):
        return "\n".join(self.lines)


def proc_status(path, name):
    """The value of line `name` in /proc/`path`/status."""
    return re.search(rf"^{name}:\s*(.*)$", Path(f"/proc/{path}/status").read_text(), re.M).group(1)


def resident_kib(pid):
    """Resident memory of a process, KiB."""
    return int(proc_status(pid, "VmRSS").split()[0])


def cpu_seconds(pid):
    """User and system time of a process so far, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
