"""Neighbours on the network who want everything: each is one address, and a thread of its own.

picam takes 127.0.0.1 for its own machine and every other address for a neighbour, 127.0.0.2 too.
"""

import collections
import contextlib
import selectors
import socket
import threading
import time

from support import raw

ATTACKER = "127.0.0.2"
HONEST = "127.0.0.3"


class Attack(threading.Thread):
    """Context manager: attacks until its end. `opened`: connections so far; `answers`: how many answers of each status."""

    def __init__(self, port, source=ATTACKER):
        super().__init__(daemon=True)
        self.port, self.source = port, source
        self.opened, self.answers = 0, collections.Counter()
        self._end = threading.Event()
        self._more = threading.Condition()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join()

    def wait_answers(self, status, count=1, timeout=60.0):
        """Waits until this many answers had this status."""
        with self._more:
            assert self._more.wait_for(lambda: self.answers[status] >= count, timeout), self.answers

    def saw(self, head):
        with self._more:
            with contextlib.suppress(ValueError, IndexError):
                self.answers[int(head.split(b" ", 2)[1])] += 1
            self._more.notify_all()


class Exhaust(Attack):
    """Takes every connection that it can get: streams that get a frame in a quarter of an hour, and requests that never
    become whole; each is opened again once it is refused or cut."""

    STREAMS, UNFINISHED = 224, 90
    # New ones within a twentieth of a second.
    BURST = 24

    def run(self):
        requests = {raw.get("/stream?fps=0.001"): self.STREAMS, b"GET /jp": self.UNFINISHED}
        with selectors.DefaultSelector() as selector:
            open_ = {}
            while not self._end.is_set():
                count, burst = collections.Counter(open_.values()), self.BURST
                for request, most in requests.items():
                    for _ in range(min(burst, most - count[request])):
                        burst -= 1
                        self._open(selector, open_, request)
                for key, _ in selector.select(0.05):
                    self._read(selector, open_, key.fileobj)
            for sock in open_:
                sock.close()

    def _open(self, selector, open_, request):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(5)
        try:
            sock.bind((self.source, 0))
            sock.connect(("127.0.0.1", self.port))
            sock.sendall(request)
        except OSError:
            return sock.close()
        sock.setblocking(False)
        open_[sock] = request
        selector.register(sock, selectors.EVENT_READ)
        self.opened += 1

    def _read(self, selector, open_, sock):
        try:
            data = sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data.startswith(b"HTTP/1.1 "):
            self.saw(data)
        if not data:
            selector.unregister(sock)
            sock.close()
            del open_[sock]


class Flood(Attack):
    """Asks for `path` as fast as it is answered, from `count` connections at a time."""

    def __init__(self, port, path, count=30, source=ATTACKER):
        super().__init__(port, source)
        self.path, self.count = path, count

    def run(self):
        helpers = [threading.Thread(target=self._ask, daemon=True) for _ in range(self.count)]
        for helper in helpers:
            helper.start()
        for helper in helpers:
            helper.join()

    def _ask(self):
        while not self._end.is_set():
            try:
                answer = raw.exchange(self.port, raw.get(self.path), 5.0, source=self.source)
                self.saw(f"HTTP/1.1 {answer.status} ".encode())
                self.opened += 1
            except (OSError, AssertionError):  # refused, or reset within the answer: once more
                time.sleep(0.01)
