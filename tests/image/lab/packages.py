"""Debian's packages for the guest: the newest ones that match, through a private apt configuration.

Nothing of it touches the machine's own apt. Lists and packages stay in the cache, so a second run needs the
network only to look for newer ones, once an hour, and does without if there is none.
"""

import contextlib
import fcntl
import os
import re
import shutil
import sys
import time
from pathlib import Path

from .tools import CACHE, ENVIRONMENT, ToolError, run

RELEASE = "trixie"
UNSTABLE = "sid"
# Seconds after which package lists are asked for again.
LISTS_LAST = 3600
# While this variable is set, lists stay as they are: what other lanes work with must not change.
KEPT = "PICAM_LISTS_KEPT"
KERNEL = re.compile(r"linux-image-6\.12\.\d+\S*-arm64")
# Flavours that lack drivers or are something else altogether.
NOT_KERNEL = re.compile(r"cloud|16k|rt-|-rt|dbg|unsigned")
# What the guest runs beside picam; their libraries follow from what the executables need.
PROGRAMS = ["busybox-static", "rauc", "rauc-service", "dbus-daemon", "dbus-system-bus-common", "e2fsprogs", "dropbear-bin"]
PROGRAMS += ["curl", "libjson-glib-1.0-0"]

_SOURCES = """\
Types: {types}
URIs: {mirror}
Suites: {suites}
Components: main
Architectures: {architectures}
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

"""

_CONFIGURATION = """\
APT::Architecture "arm64";
APT::Architectures {{ {architectures} }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Check-Valid-Until "{check_valid}";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
Dir "{apt}";
Dir::State "{apt}/state";
Dir::State::status "{apt}/status";
Dir::Cache "{apt}/cache";
Dir::Etc "{apt}/etc";
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "{apt}/etc/sources.list.d";
"""


def version_key(name):
    """Numbers compare as numbers: 6.12.9 < 6.12.10."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]


def _sources(architectures, release, types):
    """The suites of a release, at the mirrors that this machine's own apt is configured with."""
    form = ["--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"]
    mirrors = {"": None, "-security": None}
    for line in run("apt-get", "indextargets", *form).splitlines():
        mirror, listed = line.split(" ", 1)
        suffix = "-security" if listed.endswith("-security") else ""
        if "debian" in mirror and mirrors[suffix] is None:
            mirrors[suffix] = mirror
    if not all(mirrors.values()):
        raise ToolError("apt has no mirror of Debian and of its security updates configured")
    suites = {"": f"{release} {release}-updates", "-security": f"{release}-security"}
    if release == UNSTABLE:
        suites = {"": release}
    common = {"architectures": " ".join(architectures), "types": types}
    return "".join(_SOURCES.format(mirror=mirrors[suffix], suites=suites[suffix], **common) for suffix in suites)


def _package(file):
    """What apt calls the package in a file: name:architecture."""
    name, _, architecture = file.removesuffix(".deb").split("_")
    return name if architecture == "all" else f"{name}:{architecture}"


