"""The appliance's units on a systemd of their own."""

import re
import shutil
from pathlib import Path

import pytest
from support.appliance import BINARY, ROOT, toml
from support.overlay import USERS
from support.systemd import Systemd

OVERLAY = ROOT / "rootfs-overlay"
AUTOBOOT = "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n"
SMALL = {"camera": {"source": "pattern", "width": 64, "height": 64}, "state": {"directory": "/data/picam/state"}}


class Appliance(Systemd):
    """rootfs-overlay and picam as the distributions install them. `constants`: other values for NAME=NUMBER lines of the
    scripts, {script: {NAME: number}}, so that no test waits for minutes."""

    def __init__(self, folder, constants=None, **options):
        super().__init__(folder, **options)
        for name in ("usr", "etc/picam"):
            shutil.copytree(OVERLAY / name, self.tree / name, dirs_exist_ok=True)
        for program in ("picam", "picam-announce"):
            shutil.copy(BINARY.with_name(program), self.tree / "usr/bin" / program)
        self.put("etc/picam/picam.toml", toml(SMALL))
        self.put("etc/picam-release", "VERSION=1.0.0\nCOMPATIBLE=picam-test\nBUILD_TIME=0\n")
        for name, lines in USERS.items():
            self.put(f"etc/{name}", Path("/etc", name).read_text() + lines)
        for script, values in (constants or {}).items():
            for constant, value in values.items():
                self.change(f"usr/lib/picam/{script}", rf"^{constant}=\d+$", f"{constant}={value}")
        (self.folder / "boot/autoboot.txt").write_text(AUTOBOOT)

    def change(self, name, pattern, text):
        """Replaces the one place of a file of the tree that matches."""
        path = self.tree / name
        changed, count = re.subn(pattern, text.replace("\\", "\\\\"), path.read_text(), flags=re.M | re.S)
        assert count == 1, f"{name} has no {pattern}"
        path.write_text(changed)


@pytest.fixture
def make_appliance(tmp_path):
    def make_appliance(**options):
        return Appliance(tmp_path / "systemd", **options)

    return make_appliance
