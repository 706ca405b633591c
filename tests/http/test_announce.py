"""picam-announce on a LAN of the test's own, beside avahi, and looked for by python-zeroconf."""

import re
import subprocess
import time
import tomllib
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.appliance import PATIENCE, ROOT
from support.mdns import Announce, Avahi, Looker, throw_rubbish
from support.wifi_link import DEVICES, SERVER, Link, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
SERVICE = "picam on cam-a"


@pytest.fixture
def lan():
    with Link(delay=0.001, rate=1e8, ethernet=True) as link:
        yield link


def test_it_is_found_and_says_goodbye(lan, tmp_path):
    with Looker(lan.client) as looker, Announce(lan.server, tmp_path, "cam-a") as announce:
        found = looker.wait_found(SERVICE)
        assert (found["server"], found["port"]) == ("cam-a.local.", 8000) and SERVER in found["addresses"]
        assert found["properties"] == {"path": "/", "model": "picam", "version": VERSION}
        assert not [address for address in found["addresses"] if ":" in address], "picam listens to IPv4 alone"
        threads = list(Path(f"/proc/{announce.process.pid}/task").glob("*/status"))
        assert len(threads) > 2
        for thread in threads:
            assert re.search(r"^NoNewPrivs:\t1$", thread.read_text(), re.M), "sealed before it was started"
        assert announce.end() == 0
        looker.wait_gone(SERVICE)


def test_an_address_that_comes_later(lan, tmp_path):
    namespace = lan.names[0]
    subprocess.run(["ip", "-n", namespace, "address", "flush", "dev", DEVICES[0]], check=True)
    with Looker(lan.client) as looker, Announce(lan.server, tmp_path, "cam-a") as announce:
        announce.wait("cam-a.local is announced")
        subprocess.run(["ip", "-n", namespace, "address", "add", "10.77.0.9/24", "dev", DEVICES[0]], check=True)
        assert "10.77.0.9" in looker.wait_found(SERVICE)["addresses"]


def test_a_name_that_another_machine_has(lan, tmp_path):
    with ExitStack() as machines:
        avahi = machines.enter_context(Avahi(lan.client, tmp_path, "cam-a"))
        looker = machines.enter_context(Looker(lan.client))
        announce = machines.enter_context(Announce(lan.server, tmp_path, "cam-a"))
        deadline, name = time.monotonic() + PATIENCE, None
        while not name:
            assert time.monotonic() < deadline, f"{announce.output}\n{avahi.output}"
            time.sleep(0.1)
            if "another machine has the name cam-a.local: this one is cam-a-2.local" in str(announce.output):
                name = "cam-a-2.local."
            elif "Host name conflict, retrying with cam-a-2" in str(avahi.output):
                name = "cam-a.local."  # on a busy machine its answer came too late, and it is the one that goes
        assert looker.wait_found(SERVICE)["server"] == name
        assert announce.end() == 0
        looker.wait_gone(SERVICE)


def test_another_responder_on_the_same_machine(lan, tmp_path):
    with Avahi(lan.server, tmp_path, "cam-a"), Announce(lan.server, tmp_path, "cam-a") as announce:
        announce.wait("another program of this machine has UDP port 5353: it has to announce picam")
        assert announce.end() == 0
        assert "is announced" not in str(announce.output)


@pytest.mark.parametrize(
    "server, said", [({"mdns": False}, "server.mdns is false"), ({"listen": "127.0.0.1:8000"}, "picam listens to this machine alone")]
)
def test_nothing_to_announce(lan, tmp_path, server, said):
    with Announce(lan.server, tmp_path, "cam-a", **server) as announce:
        assert announce.process.wait(60) == 0
        announce.output.end()
        assert f"nothing is announced: {said}" in str(announce.output)


def test_rubbish_from_a_neighbour(lan, tmp_path):
    """Bytes by chance, and a real answer cut short or with one byte changed: it answers as before."""
    with Announce(lan.server, tmp_path, "cam-a") as announce:
        announce.wait("is announced")
        throw_rubbish(lan.client, SERVER)
        with Looker(lan.client) as looker:
            assert looker.wait_found(SERVICE)["server"] == "cam-a.local."
        assert announce.end() == 0
