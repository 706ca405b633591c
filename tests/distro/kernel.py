"""Kernel configurations by the kernel's own Kconfig, without building a kernel: Debian's source, of which only that is unpacked."""

import os
import re
import subprocess

from distro.tree import ROOT
from image.lab.packages import Apt

CACHE = ROOT / "target/distro-tests"
PACKAGE = "linux-source-6.12"
# What every board's own configuration has, and what fragments may build on; all else must be named by them. Defaults that
# are y in the distributions' configurations and n here show what a fragment forgot.
BASE = """
CONFIG_MODULES=y
CONFIG_NET=y
CONFIG_INET=y
CONFIG_PCI=y
CONFIG_I2C=y
CONFIG_USB_SUPPORT=y
CONFIG_USB=y
CONFIG_SCSI=y
CONFIG_SND=y
CONFIG_STAGING=y
CONFIG_ARCH_BCM=y
CONFIG_ARCH_BCM2835=y
CONFIG_MAILBOX=y
CONFIG_BCM2835_MBOX=y
"""


class Kconfig:
    """The Kconfig files of a kernel's source, to merge fragments with."""

    def __init__(self, source):
        self.source = source

    @classmethod
    def debians(cls):
        """Of Debian's kernel, unpacked once."""
        tree = Apt(name="apt-source", types="deb deb-src").unpacked(PACKAGE, [PACKAGE])
        (tarball,) = (tree / "usr/src").glob("*.tar.xz")
        source = CACHE / "kconfig"
        stamp, version = source / "version", (tree.parent / f"{PACKAGE}.files").read_text()
        if not stamp.exists() or stamp.read_text() != version:
            source.mkdir(parents=True, exist_ok=True)
            wanted = ["*/Kconfig*", "*/scripts/*", "*/arch/*/Makefile", "linux-source-*/Makefile", "*/include/linux/compiler-version.h"]
            run("tar", "-xf", tarball, "-C", source, "--strip-components=1", "--wildcards", *wanted)
            stamp.write_text(version)
        return cls(source)

    def knows(self, symbol):
        """Whether a Kconfig file defines CONFIG_`symbol`."""
        pattern = rf"^(menu)?config {symbol}$"
        return subprocess.run(["grep", "-rqE", "--include=Kconfig*", pattern, self.source]).returncode == 0

    def merged(self, fragments, folder, base=BASE):
        """Symbol → value, "n" for what is off, of `base` with these texts merged onto it; what is not named is as Kconfig has it."""
        folder.mkdir(parents=True, exist_ok=True)
        wanted = folder / "wanted"
        wanted.write_text("\n".join([base, *fragments]) + "\n")
        environment = os.environ | {"KCONFIG_ALLCONFIG": str(wanted)}
        run("make", "-s", "-C", self.source, "ARCH=arm64", f"O={folder}", "alldefconfig", env=environment)
        return values((folder / ".config").read_text())


def values(text):
    """CONFIG_X → value of a configuration or a fragment; "n" for what is not set."""
    found = re.findall(r"^(CONFIG_\w+)=(.*)$|^# (CONFIG_\w+) is not set$", text, re.M)
    return {name or off: value if name else "n" for name, value, off in found}


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
