#!/usr/bin/env python3
"""Prints the licences of all crates that end in the executable: crate-licences.py TARGET FEATURE...

Walks the normal dependencies (not those of build scripts, procedural macros and tests) of picam as cargo resolves
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


def linked(metadata):
    """The ids of picam's packages that are linked, picam itself left out."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    macros = {
        package["id"]
        for package in metadata["packages"]
        if any("proc-macro" in target["kind"] for target in package["targets"])
    }
    root = metadata["resolve"]["root"]
    found, waiting = set(), [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if normal and dependency["pkg"] not in found | macros:
                found.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    return found


def texts(folder):
    """(name, text) of each licence file of the crate in `folder`."""
    for below in FOLDERS:
        for path in sorted((folder / below).glob("*")):
            if path.is_file() and PATTERN.match(path.name):
                yield str(path.relative_to(folder)), path.read_text(errors="replace").strip()


def main():
    target, features = sys.argv[1], sys.argv[2:]
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    command += ["--features", ",".join(features)]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    inside = linked(metadata)
    packages = [package for package in metadata["packages"] if package["id"] in inside]
    users = {}
    print("Rust crates in this executable, and their licences\n")
    for package in sorted(packages, key=lambda package: (package["name"], package["version"])):
        title = f"{package['name']} {package['version']}"
        files = list(texts(pathlib.Path(package["manifest_path"]).parent))
        if not package["license"] and not files:
            sys.exit(f"crate-licences: {title} names no licence and has no licence file")
        print(f"{title}: {package['license'] or 'see its text below'}")
        for name, text in files:
            users.setdefault(text, []).append(f"{title} {name}")
    print("The Rust standard library: MIT OR Apache-2.0 (both texts are below), with compiler-builtins and others")
    for text, names in users.items():
        print("\n" + "=" * 100 + "\n" + "\n".join(names) + "\n" + "-" * 100 + "\n" + text)


if __name__ == "__main__":
    main()
