"""The list of what is inside (SBOM): valid, complete, of this very executable, and in step with the executable's own."""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import tomllib
import zlib

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def text(dist):
    return (dist.documents / "picam.cdx.json").read_text()


@pytest.fixture(scope="module")
def sbom(text):
    return json.loads(text)


def versions(sbom, crates):
    """(name, version) of its components: the crates, or all others."""
    return {
        (part["name"], part["version"])
        for part in sbom["components"]
        if part["purl"].startswith("pkg:cargo/") == crates
    }


def test_it_is_valid_cyclonedx(text):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_every_part_says_where_it_is_from_and_under_which_licence(sbom):
    for part in (sbom["metadata"]["component"], *sbom["components"]):
        assert part["purl"] and part["licenses"], part["name"]
        assert part["name"] == "rust-std" or re.fullmatch("[0-9a-f]{64}", part["hashes"][0]["content"]), part["name"]


def test_it_is_of_this_executable(dist, sbom):
    picam = sbom["metadata"]["component"]
    assert picam["hashes"][0]["content"] == hashlib.sha256(dist.executable.read_bytes()).hexdigest()
    assert dist.run("--version").stdout.split()[1] == picam["version"]


def test_every_crate_that_is_linked_is_in_it(dist, sbom):
    tree = subprocess.run(
        ["cargo", "tree", "--locked", "--target", f"{dist.machine}-unknown-linux-gnu", "--features", "libcamera"]
        + ["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    expected = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    expected = {(name, version.removeprefix("v")) for name, version in expected if name != "picam"}
    assert len(expected) > 60
    assert versions(sbom, crates=True) == expected


def test_the_executable_carries_the_same_list(dist, sbom):
    command = ["readelf", "--wide", "--sections", dist.executable]
    sections = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    offset, size = (int(word, 16) for word in re.search(r"\.dep-v0 +\w+ +\w+ (\w+) (\w+)", sections).groups())
    packed = dist.executable.read_bytes()[offset : offset + size]
    packages = json.loads(zlib.decompress(packed))["packages"]
    assert [package["name"] for package in packages if package.get("root")] == ["picam"]
    listed = {(package["name"], package["version"]) for package in packages}
    # More is in there: what picam is compiled with, and what only its tests make cargo count.
    assert versions(sbom, crates=True) <= listed
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    assert listed <= {(package["name"], package["version"]) for package in lock}


def test_c_libraries_with_their_versions(dist, sbom, libcamera_prefix):
    recorded = [line.split("\t")[:2] for line in (libcamera_prefix / "components.tsv").read_text().splitlines()]
    others = versions(sbom, crates=False)
    assert {tuple(row) for row in recorded} <= others
    names = {name for name, _ in others}
    # Those with a licence of their own in the archive; gcc's two libraries share one.
    licensed = {path.name for path in (dist.documents / "licences").iterdir() if path.is_dir()} - {"gcc"}
    assert names == licensed | {"libgcc", "libstdc++", "libjpeg-turbo", "rust-std"}
    assert f"libcamera v{dict(others)['libcamera']}" in dist.run("--version").stdout


def test_the_c_library_is_the_targets_own_with_debians_fixes(sbom):
    (libc,) = (part for part in sbom["components"] if part["name"] == "glibc")
    assert libc["purl"].startswith("pkg:deb/debian/libc6-dev@")


def test_it_tells_nothing_of_the_building_machine(text):
    assert str(ROOT) not in text and str(pathlib.Path.home()) not in text
