#!/usr/bin/env python3
"""Checks that every crate that picam is built from has a licence on the list below.

Reads `cargo metadata`; a crate passes if its SPDX expression can be met with listed licences alone. Exit code 1
and one line per crate that does not.
"""

import json
import re
import subprocess
import sys

# Permissive licences: each allows a static executable under picam's own MIT licence, given the notices.
ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}


def acceptable(expression):
    """Whether an SPDX expression (AND, OR, parentheses, cargo's old `/` for OR) can be met."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def either():
        good = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            good = both() or good
        return good

    def both():
        good = single()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            good = single() and good
        return good

    def single():
        token = tokens.pop(0)
        if token == "(":
            good = either()
            tokens.pop(0)
            return good
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            token += " WITH " + tokens.pop(0)
        return token in ALLOWED

    return either()


def main():
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features"]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    packages = metadata["packages"]
    bad = [package for package in packages if not acceptable(package["license"] or "none")]
    for package in bad:
        licence = package["license"] or f"no licence expression ({package['license_file']})"
        print(f"licence: {package['name']} {package['version']}: {licence} is not on the list in {__file__}")
    if bad:
        sys.exit(1)
    print(f"licences: {len(packages)} crates, every one on the list")


if __name__ == "__main__":
    main()
