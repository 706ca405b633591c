"""The reset to what the card was flashed with, as usr/lib/picam/data makes it at a start: /data is wiped, wherever the power
goes meanwhile, and nothing else of the card is touched."""

import subprocess
from pathlib import Path

import pytest
from support.overlay import Overlay, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

MIB = 1 << 20
SECRET = b"the key of the hall"
# The card's last partition is a file, in a /dev of the root's own. Mounted is what is in its file system, in memory.
PREPARE = """
mount -t tmpfs tmpfs /dev
mknod /dev/null c 1 3
mknod /dev/zero c 1 5
mkdir /dev/picam
mv /events/partition /dev/picam/data
mkdir -p /run/stand-ins
ln -s /usr/sbin/e2fsck /usr/sbin/mkfs.ext4 /run/stand-ins
cat >/run/stand-ins/mount <<'END'
#!/bin/sh
case "$*" in
*ext4*)
    /usr/sbin/dumpe2fs -h /dev/picam/data >/dev/null 2>&1 || exit 255
    /programs/mount -t tmpfs tmpfs /data && /usr/sbin/debugfs -R "rdump / /data" /dev/picam/data >/dev/null 2>&1
    ;;
*) exec /programs/mount "$@" ;;
esac
END
chmod +x /run/stand-ins/mount
sed '/^mkdir -p \\$RUN$/,$d' /usr/lib/picam/data >/run/data
echo mount_data >>/run/data
"""
MOUNT = "PATH=/run/stand-ins:$PATH sh /run/data; umount /data 2>/dev/null; :"


@pytest.fixture
def root(tmp_path):
    """What a site has left in /data, 16 MiB, and a request to wipe it."""
    with Overlay(tmp_path, {"data": {"WIPE_STEP": 4}}) as root:
        site = tmp_path / "content"
        (site / "site").mkdir(parents=True)
        (site / "update").mkdir()
        (site / "site/authorized_keys").write_bytes(SECRET)
        (site / "site/pictures").write_bytes(SECRET * (5 * MIB // len(SECRET)))
        (site / "update/reset").touch()
        partition = tmp_path / "events/partition"
        subprocess.run(["/usr/sbin/mke2fs", "-q", "-t", "ext4", "-d", site, partition, "16M"], check=True)
        with partition.open("r+b") as file:
            file.seek(15 * MIB)
            file.write(SECRET)  # of a file that was deleted long ago
        size = tmp_path / "sys/class/block/data/size"
        size.parent.mkdir(parents=True)
        size.write_text(f"{16 * MIB // 512}\n")
        root.shell(PREPARE)
        yield root


def partition(root):
    return Path(f"/proc/{root.pid}/root/dev/picam/data").read_bytes()


def assert_reset(root):
    content = partition(root)
    assert len(content) == 16 * MIB and SECRET not in content and b"picam: wiped" not in content
    assert root.shell("/usr/sbin/e2fsck -fn /dev/picam/data >/dev/null 2>&1; echo $?") == "0"


def test_data_is_wiped_and_made_anew(root):
    assert SECRET in partition(root)
    told = root.shell("PATH=/run/stand-ins:$PATH sh /run/data; ls /data /data/update; cat /data/update/ended")
    assert told == "data: factory reset: wiping /data from 0 to 16 MiB\n/data:\nlost+found\nupdate\n\n/data/update:\nended\nfactory-reset"
    assert_reset(root)


def test_the_power_may_go_meanwhile(root):
    """At each of the moments at which something is known to be on the card: it goes on there."""
    before = -1
    for moment in range(1, 30):
        root.shell(f"echo {moment} >/run/moment")
        stand_in = "echo $(($(cat /run/moment) - 1)) >/run/moment; [ $(cat /run/moment) != 0 ] || kill -9 $PPID"
        root.shell(f"printf '#!/bin/sh\\n%s\\n' '{stand_in}' >/run/stand-ins/sync; chmod +x /run/stand-ins/sync")
        told = root.shell(MOUNT)
        at = int(told.partition("wiping /data from ")[2].split()[0])
        assert at >= before, told
        before = at
        if b"picam: wiped" not in partition(root)[:64]:
            break
    assert before > 4, "it went on where it was"
    root.shell(f"rm /run/stand-ins/sync; {MOUNT}")
    assert_reset(root)


def test_what_cannot_be_measured_is_left_alone(root):
    (root.folder / "sys/class/block/data/size").unlink()
    told = root.shell(MOUNT)
    assert "the size of /data cannot be read, nothing is wiped" in told and "left as it is" in told
    assert SECRET in partition(root)


def test_what_nobody_asked_to_wipe_is_kept(root):
    root.shell("/usr/sbin/debugfs -w -R 'rm /update/reset' /dev/picam/data")
    assert "factory reset" not in root.shell(MOUNT)
    assert SECRET in partition(root)
