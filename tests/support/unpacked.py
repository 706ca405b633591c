"""Debian's packages that tests/setup.sh unpacks and does not install: installing them would start them as services."""

from support.appliance import ROOT

UNPACKED = ROOT / ".venv" / "unpacked" / "usr"


def libraries():
    """The environment by which their programs find the libraries beside them."""
    return {"LD_LIBRARY_PATH": ":".join(map(str, UNPACKED.glob("lib/*-linux-*")))}
