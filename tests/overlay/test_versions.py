"""Which version the scripts take for the older one, asked from their own function under every awk that is here."""

import re
import shutil
import subprocess

import pytest

from support.appliance import ROOT

ORDERED = ["0.9.0", "1.0.0-rc1", "1.0.0-rc2", "1.0.0-rc10", "1.0.0", "1.0.1-beta", "1.0.1", "1.2", "1.10", "2.0.0-rc1", "2.0.0", "10.0"]


def older(one, two, shell):
    script = (ROOT / "rootfs-overlay/usr/lib/picam/common").read_text()
    function = re.search(r"^older\(\) \{.*?^\}", script, re.MULTILINE | re.DOTALL)[0]
    return subprocess.run([*shell, "-c", f'{function}\nolder "$1" "$2"', "sh", one, two]).returncode == 0


@pytest.mark.parametrize("shell", [["sh"], ["busybox", "sh"]], ids=" ".join)
def test_order(shell):
    if not shutil.which(shell[0]):
        pytest.skip(f"no {shell[0]} here")
    for i, one in enumerate(ORDERED):
        for j, two in enumerate(ORDERED):
            assert older(one, two, shell) == (i < j), (one, two)
    assert not older("1.0", "1.0.0", shell) and not older("1.0.0", "1.0", shell)
