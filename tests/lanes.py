"""Runs tests in lanes side by side, each with a report of its own: what they do most is wait.

    python -m lanes image|image-full|camera|camera-full|wifi|fleet|soak...

Makes first what their guests consist of. Prints the reports, which stay in target/lanes; the exit code is the worst of them.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from camera.module import build_module
from camera.pisp import pisp_files
from image.lab.given import is_given, make_factory
from image.lab.packages import KEPT, Packages
from image.lab.tools import ROOT, ToolError
from wifi.guest import build_initramfs
from wifi.supplicant import NAMES

HERE = Path(__file__).resolve().parent
REPORTS = ROOT / "target/lanes"


class Lane(NamedTuple):
    """`words`: pytest's, or a program's of Python; `environment`: what differs from ours."""

    name: str
    words: list
    environment: dict


def pytest(name, files, environment):
    """A lane of these files, or folders of them."""
    return Lane(name, ["-m", "pytest", "-v", *files], environment)


def image(how):
    """The stories of the updates, each on one machine, and the rest."""
    make_factory()
    stories = _shared_out("image", ["test_update.py"], ["test_rollout.py", "test_uboot.py"])
    # An image that is given is for one machine.
    without = {"test_uboot.py", "test_raspi3b.py"} if is_given() else set()
    environment = {"PICAM_TEST_IMAGE": how, "PICAM_IMAGE_REUSE": "yes"}
    return [pytest(name, [path for path in files if path.name not in without], environment) for name, files in stories]


def camera(how):
    """Each guest has one processor, and counts its instructions as time: what else the host does is nothing to it."""
    build_module(Packages())
    pisp_files()
    pi4 = ["test_controls.py", "test_endurance.py", "test_faults.py", "test_technician.py", "test_times.py"]
    return [pytest(name, files, {"PICAM_TEST_CAMERA": how}) for name, files in _shared_out("camera", pi4)]


def wifi(_):
    """With the wpa_supplicant of each distribution."""
    packages = Packages()
    for name in NAMES:
        build_initramfs(name, packages)
    return [pytest(f"wifi-{name}", [HERE / "wifi"], {"PICAM_TEST_WIFI": name}) for name in NAMES]


def fleet(_):
    """With the server that steers updates."""
    return [pytest("fleet", [HERE / "fleet"], {"PICAM_TEST_FLEET": "yes"})]


def soak(_):
    """For two minutes."""
    return [Lane("soak", [HERE / "soak/soak.py", "--seconds", "120"], {})]


KINDS = {"image": image, "camera": camera, "wifi": wifi, "fleet": fleet, "soak": soak}


def _shared_out(folder, *lanes):
    """(name, paths) of each lane and of one more for the files in `folder` that none of them names."""
    files = {path.name: path for path in sorted((HERE / folder).glob("test_*.py"))}
    named = [[files.pop(name) for name in lane] for lane in lanes]
    return [(f"{folder}-{number}", paths) for number, paths in enumerate([*named, list(files.values())], 1)]


def run(lanes):
    """Runs them all, prints their reports in this order as soon as they are there, and returns the worst exit code."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    running = []
    for lane in lanes:
        command = [sys.executable, *map(str, lane.words)]
        with (REPORTS / f"{lane.name}.log").open("w") as log:
            environment = {**os.environ, KEPT: "yes", **lane.environment}
            running.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
    try:
        for lane, process in zip(lanes, running, strict=True):
            process.wait()
            sys.stdout.write((REPORTS / f"{lane.name}.log").read_text(errors="replace"))
            sys.stdout.flush()
    finally:
        for process in running:
            _end(process)
    return max(abs(process.returncode) for process in running)


def _end(process):
    """Asks it by SIGINT, at which pytest stops what its fixtures have started; who pressed Ctrl-C has asked already."""
    for ask in (lambda: None, lambda: process.send_signal(signal.SIGINT), process.kill):
        if process.poll() is None:
            ask()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


def main(words):
    """Returns the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = time.monotonic()
    lanes = []
    for word in words:
        kind, _, full = word.partition("-")
        lanes += KINDS[kind](full or "yes")
    worst = run(lanes)
    print(f"{', '.join(words)}: {time.monotonic() - started:.0f} s in all", flush=True)
    return worst


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ToolError as error:
        sys.exit(f"lanes: {error}")
