"""The appliance's units under a real systemd: what each does within what it has given up."""

import contextlib
import re
import subprocess

import pytest
from support.appliance import ROOT
from support.systemd import unavailable, wait

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))


def status(appliance, unit):
    """The fields of /proc/PID/status of a unit's main process."""
    lines = appliance.shell(f"cat /proc/{appliance.show(unit, 'MainPID')}/status").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def probe(appliance):
    return appliance.shell("picam --probe http://127.0.0.1:8000/healthz")


def test_picam_serves_watched_and_shut_in(make_appliance):
    appliance = make_appliance()
    appliance.enable("picam.service")
    with appliance:
        assert appliance.show("picam", "ActiveState") == "active", appliance.log("picam")
        told = appliance.log("picam")
        assert told.index("listening on") < told.index("Started picam.service")
        first = appliance.show("picam", "WatchdogTimestampMonotonic")
        assert first != "0" and appliance.show("picam", "WatchdogUSec") == "30s"
        wait(lambda: appliance.show("picam", "WatchdogTimestampMonotonic") != first, "a sign of life")
        assert probe(appliance) == "live"
        process = status(appliance, "picam")
        assert (process["Uid"].split()[0], process["NoNewPrivs"], process["Seccomp"]) == ("900", "1", "2")
        assert {process[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}


def test_a_picam_that_cannot_even_watch_itself_is_started_again(make_appliance):
    appliance = make_appliance()
    appliance.put("etc/systemd/system/picam.service.d/quick.conf", "[Service]\nWatchdogSec=5\n")
    appliance.enable("picam.service")
    with appliance:
        appliance.shell(f"kill -STOP {appliance.show('picam', 'MainPID')}")
        wait(lambda: "Watchdog timeout" in appliance.log("picam"), "the watchdog")
        wait(lambda: appliance.show("picam", "NRestarts") == "1" and probe(appliance) == "live", "picam again")


@contextlib.contextmanager
def disk(folder):
    """A blank block device, or a skip where there is none."""
    image = folder / "disk.img"
    image.write_bytes(b"\0" * (16 << 20))
    made = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no loop device: {made.stderr.strip()}")
    device = made.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def test_data_is_made_and_mounted_for_all_picam_saves_there_and_its_name_is_announced(make_appliance, tmp_path):
    with disk(tmp_path) as device:
        appliance = make_appliance(devices={"disk": device})
        (appliance.folder / "boot/hostname").write_text("cam-7\n")
        # The script's own function looks at the disk that / is on.
        named = "name_partitions() {\n    mkdir -p /dev/picam\n    ln -sfn /dev/disk /dev/picam/data\n}\n"
        appliance.change("usr/lib/picam/data", r"^name_partitions\(\) \{.*?^\}\n", named)
        appliance.enable("picam.service", "picam-data.service", "picam-announce.service")
        with appliance:
            assert appliance.show("picam-data", "Result") == "success", appliance.log("picam-data")
            assert "/data has no file system: making it" in appliance.log("picam-data")
            kind, options = appliance.shell("findmnt --noheadings --output FSTYPE,OPTIONS /data | tail -n 1").split()
            assert kind == "ext4" and {"nosuid", "nodev", "noexec"} <= set(options.split(","))
            assert appliance.shell("stat -c '%U %a' /data/site /data/picam/state") == "root 700\npicam 700"
            assert appliance.shell("hostname") == "cam-7"

            assert appliance.shell("curl -s 'http://127.0.0.1:8000/set?Brightness=0.5'") == "ok"
            wait(lambda: "Brightness" in appliance.shell("cat /data/picam/state/controls.toml"), "the saved settings")

            wait(lambda: '"name": "cam-7.local"' in appliance.shell("curl -s http://127.0.0.1:8000/status"), "the name")
            process = status(appliance, "picam-announce")
            assert (process["Uid"].split()[0], process["NoNewPrivs"], process["Seccomp"]) == ("901", "1", "2")
            assert {process[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
            assert appliance.shell("systemctl stop picam-announce; cat /run/picam-announce/state") == ""

            # What a former version, whose folder this was, has left: closed to root, were it not for its capabilities.
            left = "mkdir -p /data/picam/old/x && chown -R picam /data/picam && chmod 0 /data/picam/old"
            assert appliance.shell(f"{left} && systemctl stop picam && umount /data && systemctl restart picam-data") == ""
            assert appliance.show("picam-data", "Result") == "success", appliance.log("picam-data")
            assert appliance.shell("ls /data/picam; stat -c %U /data/picam") == "state\nroot"
            assert "Brightness" in appliance.shell("cat /data/picam/state/controls.toml")
            appliance.shell("umount /data")


def test_the_guard_commits_a_slot(make_appliance):
    appliance = make_appliance(constants={"guard": {"TRIAL_FRESH": 2}}, slot="B")
    appliance.enable("picam.service", "picam-guard.service")
    # It was armed before the restart, and the firmware started it for its trial.
    armed = "[Service]\nExecStartPre=/bin/sh -c 'mkdir -p /data/update; echo B >/data/update/staged'\n"
    appliance.put("etc/systemd/system/picam-guard.service.d/armed.conf", armed)
    bootloader = appliance.folder / "firmware/devicetree/base/chosen/bootloader"
    bootloader.mkdir(parents=True)
    for name, number in (("partition", 3), ("tryboot", 1)):
        (bootloader / name).write_bytes(bytes([0, 0, 0, number]))
    with appliance:
        appliance.shell("mount -o remount,ro /boot")
        wait(lambda: "slot B is committed" in appliance.log("picam-guard"), "the trial's end")
        assert "[all]\ntryboot_a_b=1\nboot_partition=3\n" in appliance.shell("cat /boot/autoboot.txt")
        assert "ro," in appliance.shell("findmnt --noheadings --output OPTIONS /boot")
        process = status(appliance, "picam-guard")
        assert (process["NoNewPrivs"], process["Seccomp"]) == ("1", "2")


def test_the_guard_kills_a_picam_that_does_not_answer(make_appliance):
    appliance = make_appliance(constants={"guard": {"KILL_SILENT": 3}})
    appliance.enable("picam.service", "picam-guard.service")
    with appliance:
        appliance.shell(f"kill -STOP {appliance.show('picam', 'MainPID')}")
        wait(lambda: re.search("no answer for .*: killing picam", appliance.log("picam-guard")), "the guard")
        wait(lambda: appliance.show("picam", "NRestarts") == "1" and probe(appliance) == "live", "picam again")


def test_the_guard_restarts_the_machine(make_appliance):
    appliance = make_appliance(constants={"guard": {"RESTART_BLIND": 5}})
    appliance.enable("picam-guard.service")
    with appliance:
        wait(lambda: appliance.holder.poll() is not None, "the end of this systemd")


def test_an_orderly_end_of_the_machine_is_remembered(make_appliance, tmp_path):
    told = tmp_path / "told"
    told.touch()
    appliance = make_appliance(devices={"told": told})
    appliance.enable("picam.service", "picam-guard.service")
    tells = "[Service]\nExecStopPost=/bin/sh -c 'cat /data/update/ended >/dev/told'\n"
    appliance.put("etc/systemd/system/picam-guard.service.d/tells.conf", tells)
    with appliance:
        wait(lambda: appliance.shell("cat /data/update/starts").endswith(" A 1.0.0 power serving"), "the log of the starts")
        appliance.shell("systemctl restart picam-guard")
        assert appliance.shell("ls /data/update") == "starts" and appliance.shell("cat /data/update/starts").count("\n") == 0
        appliance.shell("systemctl --no-block reboot")
        wait(told.read_text, "the guard's last word")
    assert told.read_text() == "ordered\n"


# Does what RAUC does to read a bundle over the network: a child that becomes nobody and is ended, and netlink.
RAUC = """#!/bin/sh
set -e
[ "$1" = info ] || exit 1
ip address >/dev/null
setpriv --reuid=65534 --regid=65534 --clear-groups sleep 600 &
child=$!
while ! grep -q '^Uid:.*65534' /proc/$child/status; do sleep 0.1; done
kill $child
printf "RAUC_MF_VERSION='1.0.0'\\nRAUC_MF_COMPATIBLE='picam-test'\\n"
"""


def test_an_update_is_looked_for(make_appliance):
    appliance = make_appliance()
    appliance.put("usr/bin/rauc", RAUC, 0o755)
    appliance.put("etc/picam/picam.toml", '[update]\nurl = "http://updates.example/"\n')
    with appliance:
        appliance.shell("systemctl start picam-update.service")
        told = appliance.log("picam-update")
        assert appliance.show("picam-update", "Result") == "success", told
        assert "1.0.0 runs already" in told
        assert appliance.shell("cat /run/picam/checked").split()[2] == "ok"


def test_a_technicians_shell_mounts_for_all(make_appliance):
    appliance = make_appliance()
    appliance.put("usr/bin/dropbear", "#!/bin/sh\nmount -t tmpfs tmpfs /mnt && echo mounted && exec sleep 600\n", 0o755)
    appliance.put("usr/bin/dropbearkey", '#!/bin/sh\nwhile [ "$1" != -f ]; do shift; done\n: >"$2"\n', 0o755)
    with appliance:
        appliance.shell("mkdir -p /data/site && echo key >/data/site/authorized_keys && systemctl start picam-ssh")
        wait(lambda: "mounted" in appliance.log("picam-ssh"), "the shell")
        assert appliance.shell("findmnt --noheadings --output FSTYPE /mnt") == "tmpfs"


WIFI = ROOT / "meta-picam/recipes-picam/picam-wifi/files"
# Says what a real one says of a wrong password, until somebody has corrected it.
WPA_CLI = r"""#!/usr/bin/busybox sh
[ -r /run/picam-wifi/wpa_supplicant.conf ] || exit 1
printf '\r<3>CTRL-EVENT-SSID-TEMP-DISABLED id=0 ssid="net" auth_failures=1 duration=10 reason=WRONG_KEY\n> '
while read -r question; do cat /run/answer; done
"""
# Wants what it needs of its file, and of the kernel.
WPA_SUPPLICANT = """#!/bin/sh
set -e
grep -q 'psk="correct horse"' "$6"
ip link set lo down
exec sleep 600
"""
IW = '#!/bin/sh\n[ "$*" = "dev wlan0 set power_save off" ] && ip link set lo up && : >/run/saves-no-power\n'


def test_a_wifi_is_joined(make_appliance):
    appliance = make_appliance()
    for path in WIFI.glob("*.service"):
        # No such device is here.
        unit = re.sub(r"^BindsTo=.*\n", "", path.read_text(), flags=re.M)
        unit = unit.replace("WantedBy=sys-subsystem-net-devices-wlan0.device", "WantedBy=multi-user.target")
        appliance.put(f"etc/systemd/system/{path.name}", unit.replace("sys-subsystem-net-devices-wlan0.device", ""))
    # The distributions' shell.
    appliance.change("usr/lib/picam/wifi", r"\A#!/bin/sh$", "#!/usr/bin/busybox sh")
    for name, text in (("wpa_supplicant", WPA_SUPPLICANT), ("wpa_cli", WPA_CLI), ("iw", IW)):
        appliance.put(f"usr/sbin/{name}", text, 0o755)
    (appliance.folder / "boot/wifi.txt").write_text("ssid=net\npassword=correct horse\n")
    appliance.enable("picam-wifi.service", "picam-wifi-watch.service")
    with appliance:
        appliance.shell("mkdir -p /data/site; mount -o remount,ro /boot; echo wpa_state=SCANNING >/run/answer")
        appliance.shell("systemctl restart picam-wifi picam-wifi-watch")
        wait(lambda: "The password is wrong" in appliance.shell("cat /boot/wifi-error.txt"), "the error on the card")
        assert appliance.show("picam-wifi", "ActiveState") == "active", appliance.log("picam-wifi")
        wait(lambda: "ro," in appliance.shell("findmnt --noheadings --output OPTIONS /boot"), "the card to be closed again")
        appliance.shell("printf 'id=0\\nwpa_state=COMPLETED\\n' >/run/answer")
        wait(lambda: "connected" in appliance.shell("cat /run/picam/wifi"), "the connection")
        assert "horse" not in appliance.shell("cat /boot/wifi.txt") and "horse" in appliance.shell("cat /data/site/wifi.txt")
        assert appliance.shell("ls /boot/wifi-error.txt /run/saves-no-power 2>/dev/null") == "/run/saves-no-power"
        for unit in ("picam-wifi", "picam-wifi-watch"):
            assert status(appliance, unit)["NoNewPrivs"] == "1"
        # Nothing to join is nothing to start, again and again.
        appliance.shell("mount -o remount,rw /boot; rm /boot/wifi.txt /data/site/wifi.txt; systemctl restart picam-wifi")
        assert appliance.show("picam-wifi", "ActiveState") == "inactive" and appliance.shell("ls /run/picam/wifi 2>/dev/null") == ""
