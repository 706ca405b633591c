"""The package for Raspberry Pi OS where systemd runs, with an executable for this machine in it: installed, upgraded,
disabled, removed, purged. What dpkg does where none runs, and to files, is in tests/dist/test_deb_scripts.py."""

import json

import pytest
from support import deb
from support.appliance import BINARY
from support.systemd import Systemd, unavailable, wait

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

CONFIGURATION = f"/{deb.CONFIGURATION}"
SITE = r'[camera]\nrate = 4.0\n[state]\ndirectory = "/var/lib/picam"\n'
TAKEN = "3"  # the exit code where the address is another program's


@pytest.fixture
def system(tmp_path):
    """A system with two versions of the package in /packages."""
    system = Systemd(tmp_path / "systemd")
    (system.tree / "packages").mkdir()
    package = deb.made_of(BINARY, "0.1.0", tmp_path)
    for name, path in (("first", package), ("newer", deb.newer(package, tmp_path))):
        path.rename(system.tree / f"packages/{name}.deb")
    # What is no camera: this machine's executable has none. The command line wins over the package's configuration.
    system.put(
        "etc/systemd/system/picam.service.d/pattern.conf",
        "[Service]\nExecStart=\nExecStart=/usr/bin/picam --camera pattern\n",
    )
    with system:
        assert system.shell("dpkg --add-architecture arm64") == ""
        yield system


def dpkg(system, *arguments):
    done = system.run(f"dpkg {' '.join(arguments)}")
    assert done.returncode == 0, done.stdout
    return done.stdout


def state(system):
    return [system.show("picam", name) for name in ("ActiveState", "UnitFileState")]


def status(system):
    return json.loads(system.shell("curl -s http://127.0.0.1:8000/status"))


def test_its_life(system):
    dpkg(system, "--install /packages/first.deb")
    assert state(system) == ["active", "enabled"], system.log("picam")
    assert "picam" in system.shell("id -un picam") and "video" in system.shell("id -Gn picam").split()
    process = system.show("picam", "MainPID")
    assert system.shell(f"stat -c %U /proc/{process}") == "picam"
    assert system.shell("stat -c '%U %a' /var/lib/picam") == "picam 700"
    assert system.shell("curl -s 'http://127.0.0.1:8000/set?Brightness=0.5'") == "ok"
    wait(lambda: "Brightness" in system.shell("cat /var/lib/picam/controls.toml"), "the saved settings")

    # An upgrade: both sides have changed the configuration.
    system.shell(f"""printf '{SITE}' >{CONFIGURATION}""")
    dpkg(system, "--force-confold --install /packages/newer.deb")
    assert state(system) == ["active", "enabled"] and system.show("picam", "MainPID") != process
    assert deb.NEW in system.shell(f"cat {CONFIGURATION}.dpkg-dist")
    running = status(system)
    assert running["rate_hz"] == 4.0 and running["controls"]["requested"]["Brightness"] == 0.5

    # What the administrator has switched off stays so.
    system.shell("systemctl disable --now picam")
    for package in ("first", "newer"):
        dpkg(system, f"--force-confold --install /packages/{package}.deb")
        assert state(system) == ["inactive", "disabled"]
    system.shell("systemctl enable --now picam")
    assert state(system) == ["active", "enabled"]

    dpkg(system, "--remove picam")
    assert state(system)[0] == "inactive"
    assert system.shell(f"ls {CONFIGURATION} /var/lib/picam/controls.toml; pidof picam").split() == [
        CONFIGURATION,
        "/var/lib/picam/controls.toml",
    ]
    dpkg(system, "--purge picam")
    assert system.run("ls -d /etc/picam /var/lib/picam /etc/avahi/services/picam.service").stdout.count("No such file") == 3
    assert system.run("id picam").returncode == 0


def test_a_taken_port_is_no_broken_package(system):
    """systemd goes on trying, and picam serves once the port is free."""
    system.shell("systemd-run --unit=other python3 -m http.server 8000")
    wait(lambda: system.run("curl -s http://127.0.0.1:8000/").returncode == 0, "the other program")
    dpkg(system, "--install /packages/first.deb")
    wait(lambda: system.show("picam", "NRestarts") not in ("", "0"), "a second attempt")
    wait(lambda: system.show("picam", "ExecMainStatus") == TAKEN, "its end")
    system.shell("systemctl stop other")
    wait(lambda: system.show("picam", "ActiveState") == "active", "picam")
