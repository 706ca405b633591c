"""buildroot/ as a Buildroot checkout sees it: make test-distro BUILDROOT=DIR. No network is needed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from distro.tree import BOARDS, BUILDROOT_TREE, COMMON, ROOT, assignments, libcamera_source, version


class Output:
    """An output folder of Buildroot, with this repository's tree as its external one."""

    def __init__(self, buildroot, folder, external=BUILDROOT_TREE):
        self.buildroot, self.folder, self.external = buildroot, folder, external
        shims = folder / "shims"
        shims.mkdir(parents=True)
        # Buildroot would build tar 1.35 itself where the machine has an older one, and would download it.
        (shims / "tar").write_text(
            '#!/bin/sh\n[ "$1" != --version ] || { echo "tar (GNU tar) 1.35"; exit; }\n'
            f'exec {shutil.which("tar")} "$@"\n'
        )
        (shims / "tar").chmod(0o755)
        self.environment = os.environ | {
            "PATH": f"{shims}:{os.environ['PATH']}:/usr/sbin:/sbin",
            "BR2_DL_DIR": str(folder / "dl"),
        }

    def make(self, *arguments, check=True):
        command = ["make", "-C", self.buildroot, f"BR2_EXTERNAL={self.external}", f"O={self.folder}/output", *arguments]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=self.environment)
        assert not check or done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done

    @property
    def config(self):
        return self.folder / "output/.config"


@pytest.fixture(scope="module", params=BOARDS)
def configured(request, buildroot, tmp_path_factory):
    output = Output(buildroot, tmp_path_factory.mktemp(request.param))
    output.make(f"picam_{request.param}_defconfig")
    return request.param, output


def test_defconfig_is_what_savedefconfig_writes(configured):
    name, output = configured
    saved = output.folder / "saved"
    output.make("savedefconfig", f"BR2_DEFCONFIG={saved}")
    assert saved.read_text() == (BUILDROOT_TREE / f"configs/picam_{name}_defconfig").read_text()


def test_olddefconfig_changes_nothing(configured):
    _, output = configured
    before = output.config.read_text()
    output.make("olddefconfig")
    assert output.config.read_text() == before


def test_every_setting_of_the_defconfig_took_effect(configured):
    """A symbol that Buildroot does not know, or whose dependencies are not met, would be dropped in silence."""
    name, output = configured
    taken = set(output.config.read_text().splitlines())
    asked = (BUILDROOT_TREE / f"configs/picam_{name}_defconfig").read_text().splitlines()
    assert [line for line in asked if line not in taken] == []


def test_busybox_knows_the_options_that_are_asked_for(buildroot):
    known = (buildroot / "package/busybox/busybox.config").read_text()
    for fragment in (COMMON / "busybox.cfg", COMMON / "busybox-init.cfg"):
        for symbol in assignments(fragment):
            assert re.search(rf"^(# )?{symbol}[ =]", known, re.M), f"{fragment.name}: {symbol}"


def test_check_package_finds_nothing(buildroot):
    files = [
        path
        for path in BUILDROOT_TREE.rglob("*")
        if path.is_file() and path.parent.name != "picam" or path.match("package/picam/*")
    ]
    done = subprocess.run(
        [sys.executable, buildroot / "utils/check-package", "-b", *files],
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 warnings generated" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def package(buildroot, tarball, tmp_path_factory):
    """Buildroot configured for one board, with a copy of the external tree to record hashes in."""
    folder = tmp_path_factory.mktemp("package")
    external = folder / "picam/buildroot"
    shutil.copytree(BUILDROOT_TREE, external, ignore=shutil.ignore_patterns("picam.hash"))
    shutil.copy(BUILDROOT_TREE / "package/picam/picam.hash", external / "package/picam/")
    shutil.copytree(ROOT / "rootfs-overlay", folder / "picam/rootfs-overlay", symlinks=True)
    shutil.copy(ROOT / "Cargo.toml", folder / "picam/")
    (folder / "picam/cross/parts").mkdir(parents=True)
    shutil.copy(ROOT / "cross/parts/sources.sh", folder / "picam/cross/parts/")
    output = Output(buildroot, folder, external)
    (folder / "config").write_text(
        (external / "configs/picam_rpi5_defconfig").read_text() + f'BR2_PACKAGE_PICAM_SITE="file://{tarball.parent}"\n'
    )
    output.make("defconfig", f"BR2_DEFCONFIG={folder}/config")
    return output


def test_tarball_without_recorded_hash_is_refused(package):
    done = package.make("picam-source", check=False)
    assert done.returncode != 0
    assert re.search(rf"No hash found for picam-{version()}-aarch64.tar.xz", done.stdout + done.stderr)


def test_other_tarball_is_refused(package, tarball):
    recorded = package.external / "patches/picam/picam.hash"
    recorded.write_text(f"sha256  {'0' * 64}  {tarball.name}\n")
    done = package.make("picam-source", check=False)
    assert done.returncode != 0 and "wrong sha256 hash" in done.stdout + done.stderr


def test_buildroot_installs_picam(package, tarball):
    subprocess.run([package.external / "scripts/picam-hash", tarball], check=True, capture_output=True)
    package.make("picam")
    target = package.folder / "output/target"
    assert os.access(target / "usr/bin/picam", os.X_OK)
    assert (target / "usr/share/libcamera/ipa/rpi/vc4/imx708.json").exists()
    assert (target / "etc/picam/picam.toml").read_text() == (ROOT / "rootfs-overlay/etc/picam/picam.toml").read_text()
    assert os.access(target / "etc/init.d/S60picam", os.X_OK)
    assert (package.folder / "output/images/picam.cdx.json").exists()
    # Not in share/doc, which Buildroot empties.
    assert (target / "usr/share/licences/picam/licences/libcamera/LGPL-2.1-or-later.txt").exists()


def test_licence_is_the_one_that_was_checked(package):
    # After test_buildroot_installs_picam: the hash of LICENSE is in package/picam/picam.hash.
    done = package.make("picam-legal-info")
    for text in ("LICENSE", "licences/CRATES.txt", "licences/libcamera/LGPL-2.1-or-later.txt"):
        assert f"share/doc/picam/{text}: OK" in done.stdout
    assert "picam" in package.make("picam-show-info").stdout
    # The executable's own tarball is no source; what the LGPL asks for is.
    (saved,) = (package.folder / "output/legal-info/sources").glob("picam-*")
    assert {path.name for path in saved.iterdir()} == {libcamera_source()}
    assert "LGPL-2.1+ (libcamera)" in (package.folder / "output/legal-info/manifest.csv").read_text()
