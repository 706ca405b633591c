"""A real goosebit on loopback, by what its administrator and its one device ask it."""

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parents[1] / ".venv-fleet/bin/python"
DEVICE, TOKEN = "gate", "t0k-of-the-gate"
FEED = "stable"
BOUNDARY = "between-the-parts"
PATIENCE = 300


class Goosebit:
    """One server, on this machine unless who inherits starts it elsewhere. What it keeps is in `folder`."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self._process = None
        self._admin = None

    def start(self):
        """Returns when it answers and knows the device."""
        self._process = self._run([str(PYTHON), str(HERE / "server.py"), str(self.folder), str(self.port)])
        deadline = time.monotonic() + PATIENCE
        while not self._is_up():
            assert time.monotonic() < deadline, "goosebit does not answer"
            time.sleep(0.1)
        user = {"username": "admin@localhost", "password": "secret"}
        is_new = self._admin is None
        self._admin = f"Bearer {self.ask('POST', '/setup' if is_new else '/login', form=user)['access_token']}"
        if is_new:
            # goosebit knows a device when it has asked for the first time.
            with contextlib.suppress(urllib.error.HTTPError):
                self.ask("GET", f"/DEFAULT/controller/v1/{DEVICE}", authorization=f"TargetToken {TOKEN}")
            self.administer("PUT", "/api/v1/devices", {"devices": [DEVICE], "auth_token": TOKEN, "feed": FEED, "software": "rollout"})
        return self

    def stop(self):
        self._process.terminate()
        self._process.wait()

    def _run(self, command):
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def network(self):
        """A context in which its port can be reached."""
        return contextlib.nullcontext()

    def _is_up(self):
        try:
            self.ask("GET", "/docs/none")
        except urllib.error.HTTPError:
            return True
        except OSError:
            assert self._process.poll() is None, "goosebit has ended"
        except json.JSONDecodeError:
            return True
        return False

    def ask(self, method, path, body=None, authorization=None, form=None, file=None):
        """The JSON of an answer. One of `body`, to be JSON, `form`, {name: text}, and `file`, a path to upload."""
        headers = {"Authorization": authorization} if authorization else {}
        data = None
        if form:
            data = urllib.parse.urlencode(form).encode()
        elif file:
            data, headers["Content-Type"] = _upload(file), f"multipart/form-data; boundary={BOUNDARY}"
        elif body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        question = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        with self.network(), urllib.request.urlopen(question, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or b"null")

    def administer(self, method, path, body=None, **options):
        return self.ask(method, path, body, self._admin, **options)

    def device(self):
        """What it knows of the device."""
        return self.administer("GET", f"/api/v1/devices/{DEVICE}")

    def log(self):
        """What the device has said of its installations."""
        return json.dumps(self.administer("GET", f"/api/v1/devices/{DEVICE}/log"))

    def roll_out(self, bundle):
        """Offers a bundle to all devices, and again to one that has failed; the rollout's number."""
        software = self.administer("PUT", "/api/v1/software", file=bundle)
        number = self.administer("PUT", "/api/v1/rollouts", {"name": bundle.stem, "feed": FEED, "software_id": software["id"]})["id"]
        self.administer("PATCH", "/api/v1/devices", {"devices": [DEVICE], "force_update": True})
        return number

    def rollout(self, number):
        """How it went: success_count, failure_count and more."""
        (found,) = [it for it in self.administer("GET", "/api/v1/rollouts")["rollouts"] if it["id"] == number]
        return found


def _upload(path):
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n'
    head += "Content-Type: application/octet-stream\r\n\r\n"
    return head.encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
