"""A second build of the same files, in other folders, makes the same archive."""

import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).parents[2]


def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True).stdout


def test_two_builds_are_the_same_bytes(dist, tmp_path):
    # A checkout somewhere else, with what the working tree has uncommitted: that is what `make dist` packed.
    checkout = tmp_path / "elsewhere"
    subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True)
    for name in git("ls-files", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, checkout / name)
    environment = {**os.environ, "CARGO_TARGET_DIR": str(tmp_path / "target"), "PICAM_DIST": str(tmp_path / "dist")}
    subprocess.run([checkout / "cross/dist", dist.machine], check=True, env=environment, timeout=3600)
    assert (tmp_path / "dist" / dist.archive.name).read_bytes() == dist.archive.read_bytes()
