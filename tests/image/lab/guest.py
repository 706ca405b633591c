"""A machine of one boot: Debian's kernel in qemu, all that it needs in an initramfs, a shell for the test."""

import subprocess
import threading

from .access import Access
from .tools import ENVIRONMENT

# Time is counted in instructions, 1 ns each, and does not pass while nothing runs: whatever else the host does, the
# guest sees the same. Such guests run at the lowest priority.
ICOUNT = ["-icount", "shift=0,sleep=off", "-accel", "tcg,thread=single", "-smp", "1"]


def shell_devices(path):
    """qemu's options for the port of the guest's shell (guest/S98shell), a socket at `path`."""
    chardev = ["-chardev", f"socket,id=shell,path={path},server=on,wait=off"]
    return [*chardev, "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=shell,name=shell"]


class InitramfsGuest(Access):
    """From start to stop. Who inherits says by _command() how qemu is called."""

    def __init__(self, folder):
        super().__init__(folder)
        self._console = []
        self._qemu = None

    def _command(self):
        raise NotImplementedError

    def start(self, seconds=120):
        """Boots; returns when its shell answers."""
        self._qemu = subprocess.Popen(
            self._command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT
        )
        threading.Thread(target=self._read_console, args=(self._qemu.stdout,), daemon=True).start()
        self.run("true", seconds)
        return self

    def stop(self):
        """Takes its power away."""
        if self._qemu:
            self._qemu.kill()
            self._qemu.wait()
            self._qemu = None
        self._close_shell()

    def is_running(self):
        """Whether it has neither been stopped nor ended by itself."""
        return self._qemu is not None and self._qemu.poll() is None

    def _read_console(self, stream):
        with stream, open(self.folder / "console.log", "a", encoding="utf-8") as log:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip()
                self._console.append(line)
                log.write(line + "\n")
                log.flush()

    def console_end(self, lines=25):
        return "\n".join(self._console[-lines:])

    def run(self, command, seconds=60, check=True):
        """Runs a command as root; its output. MachineError if it fails, unless `check` is false."""
        return self.shell(command, seconds, check)
