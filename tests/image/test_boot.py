"""From power-on to the first picture, and what the image promises: nothing of the root is written, picam is nobody
special, nobody can log in, the site's settings count."""

import re
import time

from image.conftest import BOOT

# Only the source differs from the overlay: there is no camera here.
PATTERN = {"picam.toml": '[camera]\nsource = "pattern"\n', "hostname": "gate-3\n"}


def test_cold_boot_to_the_first_jpeg(make_machine, report):
    machine = make_machine(PATTERN)
    started = time.monotonic()
    machine.power_on()
    headers, body = machine.wait_jpeg(BOOT)
    report(f"cold boot to the first JPEG (2304x1296, {len(body) / 1e3:.0f} kB): {time.monotonic() - started:.1f} s")
    status = machine.status()
    # Size, rate and quality are the overlay's, the source is the site's.
    assert (status["frame"]["width"], status["frame"]["height"]) == (2304, 1296)
    assert (status["rate_hz"], status["quality"], status["source"]) == (8.0, 100, "pattern")
    assert int(headers["X-Frame"]) > 0
    assert machine.runs[-1].slot == "A" and len(machine.runs) == 1, machine.history()
    # Off before anything else: an emulated core has no time left beside full-size pictures.
    machine.shell("printf '[camera]\\nwidth = 640\\nheight = 360\\nsource = \"pattern\"\\n' >/data/picam/picam.toml; sync", 90)
    machine.shell("/etc/init.d/S60picam restart", 90)

    assert machine.shell("hostname") == "gate-3"
    assert machine.shell("until read -r name </run/picam-announce/state && [ -n \"$name\" ]; do sleep 1; done; echo $name", 90) == "gate-3.local"
    machine.wait_status(lambda status: status["network"]["name"] == "gate-3.local", 60)
    _the_overlay_is_in_force(machine)
    _root_is_read_only(machine)
    _picam_is_its_own_user(machine)
    _nobody_can_log_in(machine)
    _the_log_is_in_memory(machine)
    _ssh_when_switched_on(machine)
    _restarts_in_order(machine, report)


def _the_overlay_is_in_force(machine):
    """A change of the image's own file, which only a mount over it can make, reaches the running picam."""
    machine.wait_jpeg(60)
    machine.shell("sed 's/^rate = 8.0/rate = 2.5/' /etc/picam/picam.toml >/run/changed.toml")
    machine.shell("mount --bind /run/changed.toml /etc/picam/picam.toml && /etc/init.d/S60picam reload; sleep 2")
    assert machine.status()["rate_hz"] == 2.5
    machine.shell("umount /etc/picam/picam.toml && /etc/init.d/S60picam reload")


def _root_is_read_only(machine):
    for path in ("/etc/x", "/usr/bin/x", "/root/x", "/boot/x"):
        code, output = machine.shell_code(f"touch {path}")
        assert code != 0 and "Read-only file system" in output, path
    mounts = dict(re.findall(r"^\S+ (\S+) (\S+) ", machine.shell("cat /proc/mounts"), re.MULTILINE))
    assert mounts["/"] == "squashfs" and mounts["/data"] == "ext4"
    assert "nosuid" in re.search(r"^\S+ / squashfs (\S+)", machine.shell("cat /proc/mounts"), re.MULTILINE)[1].split(",")
    assert machine.shell("find / -xdev -type f -perm /6000") == ""
    writable = re.findall(r"^/dev/\S+ (\S+) \S+ rw\b", machine.shell("cat /proc/mounts"), re.MULTILINE)
    assert writable == ["/data"]


def _picam_is_its_own_user(machine):
    status = machine.shell("cat /proc/$(pidof picam)/status")
    user, group = machine.shell("id -u picam; id -g picam").split()
    video = re.search(r"^video:[^:]*:(\d+):", machine.shell("cat /etc/group"), re.MULTILINE)[1]
    assert user != "0" and re.search(rf"^Uid:(\t{user}){{4}}$", status, re.MULTILINE)
    assert re.search(rf"^Groups:\t{video} {group} ?$", status, re.MULTILINE)
    assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)
    assert machine.status()["sandbox"] == {"mode": "on", "files": "enforced", "calls": "enforced"}


def _nobody_can_log_in(machine):
    fields = [line.split(":") for line in machine.shell("cat /etc/shadow").splitlines()]
    assert all(password in ("*", "!") for _, password, *_ in fields)
    assert not re.search(r"getty|login|telnetd|dropbear", machine.shell("ps"))
    listening = re.findall(r":(\d+) .*LISTEN", machine.shell("netstat -tln"))
    assert listening == ["8000"]


def _the_log_is_in_memory(machine):
    assert "picam" in machine.shell("logread")
    machine.shell("i=0; while [ $i -lt 9000 ]; do i=$((i+1)); echo \"line $i of a flood that must not fill the memory or the card\"; "
                  "done | logger -t flood", 120)  # fmt: skip
    assert len(machine.shell("logread", 60)) <= 512 * 1024
    assert machine.shell("find /var/log/ /data -name '*log*' -size +64k") == ""


def _ssh_when_switched_on(machine):
    machine.shell("echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqkNIBzzjkdq7tdMkXyrRjYjrRc1Pc0dLHAcTuTYP8n test' >/data/site/authorized_keys")
    machine.shell("/etc/init.d/S50dropbear start; sleep 5", 60)
    assert "22" in re.findall(r":(\d+) .*LISTEN", machine.shell("netstat -tln"))
    assert machine.shell("ls -l /data/site/dropbear_ed25519_host_key").startswith("-rw------- ")
    machine.shell("/etc/init.d/S50dropbear stop; rm /data/site/authorized_keys")


def _restarts_in_order(machine, report):
    started = time.monotonic()
    machine.shell("(sleep 1; reboot) >/dev/null 2>&1 &")
    machine.wait_boots(2, 60)
    report(f"orderly restart: down in {machine.runs[1].started - started:.1f} s")
    machine.wait_jpeg(BOOT)
    assert machine.runs[0].ended == "restart" and machine.runs[1].slot == "A", machine.history()
    # What the technician left on the first partition is not taken over a second time.
    assert "640" in machine.shell("cat /data/picam/picam.toml")
