"""Paths and running programs, shared by the laboratory's modules."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GUEST = ROOT / "tests/image/guest"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "picam/image"

# Debian keeps sfdisk, mkfs and depmod where only root looks.
ENVIRONMENT = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


class ToolError(Exception):
    """A program failed; the message has its last words."""


def run(*command, **options):
    """Runs a program, quietly and gently; its standard output as text. ToolError if it fails."""
    command = ["nice", "-n", "19", *map(str, command)]
    options = {"env": ENVIRONMENT, "stdin": subprocess.DEVNULL, **options}
    if "input" in options:
        del options["stdin"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", **options)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise ToolError(f"{' '.join(command[3:])} ended with {done.returncode}: {words}")
    return done.stdout
