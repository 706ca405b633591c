"""rootfs-overlay's scripts under the BusyBox of either distribution: with the applets and the options that it has, and no
others. What is missing there fails here, as on a camera."""

import re
from pathlib import Path

import pytest
from distro import busybox
from support.overlay import Overlay, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

# What BusyBox and its shell say about what they do not have.
MISSING = re.compile(r"not found|invalid option|unrecognized option|unknown (option|operand)|applet|Usage:|syntax error", re.I)
PICAM = """#!/bin/sh
case $1 in
--probe)
    n=$(($(cat /run/asked 2>/dev/null || echo 0) + 1))
    echo $n >/run/asked
    echo live $n
    ;;
--print-config) printf '[server]\\nlisten = "0.0.0.0:8000"\\n[camera]\\nrate = 8.0\\n[update]\\nurl = "http://a.example/"\\n' ;;
*) while :; do sleep 1; done ;;
esac
"""
RAUC = """#!/bin/sh
case $1 in
info) printf "RAUC_MF_VERSION='1.0.0'\\nRAUC_MF_COMPATIBLE='picam-test'\\n" ;;
--mount=*) while :; do sleep 1; done ;;
esac
"""
# The root's own disk: a file for the data partition, and mounts of FAT and ext4 that the kernel here may not have.
MOUNTS = """#!/bin/sh
case "$*" in
*remount*) ;;
*vfat*) ;;
*ext4*) [ -f /run/made ] && /programs/busybox mount -t tmpfs tmpfs /data ;;
*) exec /programs/mount "$@" ;;
esac
"""


@pytest.fixture(scope="session", params=list(busybox.LACKS))
def distribution(request):
    return request.param, busybox.build(request.param)


@pytest.fixture
def root(distribution, tmp_path):
    files = {"usr/bin/picam": (PICAM, 0o755), "usr/bin/rauc": (RAUC, 0o755), "stand-ins/mount": (MOUNTS, 0o755)}
    short = {"guard": {"TRIAL_FRESH": 3, "PAUSE": 1}}
    with Overlay(tmp_path, short, files, slot="B", busybox=distribution[1]) as root:
        root.shell("mkdir -p /data/update /data/site /data/picam /run/picam")
        yield root


def said(root, script):
    """What a script prints; none of it is about something that BusyBox lacks."""
    printed = root.shell(f"export PATH=/stand-ins:$PATH; {script}")
    assert not MISSING.search(printed), printed
    return printed


def test_the_site_is_taken_over(root):
    root.shell("printf '[camera]\\r\\nrate = 4.0\\r\\n' >/boot/picam.toml; printf '\\r\\nhall-3\\r\\n' >/boot/hostname; echo key >/boot/authorized_keys")
    start = r"""sed '/^mkdir -p \$RUN$/,$d' /usr/lib/picam/data >/run/data
        printf 'make_folders\ntake_over_site\nhostname() { echo "named $1"; }\nset_hostname\n' >>/run/data; sh /run/data"""
    printed = said(root, start)
    assert printed.endswith("named hall-3")
    for name in ("picam.toml", "hostname", "authorized_keys"):
        assert f"took {name} over" in printed
    assert root.shell("cat /data/picam/picam.toml") == "[camera]\nrate = 4.0"
    assert root.shell("cat /data/site/authorized_keys") == "key"
    assert said(root, "sh /run/data") == "named hall-3", "taken over once for each content"


def test_only_a_partition_without_a_file_system_is_made_one(root):
    with (root.folder / "events/partition").open("wb") as file:
        file.truncate(8 << 20)
    root.shell("mount -t tmpfs tmpfs /dev; mknod /dev/null c 1 3; mkdir /dev/picam; mv /events/partition /dev/picam/data")
    mount = r"sed '/^mkdir -p \$RUN$/,$d' /usr/lib/picam/data >/run/data; echo mount_data >>/run/data; sh /run/data"
    assert "has no file system: making it" in said(root, mount)
    again = said(root, f"umount /data; {mount}")
    assert "making it" not in again and "left as it is" in again


def test_the_clock_can_be_set(root):
    """By the same reading of the time; this machine's own clock is left alone."""
    assert said(root, "date -u -d @1700000000 +%Y-%m-%dT%H:%M:%SZ; date +%s >/dev/null") == "2023-11-14T22:13:20Z"


def test_a_trial_is_committed_in_place(root):
    before = root.shell("ls -i /boot/autoboot.txt; wc -c </boot/autoboot.txt")
    root.start("env", "PATH=/stand-ins:/programs", "/usr/lib/picam/guard")
    root.wait_event("slot B is committed")
    assert "boot_partition=3" in root.shell("cat /boot/autoboot.txt").split("[tryboot]")[0]
    assert root.shell("ls -i /boot/autoboot.txt; wc -c </boot/autoboot.txt") == before
    assert not MISSING.search(root.events())


