"""What picam, taken over, can make root do: nothing. What an update that cannot be remembered does: nothing. And what is
done to a partition that cannot be mounted."""

import re
import socket
import struct
import subprocess

import pytest
from support.appliance import PATIENCE
from support.overlay import Overlay, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

# The way that an appliance's start goes, without the disk: usr/lib/picam/data from its function for the folders on.
START = """
sed '/^mkdir -p \\$RUN$/,$d' /usr/lib/picam/data >/run/data
printf 'mkdir -p $RUN\\nmake_folders\\ntake_over_site\\n' >>/run/data
sh /run/data
"""


@pytest.fixture
def root(tmp_path):
    with Overlay(tmp_path) as root:
        yield root


def as_picam(root, script):
    return root.shell(f"/usr/bin/setpriv --reuid=900 --regid=900 --clear-groups sh -c '{script}' 2>&1")


def test_root_writes_through_no_link_of_picam(root):
    """As versions up to 0.1.0 left a card: the folder is picam's, with links in it to what opens doors."""
    root.shell("mkdir -p /data/picam /data/site; chmod 700 /data/site; chown 900:900 /data/picam; echo 'the key' >/data/site/authorized_keys")
    for name in ("picam.toml.new", "picam.toml", "state", ".hidden"):
        assert as_picam(root, f"ln -s ../site/authorized_keys /data/picam/{name}") == ""
    root.shell("echo 'rate = 4.0' >/boot/picam.toml")
    assert "took picam.toml over" in root.shell(START)
    assert root.shell("cat /data/site/authorized_keys") == "the key"
    assert root.shell("cat /data/picam/picam.toml") == "rate = 4.0"
    assert root.shell("find /data/picam -type l") == ""
    assert root.shell("stat -c '%u %a %F' /data/picam /data/picam/state") == "0 755 directory\n900 700 directory"


def test_a_file_that_cannot_be_taken_over_is_told(root):
    root.shell("mkdir -p /data/site; echo hall-3 >/boot/hostname; mount -t tmpfs -o ro tmpfs /data/site")
    take = "sed '/^mkdir -p \\$RUN$/,$d' /usr/lib/picam/data >/run/data; echo take_over_site >>/run/data; sh /run/data"
    assert "hostname of the card's first partition cannot be taken over" in root.shell(take)
    assert "hostname of the card's first partition cannot be taken over" in root.events()


def test_what_was_saved_stays_and_picam_can_save(root):
    root.shell("mkdir -p /data/picam/state; chown -R 900:900 /data/picam; echo '[jpeg]' >/data/picam/picam.toml; chown 900 /data/picam/picam.toml")
    assert as_picam(root, "echo kept >/data/picam/state/controls.toml") == ""
    root.shell(START)
    assert root.shell("cat /data/picam/picam.toml; cat /data/picam/state/controls.toml") == "[jpeg]\nkept"
    assert root.shell("stat -c %u /data/picam/picam.toml") == "0"
    assert as_picam(root, "echo new >/data/picam/state/new && mv /data/picam/state/new /data/picam/state/controls.toml && echo ok") == "ok"
    for wish in ("echo x >/data/picam/picam.toml", "rm /data/picam/picam.toml", "mv /data/picam/state /data/picam/other", "ln -s /etc /data/picam/x"):
        assert re.search("denied|not permitted", as_picam(root, wish)), wish


def test_nothing_is_armed_that_cannot_be_remembered(root):
    root.shell("mkdir -p /data/update /run/picam; mount -t tmpfs -o ro tmpfs /data/update")
    output = root.shell("/usr/lib/picam/rauc-backend set-primary B; echo code $?")
    assert "trying cannot be written" in output and "code 1" in output and root.shell("ls /run/picam/armed 2>/dev/null") == ""
    root.shell("umount /data/update")
    assert root.shell("/usr/lib/picam/rauc-backend set-primary B; echo code $?; cat /run/picam/armed /data/update/staged") == "code 0\nB\nB"


# The card's last partition is a file, in a /dev of the root's own. No ext4 can be mounted, for whatever reason; the folder
# that memory is mounted on says so.
MOUNT = """
mount -t tmpfs tmpfs /dev
mknod /dev/null c 1 3
mkdir /dev/picam
mv /events/partition /dev/picam/data 2>/dev/null
mkdir -p /run/stand-ins
ln -s /usr/sbin/e2fsck /usr/sbin/mkfs.ext4 /run/stand-ins
printf '#!/bin/sh\\ncase "$*" in *ext4*) exit 255 ;; *) exec /programs/mount "$@" ;; esac\\n' >/run/stand-ins/mount
chmod +x /run/stand-ins/mount
sed '/^mkdir -p \\$RUN$/,$d' /usr/lib/picam/data >/run/data
echo mount_data >>/run/data
PATH=/run/stand-ins:$PATH sh /run/data
grep -q '^tmpfs /data tmpfs ' /proc/mounts && echo "in memory"
"""


@pytest.fixture
def partition(root):
    """A file system with a site's files, still outside of /dev."""
    site = root.folder / "site"
    site.mkdir()
    (site / "authorized_keys").write_text("the key")
    path = root.folder / "events/partition"
    subprocess.run(["/usr/sbin/mke2fs", "-q", "-t", "ext4", "-b", "1024", "-d", site, path, "16M"], check=True)
    return path


def kept(root):
    return root.shell("/usr/sbin/debugfs -R 'cat authorized_keys' /dev/picam/data 2>/dev/null")


def test_a_partition_that_cannot_be_mounted_keeps_the_keys(root, partition):
    told = root.shell(MOUNT)
    assert "left as it is: settings live in memory" in told and told.endswith("in memory")
    assert kept(root) == "the key"


