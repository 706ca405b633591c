"""What is in the package for Raspberry Pi OS: the archive's files where nothing of the system is, and its own."""

import os
import pathlib
import re
import shutil
import subprocess
import threading
import xml.etree.ElementTree

import pytest
from support.units import Units

ROOT = pathlib.Path(__file__).parents[2]
UNIT = "usr/lib/systemd/system/picam.service"
# What systemd-analyze makes of the unit, from 0 (shut) to 10 (open).
EXPOSURE_LIMIT = 1.8


def files_below(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_has_these_files_and_the_archives_documents_and_data(package):
    documents, data = "/usr/share/doc/picam/", "/usr/share/picam/"
    names = {name for name in package.members() if not name.endswith("/")}
    assert {name for name in names if not name.startswith((documents, data))} == {
        "/etc/avahi/services/picam.service",
        "/etc/picam/picam.toml",
        "/usr/bin/picam",
        "/usr/lib/picam/picam",
        "/usr/lib/picam/share",
        f"/{UNIT}",
        f"/{UNIT}.d/raspberry-pi-os.conf",
        "/usr/lib/sysusers.d/picam.conf",
        "/usr/share/lintian/overrides/picam",
        "/usr/share/man/man1/picam.1.gz",
    }


def test_its_files_are_those_of_the_archive(package, dist):
    assert (package.tree / "usr/lib/picam/picam").read_bytes() == dist.executable.read_bytes()
    share = files_below(dist.folder / "share")
    data = {name: content for name, content in share.items() if not name.startswith("doc/")}
    assert files_below(package.tree / "usr/share/picam") == data
    documents = files_below(dist.documents)
    packed = files_below(package.tree / "usr/share/doc/picam")
    assert set(packed) == set(documents) - {"LICENSE"} | {"copyright", "changelog.gz"}
    assert all(packed[name] == content for name, content in documents.items() if name != "LICENSE")
    # Debian has the licence's text in this file, indented.
    lines = [line.strip().strip(".") for line in packed["copyright"].decode().splitlines()]
    licence = [line.strip().strip(".") for line in documents["LICENSE"].decode().splitlines()]
    assert "\n".join(licence[4:]) in "\n".join(lines) and "@" not in packed["copyright"].decode()
    assert (package.tree / UNIT).read_bytes() == (ROOT / "rootfs-overlay" / UNIT).read_bytes()


def test_root_owns_all_and_nobody_else_writes(package):
    members = package.members()
    assert {(member.uid, member.gid) for member in members.values()} == {(0, 0)}
    assert {member.mode for name, member in members.items() if name.endswith("/")} == {0o755}
    executable = {name for name, member in members.items() if member.isfile() and member.mode != 0o644}
    assert executable == {"/usr/lib/picam/picam"} and members["/usr/lib/picam/picam"].mode == 0o755
    links = {name: member.linkname for name, member in members.items() if member.issym()}
    assert links == {"/usr/bin/picam": "../lib/picam/picam", "/usr/lib/picam/share": "../../share/picam"}
    for name in links:
        assert (package.tree / name.lstrip("/")).exists(), name


def test_control_fields(package, dist):
    version = package.path.name.split("_")[1]
    assert [package.field(name) for name in ("Package", "Version", "Architecture")] == ["picam", version, "arm64"]
    # The executable is static: what the scripts call is all that it needs.
    assert {name.split()[0] for name in package.field("Depends").split(", ")} == {"init-system-helpers", "systemd"}
    size = sum(path.stat().st_size for path in package.tree.rglob("*") if path.is_file() and not path.is_symlink())
    assert 0.9 < int(package.field("Installed-Size")) * 1024 / size < 1.2
    assert (package.control / "conffiles").read_text().split() == [
        "/etc/avahi/services/picam.service",
        "/etc/picam/picam.toml",
    ]
    summed = ["md5sum", "--check", "--quiet", "DEBIAN/md5sums"]
    assert subprocess.run(summed, cwd=package.tree, capture_output=True, text=True).stdout == ""
    listed = {line.split(maxsplit=1)[1] for line in (package.control / "md5sums").read_text().splitlines()}
    assert listed == {name.lstrip("/") for name, member in package.members().items() if member.isfile()}


def test_a_version_before_a_release_is_older_to_debian(dist, package, tmp_path):
    early = tmp_path / f"{dist.name.removesuffix('-aarch64')}-rc1-aarch64"
    early.symlink_to(dist.folder)
    archive = early.with_name(f"{early.name}.tar.xz")
    subprocess.run(["tar", "-C", tmp_path, "-I", "xz -0", "-chf", archive, early.name], check=True)
    subprocess.run([ROOT / "cross/deb", archive], check=True, timeout=600)
    (made,) = tmp_path.glob("*.deb")
    version = made.name.split("_")[1]
    assert version == f"{package.field('Version')}~rc1"
    assert subprocess.run(["dpkg", "--compare-versions", version, "lt", package.field("Version")]).returncode == 0


def test_lintian_finds_nothing_but_what_is_explained(package):
    command = ["lintian", "--pedantic", "--display-info", "--display-experimental", "--fail-on", "error,warning", package.path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 and done.stdout.strip() == "", done.stdout + done.stderr
    overrides = (package.tree / "usr/share/lintian/overrides/picam").read_text()
    for override in re.finditer(r"^[a-z].*$", overrides, re.M):
        before = overrides[: override.start()].rstrip("\n").rpartition("\n")[2]
        assert before.startswith("# ") or re.match(r"[a-z]", before), f"{override[0]}: without a reason"


def test_the_manual_page_is_read_without_a_complaint(package):
    page = package.tree / "usr/share/man/man1/picam.1.gz"
    command = ["man", "--warnings", "--local-file", page]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "MANROFFSEQ": "", "MANWIDTH": "80"})
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "--print-config" in done.stdout and "@" not in done.stdout


