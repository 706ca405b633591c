"""`make boot-image IMAGE=DIR`: boots what Buildroot made for qemu, and serves its pictures on this machine.

A copy of the card is booted, by the player of the firmware: it may be updated, and what is changed on it is gone at the
end. Where the card has no picam.toml, the copy gets one with the test picture as source, because qemu has no camera.
"""

import socket
import sys
import tempfile
from pathlib import Path

from .lab.access import MachineError
from .lab.disk import read_file
from .lab.given import copy_disk, image_files
from .lab.machine import Machine
from .lab.tools import ToolError

PATTERN = {"picam.toml": '[camera]\nsource = "pattern"\n'}
# Emulation on shared cores.
BOOT = 240


def boot(images, port):
    """Runs until it is interrupted or powers itself off."""
    card, *_ = image_files(images)
    with tempfile.TemporaryDirectory(prefix="picam-image-") as folder:
        copy = Path(folder) / "disk.img"
        site = PATTERN if read_file(card, 1, "picam.toml") is None else {}
        copy_disk(card, copy, site)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))  # qemu would end at once, and be started again
            except OSError as error:
                raise ToolError(f"port {port}: {error.strerror}") from error
        machine = Machine(copy, folder, port=port, say=lambda line: print(line, flush=True))
        try:
            machine.power_on()
            if site:
                _, body = machine.wait_jpeg(BOOT)
                print(f"boot-image: {len(body)} bytes of JPEG from http://localhost:{port}/jpg; Ctrl-C ends it", flush=True)
            machine.wait_end()
            if machine.runs[-1].ended != "poweroff":
                raise MachineError(f"{machine.history()}\n{machine.console_end()}")
        finally:
            machine.power_cut()


def main(words):
    """Returns the exit code."""
    try:
        boot(words[0], int(words[1]) if words[1:] else 8000)
    except (ToolError, MachineError) as error:
        print(f"make boot-image: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