def test_starts_are_written_down(root):
    said(root, "/usr/lib/picam/starts begin; /usr/lib/picam/starts outcome 'failed: no frames'; /usr/lib/picam/starts stops")
    said(root, "rm /run/picam/starts; rm /data/update/staged; /usr/lib/picam/starts begin; /usr/lib/picam/starts outcome serving")
    lines = root.shell("cat /data/update/starts").splitlines()
    assert [re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", "", line) for line in lines] == [
        "1 B 1.0.0 trial failed: no frames",
        "2 B 1.0.0 ordered serving",
    ]
    assert lines == said(root, "picam-update --status | sed -n 's/^start: //p'").splitlines()


def test_a_slot_that_was_walked_to_is_adopted(root):
    root.set_firmware(partition=3, tryboot=0)
    assert said(root, "/usr/lib/picam/rauc-backend walked && /usr/lib/picam/rauc-backend adopt && echo adopted") == "adopted"
    assert said(root, "picam-update --status").splitlines()[1] == "committed: yes"
    assert root.shell("ls /data/update") == "slot-A.bad"


def test_there_is_a_way_back(root):
    """From the slot that was tried and is committed, into the other one; and what was left is refused from then on."""
    said(root, "/usr/lib/picam/rauc-backend set-state B good")
    printed = said(root, "picam-update --rollback")
    assert "1.0.0 is in slot A: restarting into it on trial, in the place of 1.0.0" in printed
    assert root.shell("cat /run/picam/armed /data/update/staged /data/update/trying /data/update/leaving") == "A\nA\n1.0.0\n1.0.0"
    said(root, "rm /run/picam/armed; echo 1.1.0 >/data/update/trying; echo 0.9.0 failed >/data/update/refused")
    said(root, "/usr/lib/picam/rauc-backend settle")
    assert root.shell("cd /data/update; ls; cat refused") == "refused\nslot-A.bad\n1.1.0 failed"
    assert "failed: 1.1.0 did not hold" in said(root, "picam-update --status")
    assert said(root, ". /usr/lib/picam/common; refusal 1.1.0; refusal 1.1 || echo not 1.1") == "failed its trial\nnot 1.1"


def test_data_is_wiped(root):
    secret = b"the key of the hall"
    with (root.folder / "events/partition").open("wb") as file:
        file.truncate(8 << 20)
        file.seek(5 << 20)
        file.write(secret)
    size = root.folder / "sys/class/block/data/size"
    size.parent.mkdir(parents=True)
    size.write_text(f"{(8 << 20) // 512}\n")
    root.shell("mount -t tmpfs tmpfs /dev; mknod /dev/null c 1 3; mknod /dev/zero c 1 5; mkdir /dev/picam; mv /events/partition /dev/picam/data")
    root.shell("echo 'picam: wiped 1 MiB' 1<>/dev/picam/data; echo >/run/made")
    mount = r"sed '/^mkdir -p \$RUN$/,$d' /usr/lib/picam/data >/run/data; echo mount_data >>/run/data; sh /run/data"
    assert said(root, mount) == "data: factory reset: wiping /data from 1 to 8 MiB"
    content = Path(f"/proc/{root.pid}/root/dev/picam/data").read_bytes()
    assert len(content) == 8 << 20 and secret not in content and content[1080:1082] == b"\x53\xef"
    assert root.shell("cat /data/update/ended") == "factory-reset"


def test_a_failed_trial_is_written_down(root):
    script = r"""sed -n '/^pet() {/,/^}/p; /^backend() {/,/^}/p; /^restart_machine() {/,/^}/p; /^fail_trial() {/,/^}/p' /usr/lib/picam/guard >/run/functions
        . /usr/lib/picam/common; . /run/functions; restart_machine() { :; }; watchdog='' slot=B BACKEND_LIMIT=5; fail_trial 'no frames'"""
    said(root, script)
    assert "no frames" in root.shell("cat /data/update/failed.log") and root.shell("ls /data/update/slot-B.bad")


def test_updates_are_looked_for(root):
    root.shell("echo rauc.slot=A >/run/cmdline; mount --bind /run/cmdline /proc/cmdline")
    assert "runs already" in said(root, "picam-update http://a.example/x.raucb")
    functions = "sed -n '/^chance() {/,/^}/p' /usr/bin/picam-update >/run/functions; . /usr/lib/picam/common; . /run/functions"
    for number in said(root, f"{functions}; for i in 1 2 3 4 5; do chance 600; done").split():
        assert 0 <= int(number) < 600
    assert said(root, f"{functions}; older 1.9.0 1.10.0 && echo older; older 1.10.0 1.10.0-rc1 || echo newer") == "older\nnewer"


