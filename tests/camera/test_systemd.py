"""picam on the side of Yocto's image: what systemd lets it have, what udev gives it, and when."""

import pytest
from image.lab.rootfs import default_distribution, picam_files

from camera.picture import read_picture
from camera.systemd import NEWER, SERVED, SSH_KEY, VERSION, SystemdGuest, build_systemd

# Only a test that would hang waits that long, times the guest's patience.
SECONDS = 240
CAMERA = ["/dev/media0", "/dev/video0", "/dev/v4l-subdev0", "/dev/dma_heap/linux,cma", "/dev/dma_heap/system", "/dev/udmabuf"]
SERVER = "127.0.0.1:8080"
# In the service's control group, where the filter of devices is.
TRY = "echo $$ >/sys/fs/cgroup/system.slice/picam.service/cgroup.procs; (exec 3<>{device}) 2>&1 && echo opened"


@pytest.fixture(scope="module")
def guest(packages, module, tmp_path_factory):
    """The machine, started."""
    parts = build_systemd(packages, module, picam_files(default_distribution()), tmp_path_factory.mktemp("systemd"))
    guest = SystemdGuest(packages, parts, tmp_path_factory.mktemp("guest"))
    try:
        guest.start(SECONDS)
        guest.run("systemctl is-system-running --wait", SECONDS, check=False)
        yield guest
        # The last test restarts it.
        assert not guest.is_running() or guest.complaints() == ""
    finally:
        guest.stop()


def test_it_starts_without_a_failed_unit_and_serves_the_camera_on_its_network(guest):
    assert guest.run("systemctl --failed --plain --no-legend") == ""
    assert guest.run("systemctl is-system-running") == "running"
    # By the address that networkd has asked for.
    _, jpeg = guest.wait_jpeg(SECONDS, "/jpg?fresh=1")
    picture = read_picture(jpeg)
    assert (picture.width, picture.height) == (2304, 1296)
    assert guest.run("hostname") == "cam-7"
    guest.wait_for(lambda: "cam-7.local is announced" in guest.log("picam-announce"), SECONDS, "the name")
    for place, kind in (("/", "squashfs"), ("/boot", "vfat"), ("/data", "ext4")):
        assert guest.run(f"findmnt --noheadings --output FSTYPE {place}") == kind


def test_the_camera_is_the_group_videos_and_nothing_else_is_picams(guest):
    for device in CAMERA:
        assert guest.run(f"stat --format='%U %G %a' {device}") == "root video 660", device
        assert guest.run(f"sh -c '{TRY.format(device=device)}'") == "opened", device
    for device in ("/dev/kmsg", "/dev/vda", "/dev/vda7", "/dev/hwrng", "/dev/mem"):
        assert "Operation not permitted" in guest.run(f"sh -c '{TRY.format(device=device)}'", check=False), device
    pid = guest.show("picam", "MainPID")
    status = dict(line.split(":\t", 1) for line in guest.run(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
    assert guest.run(f"id --user --name {status['Uid'].split()[0]}") == "picam"
    assert (status["NoNewPrivs"], status["Seccomp"], status["CapEff"], status["CapBnd"]) == ("1", "2", "0" * 16, "0" * 16)
    assert guest.status()["sandbox"] == {"mode": "on", "files": "enforced", "calls": "enforced"}


def test_a_camera_whose_devices_have_just_appeared_is_opened(guest):
    """udev gives them to the group only a while after picam was started."""
    late = "{ sleep 2; udevadm control --start-exec-queue; }"
    guest.run("systemctl stop picam && rmmod camera_module && udevadm settle && udevadm control --stop-exec-queue", SECONDS)
    guest.run(f"{late} & modprobe camera_module && systemctl start picam", SECONDS)
    guest.wait_jpeg(SECONDS, "/jpg?fresh=1")
    said = guest.run("journalctl --boot --no-pager --output=cat --unit=picam | sed -n '/^Stopped /,$p'")
    assert "Started picam.service" in said and "waiting for it" not in said and "ERROR" not in said, said


def test_a_picam_that_crashes_is_started_again_and_serves(guest):
    before = guest.show("picam", "MainPID")
    guest.run(f"kill -SEGV {before}")
    guest.wait_for(lambda: guest.show("picam", "MainPID") not in ("0", before), SECONDS, "a new picam")
    guest.wait_jpeg(SECONDS, "/jpg?fresh=1")


def test_a_picam_that_hangs_is_started_again_and_serves(guest):
    before = guest.show("picam", "MainPID")
    guest.run(f"kill -STOP {before}")
    guest.wait_for(lambda: guest.show("picam", "MainPID") not in ("0", before), SECONDS, "a new picam")
    guest.wait_jpeg(SECONDS, "/jpg?fresh=1")
    # Whoever notices first: the guard, or systemd.
    assert "killing picam" in guest.log("picam-guard") or "Watchdog timeout" in guest.log("picam")


def test_the_guard_has_the_watchdog_and_writes_the_log_of_the_starts(guest):
    assert (guest.show("picam-guard", "ActiveState"), guest.show("picam-guard", "NRestarts")) == ("active", "0")
    pid = guest.show("picam-guard", "MainPID")
    assert "/dev/watchdog" in guest.run(f"ls -l /proc/{pid}/fd")
    (start,) = guest.wait_status(lambda status: status["starts"] and status["starts"][0]["outcome"] == "serving", SECONDS)["starts"]
    assert (start["number"], start["slot"], start["version"], start["reason"]) == (1, "A", VERSION, "power")
    assert "cannot" not in guest.log("picam-guard"), guest.log("picam-guard")


def test_ssh_lets_the_sites_key_in_and_no_other(guest):
    command = "dbclient -y -y {key} root@127.0.0.1 id -un"
    assert guest.run(command.format(key=f"-i {SSH_KEY}")).splitlines()[-1] == "root"
    guest.run("dropbearkey -t ed25519 -f /run/other-key")
    assert "No auth methods" in guest.run(command.format(key="-i /run/other-key"), check=False)


def test_an_update_is_read_installed_and_tried(guest):
    """By the timer's service, in its capabilities; after this the machine is off."""
    assert guest.run("systemctl is-active picam-update.timer") == "active"
    guest.run(f"systemd-run --unit=server busybox httpd -f -p {SERVER} -h /{SERVED}")
    follow = "printf '[update]\\nurl = \"http://%s/%s.raucb\"\\n' {server} {version} >/data/picam/picam.toml && systemctl {start} picam-update"
    guest.run(follow.format(server=SERVER, version=VERSION, start="start"), SECONDS)
    assert f"{VERSION} runs already" in guest.log("picam-update")
    assert guest.complaints() == ""
    guest.run(follow.format(server=SERVER, version=NEWER, start="--no-block start"), SECONDS)
    guest.wait_for(lambda: not guest.is_running(), SECONDS, "the restart")
    assert "reboot: Restarting system with command '0 tryboot'" in guest.console_end(200)