class Apt:
    """An apt of its own in the folder `name` of the cache, for packages of `architectures` (arm64 comes first).
    `types`: "deb", and "deb-src" for source()."""

    def __init__(self, cache=CACHE, name="apt", architectures=("arm64",), release=RELEASE, types="deb"):
        self._apt = Path(cache) / name
        self._debs = Path(cache) / "debs"
        self._debs.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._configure(architectures, release, types)
            self._update()

    @contextlib.contextmanager
    def _alone(self):
        """Keeps the tests of another lane out of the cache."""
        with (self._debs / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _configure(self, architectures, release, types):
        for folder in ("state/lists/partial", "cache/archives/partial", "etc/sources.list.d", "etc/apt.conf.d", "etc/preferences.d"):
            (self._apt / folder).mkdir(parents=True, exist_ok=True)
        (self._apt / "status").touch()
        (self._apt / "etc/sources.list.d/guest.sources").write_text(_sources(architectures, release, types))
        configuration = self._apt / "apt.conf"
        listed = " ".join(f'"{architecture}";' for architecture in architectures)
        # As this machine's own apt: its mirror may be one that stands still.
        check_valid = run("apt-config", "dump", "--format", "%v", "Acquire::Check-Valid-Until") or "true"
        configuration.write_text(_CONFIGURATION.format(apt=self._apt, architectures=listed, check_valid=check_valid))
        self._environment = {**ENVIRONMENT, "APT_CONFIG": str(configuration)}

    def _update(self):
        stamp, has_lists = self._apt / "updated", any((self._apt / "state/lists").glob("*_Packages*"))
        if os.environ.get(KEPT) and has_lists:
            return
        if stamp.exists() and 0 <= time.time() - stamp.stat().st_mtime < LISTS_LAST:
            return
        try:
            run("apt-get", "update", "-o", "APT::Update::Error-Mode=any", env=self._environment)
            stamp.touch()
        except ToolError as error:
            if not has_lists:
                raise
            print(f"no newer package lists, going on with those of the cache: {error}", file=sys.stderr)

    def named(self, start):
        """The names of all packages that start so."""
        with self._alone():
            return run("apt-cache", "pkgnames", start, env=self._environment).split()

    def with_dependencies(self, packages):
        """`packages` and everything that they depend on."""
        with self._alone():
            simulated = run("apt-get", "--simulate", "install", *packages, env=self._environment)
        return re.findall(r"^Inst (\S+) \(", simulated, re.MULTILINE)

    def with_libraries(self, packages):
        """`packages` and the libraries that they depend on."""
        wanted = self.with_dependencies(packages)
        return [name for name in wanted if name in packages or name.startswith(("lib", "zlib"))]

    def source(self, package):
        """The tarball of a source package as its authors made it."""
        with self._alone():
            uris = run("apt-get", "source", "--download-only", "--print-uris", package, env=self._environment)
            (file,) = re.findall(r"^'\S+' (\S+\.orig\.tar\.\S+) \d+", uris, re.MULTILINE)
            if not (self._debs / file).exists():
                run("apt-get", "source", "--download-only", package, env=self._environment, cwd=self._debs)
        return self._debs / file

    def unpacked(self, name, packages):
        """A tree with `packages` unpacked, made anew only when one of them has a new version."""
        with self._alone():
            return self._unpack(name, packages)

    def _unpack(self, name, packages):
        uris = run("apt-get", "download", "--print-uris", *packages, env=self._environment)
        files = re.findall(r"^'\S+' (\S+) \d+", uris, re.MULTILINE)
        missing = [_package(file) for file in files if not (self._debs / file).exists()]
        if missing:
            run("apt-get", "download", *missing, env=self._environment, cwd=self._debs)
        tree, stamp = self._apt.parent / name, self._apt.parent / f"{name}.files"
        listing = "\n".join(sorted(files))
        if stamp.exists() and stamp.read_text() == listing and tree.exists():
            return tree
        stamp.unlink(missing_ok=True)
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        for link in ("lib", "bin", "sbin"):
            (tree / "usr" / link).mkdir(parents=True)
            (tree / link).symlink_to(f"usr/{link}")
        for file in files:
            run("dpkg-deb", "--extract", self._debs / file, tree)
        stamp.write_text(listing)
        return tree


class Packages(Apt):
    """The guest's packages, unpacked.

    root: a tree with the programs and their libraries; kernel_root: a tree with the kernel; kernel: its version,
    like 6.12.117+deb13-arm64.
    """

    def __init__(self, cache=CACHE):
        super().__init__(cache)
        kernels = [name for name in self.named("linux-image-6.12") if KERNEL.fullmatch(name) and not NOT_KERNEL.search(name)]
        if not kernels:
            raise ToolError(f"Debian {RELEASE} has no kernel that matches {KERNEL.pattern}")
        kernel = max(kernels, key=version_key)
        self.kernel = kernel.removeprefix("linux-image-")
        self.root = self.unpacked("root", self.with_libraries(PROGRAMS))
        self.kernel_root = self.unpacked("kernel", [kernel])