def test_a_lease_is_taken(root):
    lease = "interface=lo ip=10.0.0.7 mask=24 router= dns='10.0.0.1 10.0.0.2' domain=example"
    assert said(root, f"{lease} /usr/lib/picam/dhcp bound") == "dhcp: lo has the address 10.0.0.7"
    assert "10.0.0.7/24" in said(root, "ip -4 address show dev lo")
    assert root.shell("cat /run/resolv.conf") == "search example\nnameserver 10.0.0.1\nnameserver 10.0.0.2"
    said(root, "interface=lo /usr/lib/picam/dhcp deconfig")
    assert "10.0.0.7" not in said(root, "ip -4 address show dev lo")


# What a wpa_cli says until nobody could ask any more, and what it answers.
WPA_CLI = r"""#!/bin/sh
case $* in
*list_networks) printf 'network id / ssid / bssid / flags\n0\tnet\tany\t\n' ;;
*scan_results) printf 'bssid / frequency / signal level / flags / ssid\n02:00:00:00:01:00\t2437\t-30\t[ESS]\tnet\n' ;;
*)
    printf '\r<3>CTRL-EVENT-NETWORK-NOT-FOUND \n> %.0s' 1 2 3
    while read -r question; do cat /run/status; done
    ;;
esac
"""


def test_a_wifi_is_joined(distribution, tmp_path):
    files = {f"programs/{name}": ("#!/bin/sh\n", 0o755) for name in ("wpa_supplicant", "iw")} | {"programs/wpa_cli": (WPA_CLI, 0o755)}
    with Overlay(tmp_path, files=files, busybox=distribution[1]) as root:
        root.shell("mkdir -p /data/site; mount -o remount,ro /boot; echo wpa_state=SCANNING >/run/status")
        root.shell(r"mount -o remount,rw /boot; printf '\357\273\277ssid = net \r\npassword = correct horse\r\ncountry = de\r\n' >/boot/wifi.txt; mount -o remount,ro /boot")
        assert said(root, "/usr/lib/picam/wifi configured; echo $?") == "0"
        before = root.shell("wc -c </boot/wifi.txt")
        with (tmp_path / "printed").open("w") as printed:
            root.start("/usr/lib/picam/wifi", "run", "wlan0", stdout=printed, stderr=printed)
            root.wait(lambda: root.shell("sed -n '1s/.* //p' /run/picam/wifi") == "unsuitable", "the state")
            root.wait(lambda: "In reach" in root.shell("cat /boot/wifi-error.txt"), "the error")
            root.shell("printf 'bssid=x\\nssid=net\\nid=0\\nwpa_state=COMPLETED\\n' >/run/status")
            root.wait(lambda: root.shell("ls /boot/wifi-error.txt 2>/dev/null") == "", "the error to be gone")
        assert root.shell("cat /data/site/wifi.txt") == 'ssid="net"\npassword="correct horse"\ncountry=DE'
        assert root.shell("wc -c </boot/wifi.txt") == before and "horse" not in root.shell("cat /boot/wifi.txt")
        assert "6e6574" in root.shell("cat /run/picam-wifi/wpa_supplicant.conf")
        assert not MISSING.search((tmp_path / "printed").read_text()), (tmp_path / "printed").read_text()


def test_the_init_scripts_start_and_stop(root, distribution):
    if distribution[0] == "openembedded":
        return  # systemd's there
    for name in ("S01syslogd", "S40network", "S49ntpd", "S60picam"):  # not S02klogd: the kernel's log here is not the root's
        said(root, f"/etc/init.d/{name} start; sleep 1; /etc/init.d/{name} stop")


def test_the_lists_are_those_of_openembedded(layers):
    folder = layers / "openembedded-core/meta/recipes-core/busybox"
    (recipe,) = folder.glob("busybox_*.bb")
    names = ["defconfig", *re.findall(r"^\s+file://([\w-]+\.cfg) \\$", recipe.read_text(), re.M)]
    assert_lists("openembedded", [(folder / "busybox" / name).read_text() for name in names])


def test_the_lists_are_those_of_buildroot(buildroot):
    # package/busybox/busybox.mk adds these where BR2_ROOTFS_DEVICE_CREATION_DYNAMIC_MDEV is chosen.
    mdev = "\n".join(f"CONFIG_{name}=y" for name in ("MDEV", "FEATURE_MDEV_CONF", "FEATURE_MDEV_EXEC", "FEATURE_MDEV_DAEMON"))
    assert_lists("buildroot", [(buildroot / "package/busybox/busybox.config").read_text(), mdev])


def assert_lists(name, texts):
    on = busybox.switched_on(texts)
    assert busybox.LACKS[name] & on == set(), "not lacking"
    others = set().union(*busybox.LACKS.values()) - busybox.LACKS[name]
    assert others - on == set(), "lacking, too"
