"""Machines on a LAN of the test's own that speak mDNS: picam-announce, avahi, and who looks for services."""

import json
import random
import socket
import subprocess
import sys
import time

from support.appliance import BINARY, PATIENCE, toml
from support.output import started
from support.process import PYTHON, TESTS, stop
from support.unpacked import UNPACKED, libraries

ANNOUNCE = BINARY.with_name("picam-announce")
SERVICE = "_http._tcp.local."
# avahi looks its user up, which is not here, and makes a folder for its socket.
_AVAHI = """
set -e
for name in passwd group; do mount --bind {folder}/$name /etc/$name; done
mkdir -p /run/avahi-daemon
mount -t tmpfs tmpfs /run/avahi-daemon
exec {program} --no-drop-root --no-chroot --no-rlimits --file={folder}/avahi.conf
"""


class _Program:
    """Context manager: a program in the network of `prefix`, as a machine of that name."""

    def __init__(self, prefix, host, command, **environment):
        named = ["unshare", "--uts", "--mount", "sh", "-c", f'hostname {host}; exec "$@"', "sh"]
        self.process, self.output = started([*prefix, *named, *command], TESTS, environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def wait(self, pattern):
        return self.output.wait(pattern, PATIENCE)

    def end(self):
        """Asks it to end; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(PATIENCE)
        self.output.end()
        stop(self.process)
        return code


class Announce(_Program):
    """picam-announce of a machine called `host`, for a picam with these keys of [server]."""

    def __init__(self, prefix, folder, host, **server):
        config = folder / f"{host}.toml"
        config.write_text(toml({"server": {"listen": "0.0.0.0:8000", **server}}))
        super().__init__(prefix, host, [ANNOUNCE, "--config", config])


class Avahi(_Program):
    """Debian's avahi, unpacked by tests/setup.sh, on a machine called `host`."""

    def __init__(self, prefix, folder, host):
        for name, line in (("passwd", "avahi:x:65533:65533::/:/bin/false\n"), ("group", "avahi:x:65533:\n")):
            with open(f"/etc/{name}") as text:
                (folder / name).write_text(text.read() + line)
        (folder / "avahi.conf").write_text(f"[server]\nhost-name={host}\nenable-dbus=no\nuse-ipv4=yes\nuse-ipv6=yes\n")
        script = _AVAHI.format(folder=folder, program=UNPACKED / "sbin/avahi-daemon")
        super().__init__(prefix, host, ["sh", "-c", script], **libraries())

    def __enter__(self):
        self.wait("Server startup complete")
        return self


class Looker(_Program):
    """Lists services of the LAN as they come and go."""

    def __init__(self, prefix):
        super().__init__(prefix, "looker", [PYTHON, "-m", "support.mdns"])

    def wait_found(self, name):
        """What the service called `name` says of itself: server, addresses, port, properties."""
        return json.loads(self.wait(rf"^found {name}\.{SERVICE}: (.*)")[1])

    def wait_gone(self, name):
        self.wait(rf"^gone {name}\.{SERVICE}")


def look():
    """Prints each service that appears, with what it says of itself, and each that goes, until it is ended."""
    from zeroconf import ServiceBrowser, ServiceListener, Zeroconf

    class Listener(ServiceListener):
        def add_service(self, zeroconf, kind, name):
            # An address may come later than the name.
            while not ((info := zeroconf.get_service_info(kind, name, 3000)) and info.parsed_addresses()):
                pass
            properties = {key.decode(): value.decode() for key, value in info.properties.items()}
            told = {"server": info.server, "addresses": info.parsed_addresses(), "port": info.port, "properties": properties}
            print(f"found {name}: {json.dumps(told)}", flush=True)

        def remove_service(self, zeroconf, kind, name):
            print(f"gone {name}", flush=True)

        def update_service(self, zeroconf, kind, name):
            pass

    browser = ServiceBrowser(Zeroconf(), SERVICE, Listener())
    while browser:
        time.sleep(60)


def throw_rubbish(prefix, address):
    """Sends some thousand packets to mDNS at that address."""
    subprocess.run([*prefix, PYTHON, "-m", "support.mdns", address], cwd=TESTS, check=True, timeout=PATIENCE)


def _throw(address):
    from zeroconf import DNSOutgoing, DNSPointer, DNSService, DNSText

    answer = DNSOutgoing(0x8400)
    name = f"other.{SERVICE}"
    for record in (DNSPointer(SERVICE, 12, 1, 4500, name), DNSService(name, 33, 1, 120, 0, 0, 80, "other.local."), DNSText(name, 16, 1, 4500, b"\x03a=b")):
        answer.add_answer_at_time(record, 0)
    real = answer.packets()[0]
    chance = random.Random(5353)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(3000):
            packet = bytearray(real if number % 3 else chance.randbytes(chance.randrange(200)))
            if number % 3 == 1:
                del packet[chance.randrange(len(packet)) :]
            elif number % 3 == 2:
                packet[chance.randrange(len(packet))] = chance.randrange(256)
            sender.sendto(packet, (address, 5353))


if __name__ == "__main__":
    _throw(sys.argv[1]) if sys.argv[1:] else look()
