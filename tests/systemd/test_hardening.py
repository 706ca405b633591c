"""What each unit of the appliance gives up. What it still gets along with is in test_units.py."""

import re

import pytest
from support.appliance import ROOT
from support.units import Units

OVERLAY = ROOT / "rootfs-overlay"
RECIPES = ROOT / "meta-picam/recipes-picam"
# The most that systemd-analyze may make of each, from 0 (shut) to 10 (open), by systemd 252; 257 finds each 0.1 or 0.2 less.
EXPOSURE = {
    "picam.service": 1.7,
    "picam-announce.service": 1.7,
    "picam-data.service": 4.5,
    "picam-guard.service": 5.1,
    "picam-report.service": 1.7,
    "picam-ssh.service": 9.3,  # root's shell
    "picam-update.service": 5.0,
    "picam-wifi.service": 3.7,
    "picam-wifi-watch.service": 5.1,
}
# Each of these makes systemd give a service mounts of its own: what it mounts then, others do not see.
OWN_MOUNTS = (
    "BindPaths BindReadOnlyPaths DynamicUser ExecPaths InaccessiblePaths MountFlags NoExecPaths PrivateDevices PrivateMounts"
    " PrivateNetwork PrivateTmp ProcSubset ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs"
    " ProtectKernelModules ProtectKernelTunables ProtectProc ProtectSystem ReadOnlyPaths ReadWritePaths RootDirectory RootImage"
    " TemporaryFileSystem"
).split()


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    folder = tmp_path_factory.mktemp("units")
    made = Units(folder, OVERLAY, ["/usr/bin/picam", "/usr/bin/picam-announce", "/usr/sbin/wpa_supplicant", "/bin/kill"])
    for unit in RECIPES.glob("*/files/*.service"):
        (made.root / "usr/lib/systemd/system" / unit.name).write_text(unit.read_text())
    return made


def services():
    return [*OVERLAY.glob("usr/lib/systemd/system/*.service"), *RECIPES.glob("*/files/*.service")]


def test_each_unit_has_a_limit():
    assert {path.name for path in services()} == set(EXPOSURE)


@pytest.mark.parametrize("unit", EXPOSURE)
def test_it_is_shut_as_far_as_its_work_allows(units, unit):
    assert units.exposure(unit) <= EXPOSURE[unit]


def test_systemd_verifies_all_units(units):
    assert units.complaints(*EXPOSURE, "picam-update.timer") == ""


@pytest.mark.parametrize("name", ["data", "guard", "ssh", "update", "wifi-watch"])
def test_who_mounts_has_the_mounts_of_all(name):
    """usr/lib/picam/data mounts, rauc-backend and wifi remount, and a technician's shell does as it likes."""
    (unit,) = [path for path in services() if path.name == f"picam-{name}.service"]
    given = set(re.findall(r"^(\w+)=", unit.read_text(), re.M))
    assert given & set(OWN_MOUNTS) == set()
