#!/usr/bin/env python3
"""Prints the SBOM of an executable, CycloneDX 1.6 as JSON: sbom.py TARGET EXECUTABLE COMPONENTS FEATURE...

It lists what is linked: the crates as cargo resolves them for TARGET, the C and C++ libraries of the file COMPONENTS, which
cross/setup writes (see parts/components.sh), libjpeg-turbo, and Rust's standard library. The C and C++ libraries and their
versions go to stderr as well. SOURCE_DATE_EPOCH is the document's time. Needs the packages of sbom.txt.
"""

import datetime
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

from crate_licences import linked_packages
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType, Pedigree
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ROOT = pathlib.Path(__file__).resolve().parents[1]


def component(name, version, licence, purl, sha256=None, kind=ComponentType.LIBRARY, hash_of=None, **more):
    """A component with a licence as an SPDX expression; cargo's old `/` is OR."""
    return Component(
        name=name,
        version=version,
        type=kind,
        bom_ref=purl,
        purl=PackageURL.from_string(purl),
        licenses=[LicenseFactory().make_with_expression(licence.replace("/", " OR "))],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else (),
        properties=[Property(name="picam:hash-of", value=hash_of)] if hash_of else (),
        **more,
    )


def crates(packages):
    """The id of each package in cargo's metadata → its component, with the checksum that Cargo.lock has."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
    found = {}
    for package in packages:
        name, version = package["name"], package["version"]
        licence = package["license"] or sys.exit(f"sbom: {name} {version} names no licence")
        checksum = checksums[name, version]
        purl = f"pkg:cargo/{name}@{version}"
        found[package["id"]] = component(name, version, licence, purl, checksum, hash_of="the crate")
    return found


def native(path):
    """The libraries that cross/setup linked."""
    for line in path.read_text().splitlines():
        name, version, licence, purl, sha256, hash_of = line.split("\t")
        more = {}
        if name == "libcamera":
            more["pedigree"] = Pedigree(notes="changed by the patches in share/doc/picam/libcamera-patches")
        yield component(name, version, licence, purl, sha256, hash_of=hash_of, **more)


def libjpeg_turbo(packages):
    """The libjpeg-turbo that the crate turbojpeg-sys carries and compiles; its hash is the crate's."""
    (crate,) = (package for package in packages if package["name"] == "turbojpeg-sys")
    cmake = (pathlib.Path(crate["manifest_path"]).parent / "libjpeg-turbo/CMakeLists.txt").read_text()
    version = re.search(r"^set\(VERSION ([\d.]+)\)", cmake, re.M)[1]
    purl = f"pkg:github/libjpeg-turbo/libjpeg-turbo@{version}"
    carrier = crates([crate])[crate["id"]]
    return component(
        "libjpeg-turbo",
        version,
        "IJG AND BSD-3-Clause AND Zlib",
        purl,
        next(iter(carrier.hashes)).content,
        hash_of=f"the crate {carrier.name} {carrier.version}",
    )


def rust_std():
    """Rust's standard library."""
    rustc = subprocess.run([os.environ.get("RUSTC", "rustc"), "--version"], check=True, capture_output=True, text=True)
    version = rustc.stdout.split()[1]
    return component("rust-std", version, "MIT OR Apache-2.0", f"pkg:generic/rust-std@{version}")


def main():
    target, executable, components, *features = sys.argv[1:]
    packages, metadata = linked_packages(target, features)
    (picam,) = (package for package in metadata["packages"] if package["id"] == metadata["resolve"]["root"])
    sha256 = hashlib.sha256(pathlib.Path(executable).read_bytes()).hexdigest()
    purl = f"pkg:cargo/picam@{picam['version']}"
    root = component(
        "picam", picam["version"], picam["license"], purl, sha256, ComponentType.APPLICATION, hash_of="bin/picam"
    )

    of_crate = crates(packages)
    listed = [*native(pathlib.Path(components)), libjpeg_turbo(packages), rust_std()]
    libraries = {library.name: library for library in listed}
    time = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    bom = Bom(
        components=[*of_crate.values(), *libraries.values()],
        metadata=BomMetaData(component=root, timestamp=time),
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{purl}#{sha256}"),
    )

    depends = {of_crate[package["id"]].name: [] for package in packages}
    depends |= {"turbojpeg-sys": [libraries["libjpeg-turbo"]]}
    if "libcamera-sys" in depends:
        depends["libcamera-sys"] = [libraries["libcamera"]]
    of_crate[picam["id"]] = root
    for node in metadata["resolve"]["nodes"]:
        if user := of_crate.get(node["id"]):
            used = [of_crate[dependency] for dependency in node["dependencies"] if dependency in of_crate]
            bom.register_dependency(user, [*used, *depends.get(user.name, ())])
    below = [library for name, library in libraries.items() if name not in ("libcamera", "libjpeg-turbo", "rust-std")]
    bom.register_dependency(libraries["libcamera"], below)
    bom.register_dependency(root, [libraries["rust-std"]])

    for library in libraries.values():
        print(f"inside: {library.name} {library.version}", file=sys.stderr)
    print(JsonV1Dot6(bom).output_as_string(indent=1))


if __name__ == "__main__":
    main()
