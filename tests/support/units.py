"""What this machine's systemd-analyze makes of units that are not installed here."""

import re
import shutil
import subprocess
from pathlib import Path

# Where Debian's systemd has its own units, which ours are ordered by.
SYSTEM_UNITS = Path("/usr/lib/systemd/system")


class Units:
    """The units in a copy of `tree`, a root file system or a part of one, among those of this machine's systemd.
    `programs`: paths of executables that the units name and the tree does not have."""

    def __init__(self, folder, tree, programs=()):
        self.root = folder / "units-root"
        shutil.copytree(SYSTEM_UNITS, self.root / SYSTEM_UNITS.relative_to("/"), symlinks=True)
        shutil.copytree(tree, self.root, symlinks=True, dirs_exist_ok=True)
        for program in programs:
            path = self.root / program.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
            path.chmod(0o755)

    def _analyze(self, *arguments):
        command = ["systemd-analyze", f"--root={self.root}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    def complaints(self, *units):
        """What is wrong with the units, the empty text if nothing is."""
        done = self._analyze("verify", "--man=no", *units)
        assert done.returncode == 0 or done.stderr
        return done.stderr

    def exposure(self, unit):
        """From 0 (shut) to 10 (open)."""
        done = self._analyze("security", "--offline=true", unit)
        return float(re.search(rf"^→ Overall exposure level for {re.escape(unit)}: ([\d.]+) ", done.stdout, re.M)[1])
