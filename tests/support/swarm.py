"""Many stream clients in one thread: each checks its framing and frame numbers, none keeps a picture."""

import re
import selectors
import time

from support import raw

HEAD = re.compile(
    rb"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: (\d+)\r\n"
    rb"X-Timestamp: (\d+\.\d{6})\r\nX-Frame: (\d+)\r\n\r\n"
)


class Client:
    """One connection. `limit`: bytes per second it reads, None for all there is, 0 for nothing at all."""

    def __init__(self, port, path, limit=None, host="127.0.0.1"):
        self.sock = raw.connect(port, host)
        self.sock.sendall(raw.get(path))
        self.sock.setblocking(False)
        self.limit = limit
        self.status = None
        self.sequences = []  # X-Frame of every complete part
        self.delays = []  # seconds from X-Timestamp to the part's last byte
        self.received = 0
        self.error = None
        self._head = b""
        self._left = 0  # bytes of the current part still to come, its closing CRLF included
        self._part = None

    def lost(self, start=0):
        """Number of frames that were skipped from the frame with index `start` to the last one."""
        sequences = self.sequences[start:]
        return sequences[-1] - sequences[0] + 1 - len(sequences) if sequences else 0

    def feed(self, data):
        """Takes in what was received; raises ValueError at anything that is not a well-formed stream."""
        self.received += len(data)
        while data:
            if self._left:
                used = min(self._left, len(data))
                self._left -= used
                data = data[used:]
                if not self._left:
                    timestamp, sequence = self._part
                    self.sequences.append(sequence)
                    self.delays.append(time.time() - timestamp)
                continue
            known = len(self._head)
            self._head += bytes(data[:1024])
            # Before a boundary, empty lines are padding.
            head = self._head if self.status is None else self._head.lstrip(b"\r\n")
            padding, end = len(self._head) - len(head), head.find(b"\r\n\r\n")
            if end < 0:
                if len(head) > 4096:
                    raise ValueError(f"no head found in {head[:80]!r}")
                self._head, data = head, data[1024:]
                continue
            data = data[padding + end + 4 - known :]
            head, self._head = head[: end + 4], b""
            if self.status is None:
                self.status = raw.parse_head(head[:-4])[0]
                if self.status != 200:
                    raise ValueError(f"answered {self.status}")
                continue
            match = HEAD.fullmatch(head)
            if not match:
                raise ValueError(f"bad part head {head[:120]!r}")
            self._left = int(match[1]) + 2
            self._part = float(match[2]), int(match[3])


class Swarm:
    """Clients that are read together by `run`."""

    def __init__(self):
        self.clients = []

    def add(self, port, count=1, path="/stream", limit=None, host="127.0.0.1"):
        """Connects `count` more clients and returns them."""
        new = [Client(port, path, limit, host) for _ in range(count)]
        self.clients += new
        return new

    def run(self, seconds, each_second=None):
        """Reads for `seconds`; calls `each_second()` about once a second. Errors are kept in `Client.error`."""
        buffer = memoryview(bytearray(1 << 18))
        start = time.monotonic()
        with selectors.DefaultSelector() as selector:
            slow = [client for client in self.clients if client.limit]
            taken = dict.fromkeys(slow, 0)
            for client in self.clients:
                if client.limit is None and not client.error:
                    selector.register(client.sock, selectors.EVENT_READ, client)
            seconds_seen = 0
            while (now := time.monotonic() - start) < seconds:
                if each_second and now >= seconds_seen:
                    seconds_seen += 1
                    each_second()
                for key, _ in selector.select(0.02):
                    if not self._read(key.data, buffer):
                        selector.unregister(key.fileobj)
                for client in slow:
                    allowed = int(now * client.limit) - taken[client]
                    if allowed > 0 and not client.error:
                        before = client.received
                        self._read(client, buffer[: min(allowed, len(buffer))])
                        taken[client] += client.received - before

    @staticmethod
    def _read(client, buffer):
        try:
            count = client.sock.recv_into(buffer)
            if count:
                client.feed(buffer[:count])
            else:
                client.error = "closed by the server"
        except BlockingIOError:
            pass
        except (OSError, ValueError) as error:
            client.error = f"{type(error).__name__}: {error}"
        return not client.error

    def close(self):
        for client in self.clients:
            client.sock.close()
        self.clients = []