def test_a_damaged_superblock_is_mended_and_not_made_anew(root, partition):
    with partition.open("r+b") as file:
        file.seek(1024)
        file.write(bytes(1024))  # there is another one at the beginning of each group of blocks
    assert "left as it is" in root.shell(MOUNT)
    assert kept(root) == "the key"


def test_only_an_empty_partition_is_made_a_file_system(root):
    with (root.folder / "events/partition").open("wb") as file:
        file.truncate(8 << 20)
    assert "has no file system: making it" in root.shell(MOUNT)
    assert "has_journal" in root.shell("/usr/sbin/dumpe2fs -h /dev/picam/data 2>&1")


def test_a_partition_that_cannot_be_read_is_left_alone(root):
    told = root.shell(MOUNT)
    assert "making it" not in told and told.endswith("in memory")
    assert root.shell("ls /dev/picam") == ""


# A kernel that mounts no FAT here: one is mounted that fsck.fat finds nothing wrong with.
MOUNT_BOOT = """
mount -t tmpfs tmpfs /dev
mknod /dev/null c 1 3
mkdir -p /dev/picam /run/stand-ins
mv /events/first /dev/picam/autoboot
printf '#!/bin/sh\\n/usr/sbin/fsck.fat -n /dev/picam/autoboot >/dev/null || { echo "bad superblock" >&2; exit 255; }\\n' >/run/stand-ins/mount
chmod +x /run/stand-ins/mount
sed '/^mkdir -p \\$RUN$/,$d' /usr/lib/picam/data >/run/data
echo mount_boot >>/run/data
PATH=/run/stand-ins:$PATH:/usr/sbin sh /run/data
"""


def first_partition(root, damage):
    path = root.folder / "events/first"
    path.write_bytes(bytes(32 << 20))
    subprocess.run(["/usr/sbin/mkfs.fat", "-F", "16", path], check=True, capture_output=True)
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(content)
    return root.shell(MOUNT_BOOT)


def test_a_first_partition_that_is_whole_is_mounted(root):
    assert first_partition(root, lambda content: None) == ""


def test_a_first_partition_that_cannot_be_mounted_is_mended(root):
    def damage(content):
        sectors = int.from_bytes(content[14:16], "little")
        content[sectors * 512 : sectors * 512 + 4] = bytes(4)  # how the first allocation table begins

    told = first_partition(root, damage)
    assert "bad superblock" in told and "is checked" in told and "cannot be mounted" not in told


def test_a_first_partition_that_cannot_be_mended_stops_nothing(root):
    told = first_partition(root, lambda content: content.__setitem__(slice(0, 512), bytes(512)))
    assert "is checked" in told and told.endswith("cannot be mounted: updates cannot be committed")


# What RAUC installs: everybody may send to it. A program of root's takes RAUC's place on the bus.
RAUC_POLICY = """<busconfig>
  <policy context="default"><allow send_destination="de.pengutronix.rauc"/></policy>
  <policy user="root"><allow own="de.pengutronix.rauc"/></policy>
</busconfig>
"""
CALL = "dbus-send --system --print-reply --dest=de.pengutronix.rauc / de.pengutronix.rauc.Installer.Mark string:active string:other"


BUS = "org.freedesktop.DBus"


def bus_call(serial, member, signature="", body=b""):
    """The bytes of a method call to the bus itself, little-endian."""
    fields = b""
    for code, kind, text in ((1, "o", "/org/freedesktop/DBus"), (2, "s", BUS), (6, "s", BUS), (3, "s", member), (8, "g", signature)):
        if text:
            fields += b"\0" * (-len(fields) % 8) + bytes([code, 1]) + kind.encode() + b"\0"
            length = bytes([len(text)]) if kind == "g" else struct.pack("<I", len(text))
            fields += length + text.encode() + b"\0"
    head = struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body), serial, len(fields)) + fields
    return head + b"\0" * (-len(head) % 8) + body


def own_name(path, name):
    """A connection to the bus, as root, that owns `name` and answers nobody; it must be held."""
    bus = socket.socket(socket.AF_UNIX)
    bus.settimeout(PATIENCE)
    bus.connect(path)
    bus.sendall(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n")  # "0", root's number, in hexadecimal
    assert bus.recv(100).startswith(b"OK ")
    body = struct.pack("<I", len(name)) + name.encode() + b"\0"
    body += b"\0" * (-len(body) % 4) + struct.pack("<I", 0)
    bus.sendall(bus_call(1, "Hello") + bus_call(2, "RequestName", "su", body))
    return bus


def test_only_root_commands_rauc(tmp_path):
    policy = {"usr/share/dbus-1/system.d/de.pengutronix.rauc.conf": (RAUC_POLICY, 0o644)}
    with Overlay(tmp_path, files=policy) as root:
        root.shell("mkdir -p /run/dbus; dbus-daemon --system --fork --nopidfile")
        asks = "dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:de.pengutronix.rauc"
        with own_name(f"/proc/{root.pid}/root/run/dbus/system_bus_socket", "de.pengutronix.rauc"):
            root.wait(lambda: "boolean true" in root.shell(asks), "a RAUC on the bus")
            for user in ("900", "65534"):
                told = root.shell(f"/usr/bin/setpriv --reuid={user} --regid={user} --clear-groups {CALL} 2>&1")
                assert "AccessDenied" in told, told
            # Root's call is delivered: nobody answers it here.
            assert "AccessDenied" not in root.shell(f"timeout 2 {CALL} 2>&1")
