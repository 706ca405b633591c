"""What picam, taken over, can make root do: nothing. And what an update that cannot be remembered does: nothing."""

import re
import socket
import struct

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
    assert "staged cannot be written" in output and "code 1" in output and root.shell("ls /run/picam") == ""
    root.shell("umount /data/update")
    assert root.shell("/usr/lib/picam/rauc-backend set-primary B; echo code $?; cat /run/picam/armed /data/update/staged") == "code 0\nB\nB"


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
