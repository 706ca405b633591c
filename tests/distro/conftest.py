"""Fixtures: stand-ins for what a build would bring, a Buildroot checkout, OpenEmbedded's layers."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from distro.tree import BUILDROOT_TREE, ROOT, libcamera_source, version

# `make test` leaves these to `make test-distro`, whose script sets the variable and installs what they need.
if not os.environ.get("PICAM_TEST_DISTRO"):
    collect_ignore_glob = ["test_*.py"]

# Texts that `make dist` brings along for what is linked into picam.
LICENCES = ["CRATES.txt", "libcamera/LGPL-2.1-or-later.txt", "libcamera/BSD-2-Clause.txt"]
BUILDROOT_HINT = "NOT RUN: no Buildroot. Give a checkout of 2026.08 or newer: make test-distro BUILDROOT=DIR"
LAYERS_HINT = (
    "NOT RUN: no OpenEmbedded layers. Give a folder with bitbake (2.18), openembedded-core, meta-raspberrypi and"
    " meta-rauc (wrynose): make test-distro OE_LAYERS=DIR"
)


@pytest.fixture(scope="session")
def buildroot():
    """A checkout of Buildroot, from the environment variable BUILDROOT."""
    folder = os.environ.get("BUILDROOT")
    if not folder:
        pytest.skip(BUILDROOT_HINT)
    assert (Path(folder) / "support/kconfig").is_dir(), f"BUILDROOT={folder} is no Buildroot"
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def layers():
    """The folder of OpenEmbedded's layers, from the environment variable OE_LAYERS."""
    folder = os.environ.get("OE_LAYERS")
    if not folder:
        pytest.skip(LAYERS_HINT)
    for name in ("bitbake/bin/bitbake", "openembedded-core/meta", "meta-raspberrypi", "meta-rauc"):
        assert (Path(folder) / name).exists(), f"OE_LAYERS={folder} has no {name}"
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def tarball(tmp_path_factory):
    """picam-VERSION-aarch64.tar.xz as `make dist` left it, else one of the same shape with a script for picam; libcamera's
    source lies beside it."""
    name = f"picam-{version()}-aarch64"
    made = Path(os.environ.get("PICAM_DIST", ROOT / "dist")) / f"{name}.tar.xz"
    if made.exists():
        return made
    path = tmp_path_factory.mktemp("dist") / made.name
    with tarfile.open(path, "w:xz") as archive:
        for member, mode, content in (
            *((f"bin/{program}", 0o755, b"#!/bin/sh\necho stand-in\n") for program in ("picam", "picam-announce")),
            ("share/libcamera/ipa/rpi/vc4/imx708.json", 0o644, b"{}\n"),
            ("share/libcamera/ipa/rpi/pisp/imx708.json", 0o644, b"{}\n"),
            ("share/doc/picam/LICENSE", 0o644, (ROOT / "LICENSE").read_bytes()),
            ("share/doc/picam/picam.cdx.json", 0o644, b"{}\n"),
            *((f"share/doc/picam/licences/{file}", 0o644, file.encode()) for file in LICENCES),
        ):
            info = tarfile.TarInfo(f"{name}/{member}")
            info.size, info.mode = len(content), mode
            archive.addfile(info, io.BytesIO(content))
    (path.parent / libcamera_source()).write_bytes(b"source\n")
    return path


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """PICAM_RAUC_* of a key pair made for this run."""
    folder = tmp_path_factory.mktemp("keys")
    subprocess.run([BUILDROOT_TREE / "scripts/make-test-keys", folder], check=True, capture_output=True)
    names = {"KEY": "key.pem", "CERT": "cert.pem", "KEYRING": "keyring.pem"}
    return {f"PICAM_RAUC_{name}": str(folder / file) for name, file in names.items()}
