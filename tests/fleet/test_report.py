"""What a server that steers updates is told after a trial: a real goosebit, the appliance's own script, and curl."""

import pytest
from support.overlay import Overlay

from fleet.steering import DEVICE, TOKEN, Goosebit

PORT = 8080  # of a network that only the test has
CONFIG = f"""[client]
hawkbit_server            = 127.0.0.1:{PORT}
ssl                       = false
tenant_id                 = DEFAULT
target_name               = {DEVICE}
auth_token                = {TOKEN}
post_update_reboot        = false

[device]
hw_boardname              = picam-test
"""
START = "7 2026-11-28T20:00:00Z {slot} {version} {reason} {outcome}"


class Server(Goosebit):
    """goosebit in a root's network."""

    FOLDER = "/data/goosebit"

    def __init__(self, root):
        super().__init__(self.FOLDER, PORT)
        self._root = root
        root.shell(f"mkdir {self.FOLDER}")

    def _run(self, command):
        return self._root.start(*command)

    def network(self):
        return self._root.network()

    def stop(self):
        self._root.shell(f"kill $(cat {self.FOLDER}/pid)")
        self._process.wait()

    def version(self):
        return self.device()["sw_version"]

    def claim(self, version):
        """As the updater does after the installation, before the trial."""
        data = {"mode": "merge", "data": {"hw_boardname": "picam-test", "sw_version": version}}
        self.ask("PUT", f"/DEFAULT/controller/v1/{DEVICE}/configData", data, f"TargetToken {TOKEN}")


@pytest.fixture
def root(tmp_path):
    constants = {"report": {"PAUSE": 1, "RETRY": 1}}
    with Overlay(tmp_path / "root", constants) as root:
        root.shell(f"mkdir -p /data/site /run/picam; umask 077; cat >/data/site/hawkbit.conf <<'END'\n{CONFIG}END")
        yield root


@pytest.fixture
def server(root):
    server = Server(root)
    server.start()
    yield server
    server.stop()


def starts(root, *lines):
    root.shell("cat >/run/picam/starts <<'END'\n" + "\n".join(lines) + "\nEND")


def report(root):
    return root.start("/usr/lib/picam/report", "/data/site/hawkbit.conf")


def test_the_server_is_told_what_the_updater_would_say_of_the_device(root, server):
    """goosebit asks an updater once, and not at all if it has been told something."""
    starts(root, START.format(slot="A", version="1.0.0", reason="power", outcome="serving"))
    config = CONFIG + 'hw_revision = "2"\nsw_version = 0.1.0\nnote = one\ttwo\n'
    root.shell("cat >/data/site/hawkbit.conf <<'END'\n" + config.replace("\n", "\r\n") + "END")
    assert report(root).wait() == 0
    device = server.device()
    assert (device["hardware"]["model"], device["hardware"]["revision"], device["sw_version"]) == ("picam-test", "2", "1.0.0")


def test_after_a_fall_back_the_server_is_told_what_runs(root, server):
    server.claim("1.1.0")
    assert server.version() == "1.1.0", "what the updater has said, before the trial"
    starts(root, START.format(slot="B", version="1.1.0", reason="trial", outcome="failed: no 30 s of fresh frames"),
           START.format(slot="A", version="1.0.0", reason="fall-back", outcome="serving"))  # fmt: skip
    assert report(root).wait() == 0
    assert server.version() == "1.0.0"
    root.wait_event("the server is told: 1.0.0, fall-back, serving")
    assert TOKEN not in root.events()


def test_a_trial_is_told_when_it_is_over(root, server):
    server.claim("1.1.0-claimed")
    starts(root, START.format(slot="B", version="1.1.0", reason="trial", outcome="serving"))
    telling = report(root)
    root.shell("sleep 3")  # nothing happens: nothing could be waited for
    assert telling.poll() is None and server.version() == "1.1.0-claimed"
    starts(root, START.format(slot="B", version="1.1.0", reason="trial", outcome="committed"))
    assert telling.wait() == 0
    assert server.version() == "1.1.0"


def test_a_server_that_is_away_is_told_later(root, server):
    server.claim("1.1.0")
    server.stop()
    starts(root, START.format(slot="A", version="1.0.0", reason="power", outcome="serving"))
    telling = report(root)
    root.wait_event("the server does not take that 1.0.0 runs: curl: .*")
    server.start()
    assert telling.wait() == 0
    assert server.version() == "1.0.0"


def test_a_wrong_token_is_said_once_and_shown_to_nobody(root, server):
    root.shell("sed -i 's/^auth_token.*/auth_token = another-one/' /data/site/hawkbit.conf")
    starts(root, START.format(slot="A", version="1.0.0", reason="power", outcome="serving"))
    telling = report(root)
    root.wait_event("the server does not take that 1.0.0 runs: curl: .*401")
    root.shell("sleep 3")  # it tries on
    assert telling.poll() is None and root.events().count("does not take") == 1
    assert "another-one" not in root.shell("cat /proc/*/cmdline | tr '\\0' ' '")
    telling.terminate()
    telling.wait()
