#!/usr/bin/env python3
"""Prints the licences of all crates that end in the executable: crate_licences.py TARGET FEATURE...

Takes the normal dependencies (not those of build scripts, procedural macros and tests) of picam as cargo resolves
them for TARGET, and prints each crate's SPDX expression and every licence file in its source, equal texts once.
Exit code 1 if a crate has neither.
"""

import json
import pathlib
import re
import subprocess
import sys

# Licence texts by file name; libjpeg-turbo's are in a folder of the crate turbojpeg-sys.
PATTERN = re.compile(r"(licen[cs]e|copying|notice|copyright|unlicense|readme\.ijg)", re.IGNORECASE)
FOLDERS = ("", "LICENSES", "licenses", "libjpeg-turbo")


def linked_packages(target, features):
    """The packages that are linked, picam itself left out, sorted; and the metadata of all, as cargo prints them."""
    options = ["--locked", "--features", ",".join(features)]
    # cargo's metadata counts features that only build scripts and tests ask for, too; its tree does not.
    edges = ["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]
    inside = {tuple(line.split()[:2]) for line in cargo("tree", "--target", target, *edges, *options).splitlines() if line}
    metadata = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", target, *options))
    root = metadata["resolve"]["root"]
    packages = [
        package
        for package in metadata["packages"]
        if (package["name"], f"v{package['version']}") in inside and package["id"] != root
    ]
    assert len(packages) == len(inside) - 1, "cargo's tree and metadata disagree"
    return sorted(packages, key=lambda package: (package["name"], package["version"])), metadata


def cargo(*arguments):
    """What cargo prints."""
    return subprocess.run(["cargo", *arguments], check=True, capture_output=True, text=True).stdout


def texts(folder):
    """(name, text) of each licence file of the crate in `folder`."""
    for below in FOLDERS:
        for path in sorted((folder / below).glob("*")):
            if path.is_file() and PATTERN.match(path.name):
                yield str(path.relative_to(folder)), path.read_text(errors="replace").strip()


def main():
    packages, _ = linked_packages(sys.argv[1], sys.argv[2:])
    users = {}
    print("Rust crates in this executable, and their licences\n")
    for package in packages:
        title = f"{package['name']} {package['version']}"
        files = list(texts(pathlib.Path(package["manifest_path"]).parent))
        if not package["license"] and not files:
            sys.exit(f"crate_licences: {title} names no licence and has no licence file")
        print(f"{title}: {package['license'] or 'see its text below'}")
        for name, text in files:
            users.setdefault(text, []).append(f"{title} {name}")
    print("The Rust standard library: MIT OR Apache-2.0 (both texts are below), with compiler-builtins and others")
    for text, names in users.items():
        print("\n" + "=" * 100 + "\n" + "\n".join(names) + "\n" + "-" * 100 + "\n" + text)


if __name__ == "__main__":
    main()
