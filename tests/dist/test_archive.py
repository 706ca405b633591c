"""What is in the archive: the static executables, the files that picam reads at run time, and the licences."""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import tarfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]
EXECUTABLE_LIMITS = {"picam": 8_000_000, "picam-announce": 3_000_000}  # bytes, stripped
TUNING_FILES = {"imx708.json", "imx708_noir.json", "imx708_wide.json", "imx708_wide_noir.json"}


def readelf(option, path):
    command = ["readelf", "--wide", option, path]
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_checksum_beside_the_archive(dist):
    digest = hashlib.sha256(dist.archive.read_bytes()).hexdigest()
    assert pathlib.Path(f"{dist.archive}.sha256").read_text() == f"{digest}  {dist.archive.name}\n"


@pytest.mark.parametrize("program", EXECUTABLE_LIMITS)
def test_executable_is_static_stripped_and_small(dist, program):
    executable = dist.executable.with_name(program)
    header = readelf("--file-header", executable)
    machine = {"aarch64": "AArch64", "x86_64": "X86-64"}[dist.machine]
    assert machine in re.search(r"Machine: +(.+)", header)[1]
    assert "INTERP" not in readelf("--program-headers", executable)
    assert "NEEDED" not in readelf("--dynamic", executable)
    assert ".symtab" not in readelf("--sections", executable)
    size = executable.stat().st_size
    print(f"{program}: {size} bytes")
    assert size <= EXECUTABLE_LIMITS[program]


@pytest.mark.parametrize("program", EXECUTABLE_LIMITS)
def test_no_path_of_the_building_machine(dist, libcamera_prefix, program):
    executable = dist.executable.with_name(program).read_bytes()
    home = pathlib.Path.home()
    for path in (ROOT, libcamera_prefix, os.environ.get("CARGO_HOME", home / ".cargo")):
        assert str(path).encode() not in executable


def test_run_time_files_of_the_pipelines_inside(dist):
    pipelines = dist.pipelines()
    assert {"rpi/vc4", "virtual"} <= set(pipelines)
    expected = set()
    for pipeline in ("rpi/vc4", "rpi/pisp"):
        if pipeline in pipelines:
            expected |= {f"libcamera/ipa/{pipeline}/{name}" for name in TUNING_FILES}
    if "rpi/pisp" in pipelines:
        expected.add("libpisp/backend_default_config.json")
    share = dist.folder / "share"
    assert {path for path in files_below(share) if not path.startswith("doc/")} == expected
    for path in expected:
        json.loads((share / path).read_text())


def test_licences(dist):
    files = files_below(dist.documents)
    assert {"LICENSE", "RELINK.md", "licences/CRATES.txt", "licences/libcamera/LGPL-2.1-or-later.txt"} <= files
    libraries = {"gcc", "glibc", "libcamera", "libyaml", "libyuv"}
    if "rpi/pisp" in dist.pipelines():
        libraries |= {"libpisp", "nlohmann-json"}
    assert {path.name for path in (dist.documents / "licences").iterdir() if path.is_dir()} == libraries
    assert all((dist.documents / path).stat().st_size for path in files)
    assert (dist.documents / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()

    crates = (dist.documents / "licences/CRATES.txt").read_text()
    for crate in ("libcamera", "libcamera-sys", "may_minihttp", "turbojpeg-sys"):
        assert re.search(rf"^{crate} \d.*: ", crates, re.MULTILINE)
    assert "libjpeg-turbo/LICENSE.md" in crates
    assert "Permission is hereby granted, free of charge" in crates  # the MIT licence's text


def test_relinking_is_possible(dist):
    """The notice, our changes, and libcamera's very source: what the LGPL asks for with a static executable."""
    notice = (dist.documents / "RELINK.md").read_text()
    assert "LGPL-2.1-or-later" in notice and "@" not in notice
    patches = {path.name: path.read_text() for path in (ROOT / "cross/patches").glob("*.patch")}
    packed = dist.documents / "libcamera-patches"
    assert {path.name: path.read_text() for path in packed.iterdir()} == patches

    (source,) = dist.archive.parent.glob("libcamera_*.tar.gz")
    assert source.name in notice
    with tarfile.open(source) as tar:
        assert any(name.endswith("/src/libcamera/camera.cpp") for name in tar.getnames())


def test_archive_has_no_traces_of_who_packed_it(dist):
    with tarfile.open(dist.archive) as tar:
        members = tar.getmembers()
    names = [member.name for member in members]
    assert names == sorted(names)
    assert all(name == dist.name or name.startswith(f"{dist.name}/") for name in names)
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
    assert len({member.mtime for member in members}) == 1
    assert {member.mode for member in members} == {0o755, 0o644}
