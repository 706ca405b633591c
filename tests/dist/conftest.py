"""What the tests of `make dist`'s archive and package share. `make test-dist` names the archive in PICAM_DIST_ARCHIVE.

Without it these tests are not collected: `make test` is about the working tree, and has no archive.
"""

import io
import os
import pathlib
import platform
import subprocess
import tarfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]
ARCHIVE = os.environ.get("PICAM_DIST_ARCHIVE")

if not ARCHIVE:
    collect_ignore_glob = ["test_*.py"]
elif os.environ.get("PICAM_TEST_DIST") != "full":
    collect_ignore = ["test_reproducible.py"]  # builds all of it once more


class Unpacked:
    """The archive, unpacked: where it is, whom it is for, and how to start a program of its machine here."""

    def __init__(self, archive, folder):
        self.archive = pathlib.Path(archive).resolve()
        subprocess.run(["tar", "--extract", "--file", self.archive, "--directory", folder], check=True)
        self.name = self.archive.name.removesuffix(".tar.xz")
        self.folder = folder / self.name
        self.executable = self.folder / "bin/picam"
        self.documents = self.folder / "share/doc/picam"
        self.machine = self.name.rsplit("-", 1)[1]
        self.emulator = [] if self.machine == platform.machine() else [f"qemu-{self.machine}-static"]

    def run(self, *arguments, program=None, **options):
        """Runs the executable, or another program for its machine, to its end; fails after two minutes."""
        command = [*self.emulator, program or self.executable, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)

    def pipelines(self):
        """The pipeline handlers that `picam --version` says are inside."""
        version = self.run("--version")
        assert version.returncode == 0, version.stderr
        lines = [line for line in version.stdout.splitlines() if line.startswith("pipelines:")]
        assert len(lines) == 1, version.stdout
        return lines[0].removeprefix("pipelines:").split()


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    return Unpacked(ARCHIVE, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def libcamera_prefix(dist):
    """cross/setup's folder with the static libcamera that the archive was made with."""
    setup = subprocess.run(
        [ROOT / "cross/setup", dist.machine], check=True, stdout=subprocess.PIPE, text=True, timeout=3600
    )
    return pathlib.Path(setup.stdout.strip()).parent


class Package:
    """The package for Raspberry Pi OS beside the archive: where it is, and what dpkg-deb finds in it."""

    def __init__(self, path, folder):
        self.path = path
        self.tree = folder / "tree"
        subprocess.run(["dpkg-deb", "--raw-extract", path, self.tree], check=True)
        self.control = self.tree / "DEBIAN"

    def members(self):
        """{path: TarInfo} of what it installs; folders end with a slash."""
        data = subprocess.run(["dpkg-deb", "--fsys-tarfile", self.path], check=True, stdout=subprocess.PIPE).stdout
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            return {member.name.removeprefix(".") + "/" * member.isdir(): member for member in tar}

    def field(self, name):
        command = ["dpkg-deb", "--field", self.path, name]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture(scope="session")
def package(dist, tmp_path_factory):
    if dist.machine != "aarch64":
        pytest.skip("the package for Raspberry Pi OS is made of the archive for aarch64")
    version = dist.name.split("-", 1)[1].removesuffix("-aarch64").replace("-", "~")
    return Package(dist.archive.parent / f"picam_{version}_arm64.deb", tmp_path_factory.mktemp("package"))
