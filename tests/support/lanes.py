"""Several pytest runs side by side, each with a report of its own: lanes mostly wait, for guests and time limits."""

import os
import subprocess
import sys
from typing import NamedTuple


class Lane(NamedTuple):
    """`arguments`: pytest's; `environment`: what differs from ours; `report`: the file that its output goes to."""

    arguments: list
    environment: dict
    report: object


def run(lanes):
    """Runs them all, prints each report when all are done, and returns the worst of their exit codes."""
    running = []
    for lane in lanes:
        command = [sys.executable, "-m", "pytest", "-v", *lane.arguments]
        environment = {**os.environ, **lane.environment}
        with lane.report.open("w") as log:
            running.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
    try:
        for process in running:
            process.wait()
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
                process.wait()
    for lane in lanes:
        sys.stdout.write(lane.report.read_text(errors="replace"))
    return max(abs(process.returncode) for process in running)
