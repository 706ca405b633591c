"""Many stream clients in one thread: each checks its framing and frame numbers, none keeps a picture."""

import re
import selectors
import time

from support import raw

HEAD = re.compile(
    rb"Content-Type: image/jpeg\r\nContent-Length: (\d+)\r\nX-Timestamp: (\d+\.\d{6})\r\nX-Frame: (\d+)\r\n(?:X-Signal: lost\r\n)?\r\n"
)
END = b"\r\n\r\n--frame--\r\n"  # an empty part, and the closing boundary


class Client:
    """One connection. `limit`: bytes per second it reads, None for all there is, 0 for nothing at all."""

    def __init__(self, port, path, limit=None, host="127.0.0.1", source=None):
        self.sock = raw.connect(port, host, source=source)
        self.sock.sendall(raw.get(path))
        self.sock.setblocking(False)
        self.limit = limit
        self.status = None
        self.sequences = []  # X-Frame of every complete part
        self.delays = []  # seconds from X-Timestamp until the boundary behind the part has come
        self.probes = 0
        self.received = 0
        self.error = None
        self._text = b""  # what came after the last picture and is not understood yet
        self._left = 0  # bytes of the current picture still to come
        self._part = None  # time and number of the current picture
        self._boundary = b"--frame\r\n"  # what must come before the next part's header; None once it has

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
                continue
            text, data = self._text + bytes(data[:1024]), data[1024:]
            while text:
                used = min(self._left, len(text))
                self._left -= used
                used = used or self._understand(text)
                if not used:
                    break
                text = text[used:]
            if len(text) > 4096:
                raise ValueError(f"no head found in {text[:80]!r}")
            self._text = text

    def _understand(self, text):
        """Number of bytes at the beginning of `text` that are taken in, 0 if that takes more than there is."""
        if self.status is None:
            end = text.find(b"\r\n\r\n")
            if end >= 0:
                self.status = raw.parse_head(text[:end])[0]
                if self.status != 200:
                    raise ValueError(f"answered {self.status}")
            return end + 4 if end >= 0 else 0
        if self._boundary:
            if not text.startswith(self._boundary[: len(text)]):
                raise ValueError(f"no boundary but {text[:80]!r}")
            if len(text) < len(self._boundary):
                return 0
            if self._part:
                timestamp, sequence = self._part
                self.sequences.append(sequence)
                self.delays.append(time.time() - timestamp)
            used, self._boundary = len(self._boundary), None
            return used
        if text.startswith(raw.PROBE):
            self.probes += 1
            return len(raw.PROBE)
        if text.startswith(END[: len(text)]):
            if len(text) > len(END):
                raise ValueError("bytes after the closing boundary")
            return 0
        end = text.find(b"\r\n\r\n") + 4
        if end < 4:
            return 0
        match = HEAD.fullmatch(text, 0, end)
        if not match:
            raise ValueError(f"bad part head {text[:120]!r}")
        self._left = int(match[1])
        self._part = float(match[2]), int(match[3])
        self._boundary = raw.NEXT_PART
        return end


class Swarm:
    """Clients that are read together by `run`."""

    def __init__(self):
        self.clients = []

    def add(self, port, count=1, path="/stream", limit=None, host="127.0.0.1", source=None):
        """Connects `count` more clients and returns them."""
        new = [Client(port, path, limit, host, source) for _ in range(count)]
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
