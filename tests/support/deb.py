"""Packages for the tests of the package for Raspberry Pi OS."""

import subprocess

from support.appliance import ROOT

CONFIGURATION = "etc/picam/picam.toml"
# The line that is new in the configuration of `newer`.
NEW = "quality = 95"


def made_of(executable, version, folder):
    """cross/deb's package with another executable than `make dist` makes, for where that cannot run."""
    name = f"picam-{version}-aarch64"
    tree = folder / name
    for path, content in (
        ("bin/picam", executable.read_bytes()),
        ("share/libcamera/ipa/rpi/vc4/imx708.json", b"{}\n"),
        ("share/doc/picam/LICENSE", (ROOT / "LICENSE").read_bytes()),
    ):
        (tree / path).parent.mkdir(parents=True)
        (tree / path).write_bytes(content)
    archive = folder / f"{name}.tar.xz"
    subprocess.run(["tar", "-C", folder, "-I", "xz -0", "-cf", archive, name], check=True)
    subprocess.run([ROOT / "cross/deb", archive], check=True, stdout=subprocess.DEVNULL, timeout=600)
    return folder / f"picam_{version}_arm64.deb"


def newer(package, folder):
    """The next version of a package, in whose configuration a line is new."""
    tree = folder / "newer"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    lines = control.read_text().splitlines()
    control.write_text("\n".join("Version: 999.0" if line.startswith("Version:") else line for line in lines) + "\n")
    with (tree / CONFIGURATION).open("a") as configuration:
        configuration.write(f"\n[jpeg]\n{NEW}\n")
    made = folder / "picam_999.0_arm64.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, made]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return made
