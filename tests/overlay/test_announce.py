"""BusyBox init and the camera's name: etc/init.d/S61announce."""

import pytest
from support.overlay import Overlay, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
SITE = '[camera]\nsource = "pattern"\nwidth = 64\nheight = 64\n'
STATUS = "wget -q -O - http://127.0.0.1:8000/status | grep '\"name'"


@pytest.fixture
def root(tmp_path):
    with Overlay(tmp_path) as root:
        root.shell("mkdir -p /run/picam /run/picam-announce /data/picam; chown picam-announce /run/picam-announce; hostname cam-a")
        (root.folder / "events/site").write_text(SITE)
        root.shell("cp /events/site /data/picam/picam.toml")
        yield root


def test_it_runs_as_its_own_user_and_picam_shows_the_name(root):
    root.shell("/etc/init.d/S60picam start; /etc/init.d/S61announce start")
    root.wait_event("cam-a.local is announced")
    root.wait(lambda: '"name": "cam-a.local"' in root.shell(STATUS), "the name in /status")
    assert '"name_error": null' in root.shell(STATUS)
    assert root.shell("stat -c %U /proc/$(pidof picam-announce)") == "picam-announce"


def test_it_comes_back_when_killed_and_not_when_stopped(root):
    root.shell("/etc/init.d/S61announce start")
    root.wait_event("is announced")
    first = root.shell("pidof picam-announce")
    root.shell(f"kill -9 {first}")
    root.wait(lambda: root.shell("pidof picam-announce") not in ("", first), "another one")
    root.wait(lambda: root.events().count("is announced") == 2, "its name again")
    root.shell("/etc/init.d/S61announce stop")
    root.wait(lambda: not root.shell("pidof picam-announce; pgrep -f usr/lib/picam/announce"), "the end of both")
    assert root.shell("cat /run/picam-announce/state") == ""


def test_nothing_runs_where_it_is_switched_off(root):
    root.shell("printf '[server]\\nmdns = false\\n' >>/data/picam/picam.toml; /etc/init.d/S61announce start")
    root.wait_event("nothing is announced: server.mdns is false")
    root.wait(lambda: not root.shell("pidof picam-announce; pgrep -f usr/lib/picam/announce"), "the end of both")
