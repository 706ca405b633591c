"""A WiFi-like link between two network namespaces of the test's own.

Two TUN devices and a queue in user space stand for the air: a fixed delay and a bit rate in each direction, 256
packets of queue, tail drop (netem is not in every kernel). The server's end is 10.77.0.1, the client's 10.77.0.2.
Needs root and /dev/net/tun. Nothing else on the machine sees the link: both ends are namespaces made here.
"""

import fcntl
import heapq
import os
import select
import struct
import subprocess
import sys
import time

from support.process import PYTHON, TESTS, stop

SERVER, CLIENT = "10.77.0.1", "10.77.0.2"
DEVICES = "pctest0", "pctest1"
QUEUE_PACKETS = 256
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_TAP, IFF_NO_PI = 0x0001, 0x0002, 0x1000


def unavailable():
    """Why no link can be made here, or None."""
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    return None


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _tun(name, kind):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), kind | IFF_NO_PI))
    return device


class Link:
    """Context manager; `server` and `client` are command prefixes that run a program at that end."""

    def __init__(self, delay, rate, ethernet=False):
        """delay: seconds each way; rate: bits per second each way; ethernet: a link with multicast, like a LAN's."""
        self.kind = IFF_TAP if ethernet else IFF_TUN
        self.parameters = [str(delay), str(rate)]
        self.names = [f"picam{os.getpid()}s", f"picam{os.getpid()}c"]
        self.server, self.client = (["ip", "netns", "exec", name] for name in self.names)
        self.process = None

    def __enter__(self):
        devices = []
        try:
            for name, address, tun in zip(self.names, (SERVER, CLIENT), DEVICES):
                _ip("netns", "add", name)
                devices.append(_tun(tun, self.kind))
                _ip("link", "set", tun, "netns", name)
                _ip("-n", name, "link", "set", "lo", "up")
                _ip("-n", name, "address", "add", f"{address}/24", "dev", tun)
                _ip("-n", name, "link", "set", tun, "up")
            command = [PYTHON, "-m", "support.wifi_link", *map(str, devices), *self.parameters]
            self.process = subprocess.Popen(command, cwd=TESTS, stdin=subprocess.DEVNULL, pass_fds=devices)
        except BaseException:
            self.__exit__()
            raise
        finally:
            for device in devices:
                os.close(device)
        return self

    def __exit__(self, *_):
        if self.process:
            stop(self.process)
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def carry(one, other, delay, rate):
    """Carries packets between two TUN devices as long as its parent lives. delay: seconds; rate: bytes per second."""
    peer = {one: other, other: one}
    free = dict.fromkeys(peer, 0.0)  # when the transmitter of this direction is done with its queue
    waiting = dict.fromkeys(peer, 0)  # packets in this direction's queue
    air, number = [], 0
    parent = os.getppid()
    while os.getppid() == parent:
        pause = max(0.0, air[0][0] - time.monotonic()) if air else 1.0
        for device in select.select([one, other], [], [], pause)[0]:
            for _ in range(64):
                try:
                    packet = os.read(device, 2048)
                except BlockingIOError:
                    break
                if waiting[device] >= QUEUE_PACKETS:
                    continue
                free[device] = max(free[device], time.monotonic()) + len(packet) / rate
                waiting[device] += 1
                number += 1
                heapq.heappush(air, (free[device] + delay, number, device, packet))
        now = time.monotonic()
        while air and air[0][0] <= now:
            _, _, device, packet = heapq.heappop(air)
            waiting[device] -= 1
            try:
                os.write(peer[device], packet)
            except OSError:
                pass  # the other end is full or going down: a lost packet


if __name__ == "__main__":
    carry(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]) / 8)