def test_the_local_network_is_told_the_configured_port(package, dist):
    service = xml.etree.ElementTree.parse(package.tree / "etc/avahi/services/picam.service").getroot()
    assert [service.findtext(f"service/{name}") for name in ("type", "port")] == ["_http._tcp", "8000"]
    printed = dist.run("--config", package.tree / "etc/picam/picam.toml", "--print-config").stdout
    assert 'listen = "0.0.0.0:8000"' in printed


def test_the_configuration_is_accepted_and_keeps_its_state_where_the_unit_lets_it(package, dist):
    configuration = package.tree / "etc/picam/picam.toml"
    assert dist.run("--config", configuration, "--check-config").stdout == "ok\n"
    directory = re.search(r'^directory = "/var/lib/(.*)"$', configuration.read_text(), re.M)[1]
    assert f"\nStateDirectory={directory}\n" in (package.tree / f"{UNIT}.d/raspberry-pi-os.conf").read_text()


def test_the_installed_executable_looks_for_its_data_beside_it(package, dist):
    """qemu's own strace of the program, started by the link in /usr/bin."""
    if not dist.emulator:
        pytest.skip("an executable for another machine is what qemu can watch")
    command = [*dist.emulator, "-strace", package.tree / "usr/bin/picam", "--camera", "libcamera", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace")
    timer = threading.Timer(120, process.kill)
    timer.start()
    try:
        wanted = re.compile(rf'"{package.tree}/usr/lib/picam/share/libcamera/ipa".* = 0$')
        assert any(wanted.search(line) for line in process.stderr)
    finally:
        timer.cancel()
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def units(package, tmp_path_factory):
    return Units(tmp_path_factory.mktemp("units"), package.tree, ["/bin/kill"])


def test_systemd_verifies_the_unit(units):
    assert units.complaints("picam.service") == ""


def test_the_unit_is_as_shut_as_the_appliances(units):
    assert units.exposure("picam.service") <= EXPOSURE_LIMIT


def test_a_package_made_elsewhere_is_the_same_bytes(dist, package, tmp_path):
    archive = shutil.copyfile(dist.archive, tmp_path / dist.archive.name)  # with another time
    command = ["sh", "-c", 'umask 077; exec "$0" "$1"', ROOT / "cross/deb", archive]
    subprocess.run(command, check=True, env={**os.environ, "TZ": "Asia/Tokyo"}, timeout=600)
    assert (tmp_path / package.path.name).read_bytes() == package.path.read_bytes()
