"""The life of the package for Raspberry Pi OS, by the real dpkg in a tree of its own: installed, upgraded, disabled,
removed, purged. Its scripts run on this machine and work on the tree (DPKG_ROOT), so that no emulator is needed."""

import os
import subprocess

import pytest
from support import deb
from support.deb import CONFIGURATION

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="dpkg installs as root only")

# What is installed there: what the package depends on.
STATUS = """\
Package: {0}
Status: install ok installed
Maintainer: nobody <nobody@example.org>
Architecture: all
Multi-Arch: foreign
Version: 999
Description: {0}

"""
WANTED = "etc/systemd/system/multi-user.target.wants/picam.service"


class System:
    """A tree that looks to dpkg like a Debian for arm64."""

    def __init__(self, root):
        self.root = root
        for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc", "var/lib/systemd"):
            (root / folder).mkdir(parents=True)
        self.write("var/lib/dpkg/arch", "amd64\narm64\n")
        self.write("var/lib/dpkg/status", "".join(map(STATUS.format, ("systemd", "init-system-helpers"))))
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        self.write("etc/group", "root:x:0:\nvideo:x:44:pi\n")

    def path(self, name):
        return self.root / name

    def write(self, name, text):
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_text(text)

    def read(self, name):
        return self.path(name).read_text()

    def dpkg(self, *arguments, **options):
        command = ["dpkg", f"--root={self.root}", "--force-script-chrootless", *arguments]
        options = {"stdin": subprocess.DEVNULL, **options}
        return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)

    def done(self, *arguments, **options):
        """The same; it has to work."""
        done = self.dpkg(*arguments, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def state(self):
        """What dpkg says of picam: two letters, as `ii` or `rc`."""
        command = ["dpkg-query", f"--admindir={self.root}/var/lib/dpkg", "-W", "-f", "${db:Status-Abbrev}", "picam"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "un"

    def systemctl(self, *arguments):
        command = ["systemctl", f"--root={self.root}", *arguments]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def system(tmp_path):
    return System(tmp_path / "system")


@pytest.fixture(scope="module")
def newer(package, tmp_path_factory):
    """The next version of the package."""
    return deb.newer(package.path, tmp_path_factory.mktemp("newer"))


@pytest.fixture
def installed(system, package):
    system.done("--install", package.path)
    return system


def test_without_what_it_depends_on_it_is_not_configured(system, package):
    system.write("var/lib/dpkg/status", "")
    refused = system.dpkg("--install", package.path)
    assert refused.returncode == 1 and " depends on init-system-helpers " in refused.stderr


def test_installing_makes_the_user_and_enables_the_service(installed):
    assert installed.state() == "ii"
    assert "picam:x:" in installed.read("etc/passwd") and "/nonexistent:/usr/sbin/nologin" in installed.read("etc/passwd")
    assert "video:x:44:pi,picam" in installed.read("etc/group").splitlines()
    assert os.readlink(installed.path(WANTED)).endswith("/lib/systemd/system/picam.service")
    assert installed.systemctl("is-enabled", "picam.service") == "enabled"


def test_an_upgrade_keeps_what_the_site_has_written(installed, newer):
    """Both sides have changed the file: dpkg asks, and whoever has said "keep" beforehand gets the new one beside."""
    installed.write(CONFIGURATION, "[camera]\nrate = 4.0\n")
    told = installed.done("--force-confold", "--install", newer)
    assert "Configuration file '/etc/picam/picam.toml'" in told
    assert installed.read(CONFIGURATION) == "[camera]\nrate = 4.0\n"
    assert deb.NEW in installed.read(f"{CONFIGURATION}.dpkg-dist")


def test_an_upgrade_replaces_it_on_request(installed, newer):
    installed.write(CONFIGURATION, "[camera]\nrate = 4.0\n")
    installed.done("--force-confnew", "--install", newer)
    assert deb.NEW in installed.read(CONFIGURATION)
    assert installed.read(f"{CONFIGURATION}.dpkg-old") == "[camera]\nrate = 4.0\n"


def test_an_upgrade_that_nobody_answers_changes_nothing_and_can_be_finished(installed, newer):
    installed.write(CONFIGURATION, "[camera]\nrate = 4.0\n")
    asked = installed.dpkg("--install", newer)
    assert asked.returncode == 1 and "end of file on stdin at conffile prompt" in asked.stderr
    assert installed.state() == "iU" and installed.read(CONFIGURATION) == "[camera]\nrate = 4.0\n"
    installed.done("--force-confold", "--configure", "picam")
    assert installed.state() == "ii"


@pytest.mark.parametrize("site_wrote", [False, True], ids=["package", "site"])
def test_an_upgrade_asks_nothing_where_one_side_changed_the_file(installed, package, newer, site_wrote):
    if site_wrote:
        installed.write(CONFIGURATION, "[camera]\nrate = 4.0\n")
        installed.done("--install", package.path)
        assert installed.read(CONFIGURATION) == "[camera]\nrate = 4.0\n"
    else:
        installed.done("--install", newer)
        assert deb.NEW in installed.read(CONFIGURATION)
    assert not list(installed.path("etc/picam").glob("*.dpkg-*"))


def test_disabled_stays_disabled(installed, package, newer):
    installed.systemctl("disable", "picam.service")
    for path in (package.path, newer):
        installed.done("--install", path)
        assert installed.systemctl("is-enabled", "picam.service") == "disabled"
    installed.systemctl("enable", "picam.service")
    installed.done("--install", newer)
    assert installed.systemctl("is-enabled", "picam.service") == "enabled"


def test_removing_keeps_the_configuration_and_installing_again_finds_it(installed, package):
    installed.write(CONFIGURATION, "[camera]\nrate = 4.0\n")
    installed.write("var/lib/picam/controls.toml", "")
    installed.done("--remove", "picam")
    assert installed.state() == "rc" and not installed.path("usr/lib/picam").exists()
    assert installed.path("var/lib/picam/controls.toml").exists()
    installed.done("--install", package.path)
    assert installed.read(CONFIGURATION) == "[camera]\nrate = 4.0\n" and installed.state() == "ii"


@pytest.mark.parametrize("removed", [False, True], ids=["at once", "after removing"])
def test_purging_leaves_nothing_but_the_user(installed, removed):
    installed.write("var/lib/picam/controls.toml", "")
    if removed:
        installed.done("--remove", "picam")
    installed.done("--purge", "picam")
    assert installed.state() == "un" and "picam:x:" in installed.read("etc/passwd")
    left = {str(path.relative_to(installed.root)) for path in installed.root.rglob("*picam*")}
    assert left == set()


def stand_ins(folder, failing):
    """Programs that write down how they are called, and the file that they write to; all that `failing` names fail."""
    folder.mkdir()
    calls = folder / "calls"
    calls.write_text("")
    for name in ("systemctl", "systemd-sysusers", "deb-systemd-helper", "deb-systemd-invoke"):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >>{calls}\n' + ("exit 1\n" if name in failing else ""))
        program.chmod(0o755)
    return calls


def called(package, tmp_path, script, *arguments, failing=()):
    """What a script calls where systemd runs, in namespaces of its own."""
    calls = stand_ins(tmp_path / f"{script}-{'-'.join(arguments)}", failing)
    inside = 'mount -t tmpfs none /run && mkdir -p /run/systemd/system && PATH="$1:$PATH" && shift && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", inside, "sh", calls.parent, package.control / script, *arguments]
    subprocess.run(command, check=True, timeout=60)
    lines = [line.split() for line in calls.read_text().splitlines()]
    return [" ".join(words) for words in lines if words[0] in ("systemctl", "deb-systemd-invoke")]


def test_where_systemd_runs_the_service_is_started_restarted_and_stopped(package, tmp_path):
    reload = "systemctl --system daemon-reload"
    invoke = "deb-systemd-invoke {} picam.service"
    assert called(package, tmp_path, "postinst", "configure", "") == [reload, invoke.format("start")]
    assert called(package, tmp_path, "prerm", "upgrade", "2") == []
    assert called(package, tmp_path, "postinst", "configure", "1") == [reload, invoke.format("restart")]
    assert called(package, tmp_path, "prerm", "remove") == [invoke.format("stop")]
    assert called(package, tmp_path, "postrm", "remove") == [reload]


def test_a_service_that_does_not_start_is_no_broken_package(package, tmp_path):
    assert called(package, tmp_path, "postinst", "configure", "", failing=["deb-systemd-invoke"])
