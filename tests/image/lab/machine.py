"""A Raspberry Pi of the test's own: firmware player and qemu, from power-on to power cut, over any number of boots."""

import json
import re
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import firmware
from .access import Access, MachineError
from .bootfs import COMMON_COMMAND_LINE
from .tools import ENVIRONMENT, ToolError, run

# How the firmware's watchdog is played: it resets unless the kernel says something within its time.
RESTART = re.compile(r"reboot: Restarting system(?: with command '(.*)')?")


@dataclass
class Run:
    """One boot. ended: None while it runs, else how: restart, tryboot, watchdog, firmware watchdog, poweroff or cut."""

    slot: str
    tryboot: bool
    started: float
    console: list = field(default_factory=list)
    ended: str | None = None


class Machine(Access):
    """Owns one disk. `kind` is virt, a machine of qemu's own with a Cortex-A72; uboot, the same with U-Boot instead of the
    firmware player; or raspi3b, a Raspberry Pi 3. `bootloader`: the one in the EEPROM that the player plays. `say` is
    called with each line of its console."""

    def __init__(self, image, folder, kind="virt", dtb=None, bootloader=firmware.Bootloader(), port=None, say=lambda line: None):
        super().__init__(folder, port)
        self.image, self.kind, self.bootloader = Path(image), kind, bootloader
        self._dtb, self._say = dtb, say
        self.runs = []
        self.changed = threading.Condition()
        self._qemu = None
        self._thread = None
        self._power = False

    # Power

    def power_on(self):
        """Starts the firmware; from then on the machine restarts itself until power_cut or its own power-off."""
        self._power = True
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()
        self.wait(lambda: self.runs, 20, "qemu to start")

    def power_cut(self):
        """Takes the power away at once, whatever it is doing. What was not written is lost."""
        with self.changed:
            self._power = False
            if self._qemu and self._qemu.poll() is None:
                self._qemu.kill()
        if self._thread:
            self._thread.join(30)
        self._close_shell()

    def _go(self):
        tryboot = False
        while self._power:
            try:
                tryboot = self._boot_once(tryboot) == "tryboot"
            except ToolError as error:
                with self.changed:
                    self.runs.append(Run("?", tryboot, time.monotonic(), [str(error)], "nothing to boot"))
                    self.changed.notify_all()
                return
            if self.runs[-1].ended == "poweroff":
                return

    def _boot_once(self, tryboot):
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            power_on = not self.runs or self.runs[-1].ended in ("cut", "poweroff")
            boot = firmware.UBoot() if self.kind == "uboot" else firmware.start(self.image, tryboot, scratch, self.bootloader)
            this = Run({2: "A", 3: "B"}.get(boot.partition, "?"), boot.tryboot, time.monotonic())
            command = self._command(boot, Path(scratch), power_on)
            with self.changed:
                if not self._power:
                    return "cut"
                self._qemu = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT
                )
                self.runs.append(this)
                self.changed.notify_all()
            events = _Events(Path(scratch) / "qmp")
            events.start()
            alive = threading.Event()
            timer = threading.Timer(boot.watchdog, self._firmware_watchdog, (this, alive, self._qemu))
            timer.daemon = True
            if boot.watchdog:
                timer.start()
            self._read_console(this, alive)
            self._qemu.wait()
            timer.cancel()
            events.join(5)
            self._close_shell()
            with self.changed:
                this.ended = this.ended or self._how_it_ended(this, events.seen)
                self.changed.notify_all()
            return this.ended

    def _read_console(self, this, alive):
        with open(self.folder / "console.log", "a", encoding="utf-8") as log:
            for raw in self._qemu.stdout:
                line = raw.decode(errors="replace").rstrip()
                if line:
                    alive.set()
                log.write(f"{this.slot}{len(self.runs)} {time.monotonic() - this.started:7.2f} {line}\n")
                log.flush()
                self._say(line)
                with self.changed:
                    this.console.append(line)
                    if said := firmware.UBoot.SAYS.search(line):
                        this.slot = said[1]
                    self.changed.notify_all()

    def _firmware_watchdog(self, this, alive, qemu):
        if not alive.is_set():
            this.ended = "firmware watchdog"
            qemu.kill()

    def _how_it_ended(self, this, events):
        if not self._power:
            return "cut"
        if "WATCHDOG" in events:
            return "watchdog"
        for line in reversed(this.console):
            match = RESTART.search(line)
            if match:
                # What the kernel's firmware driver makes of reboot(2)'s argument.
                return "tryboot" if "tryboot" in (match[1] or "") else "restart"
            if "Power down" in line:
                return "poweroff"
        return "restart"

    def _command(self, boot, scratch, power_on):
        forward = f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:8000"
        drive = f"file={self.image},format=raw,cache=writeback"
        if self.kind == "raspi3b":
            machine = ["-M", "raspi3b"]
            devices = ["-drive", f"{drive},if=sd", "-device", "usb-net,netdev=net"]
        else:
            machine = ["-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "512"]
            devices = [
                "-drive", f"{drive},if=none,id=disk", "-device", "virtio-blk-pci,drive=disk",
                "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci", "-device", "i6300esb",
                "-chardev", f"socket,id=shell,path={self._shell_path},server=on,wait=off",
                "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=shell,name=shell",
            ]  # fmt: skip
        dtb = scratch / "machine.dtb"
        if self.kind == "raspi3b":
            dtb.write_bytes(Path(self._dtb).read_bytes())
        else:
            # With a bootloader, qemu's machine has other devices than with a kernel.
            bootloader = boot.loader() if self.kind == "uboot" else []
            run("qemu-system-aarch64", "-M", f"virt,dumpdtb={dtb}", *machine[2:], *bootloader, "-nodefaults", "-nographic")
        if self.kind == "uboot":
            run("fdtput", "-t", "s", dtb, "/chosen", "bootargs", COMMON_COMMAND_LINE)
        run("fdtput", "-c", dtb, "/chosen/bootloader")
        for name, value in self.bootloader.device_tree(boot.partition, boot.tryboot, power_on).items():
            run("fdtput", "-t", "u", dtb, "/chosen/bootloader", name, value)
        if self.kind == "virt":
            # By this the appliance knows whose bootloader was built when.
            run("fdtput", "-t", "s", dtb, "/", "compatible", "linux,dummy-virt", firmware.SOC[self.bootloader.board])
        # A guest that runs by the host's clock goes before those that count instructions as time.
        return [
            "nice", "-n", "10", "qemu-system-aarch64", *machine, "-accel", "tcg,thread=multi", "-nodefaults", "-nographic",
            *(["-serial", "null"] if self.kind == "raspi3b" else []), "-serial", "stdio",
            "-no-reboot", "-action", "watchdog=reset", "-qmp", f"unix:{scratch / 'qmp'},server=on,wait=off",
            "-dtb", str(dtb), *boot.loader(), "-netdev", forward, *devices,
        ]  # fmt: skip

    # Waiting

    def wait(self, condition, seconds, what):
        """Waits until `condition()` holds; MachineError with the console's end if it does not in time."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(min(left, 1)):
                    if time.monotonic() >= deadline:
                        raise MachineError(f"waited {seconds} s for {what}; {self.history()}\n" + self.console_end())

    def wait_console(self, pattern, seconds, since=0):
        """Waits for a console line that matches `pattern`, in any boot from number `since` on; the match."""
        found = []

        def seen():
            for boot in self.runs[since:]:
                for line in boot.console:
                    match = re.search(pattern, line)
                    if match:
                        found.append(match)
                        return True
            return False

        self.wait(seen, seconds, f"{pattern!r} on the console")
        return found[0]

    def wait_end(self):
        """Waits until it has powered itself off."""
        self._thread.join()

    def wait_boots(self, number, seconds):
        """Waits until boot number `number` (from 1) has started; the Run."""
        self.wait(lambda: len(self.runs) >= number, seconds, f"boot {number}")
        return self.runs[number - 1]

    def history(self):
        """Every boot in a word: A→tryboot B→restart A."""
        return "boots: " + " ".join(f"{run.slot}→{run.ended}" if run.ended else run.slot for run in self.runs)

    def console_end(self, lines=25):
        """The last lines of the console."""
        return "\n".join(self.runs[-1].console[-lines:]) if self.runs else "(never started)"


class _Events(threading.Thread):
    """Collects the names of qemu's events until it ends."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.seen = path, set()

    def run(self):
        for _ in range(100):
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(str(self.path))
                break
            except OSError:
                connection.close()
                time.sleep(0.1)
        else:
            return
        with connection, connection.makefile("rw") as stream:
            try:
                stream.write('{"execute": "qmp_capabilities"}\n')
                stream.flush()
                for line in stream:
                    event = json.loads(line).get("event")
                    if event:
                        self.seen.add(event)
            except (OSError, ValueError):
                pass
