"""Child processes of the tests: started by list, stopped by their own id."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PYTHON = sys.executable


def stop(process, timeout=5.0):
    """SIGTERM, then SIGKILL to what is still there; the exit code."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def as_nobody():
    """Command prefix that gives up root, for programs that refuse to run as root; empty for anyone else."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
