"""The plain MJPEG writer: what every peer does, for comparison.

A blocking thread per client writes each frame as soon as the write before has returned. It takes picam's own
parts as a fast client of its /stream, so the very same stamped JPEGs go to its clients.

As a program: `python -m support.plain HOST PORT LISTEN_HOST` prints the port it serves on, then for every frame
the seconds from its first byte's arrival until it is offered to the clients: what this writer is late by only
because it gets its frames from picam.
"""

import socket
import statistics
import subprocess
import sys
import threading
import time

from support import raw
from support.process import PYTHON, TESTS, stop


class PlainWriter:
    """Serves the parts that `publish` is given to every client that connects to `port`."""

    def __init__(self, host="127.0.0.1"):
        self._new = threading.Condition()
        self._number = 0
        self._part = b""
        self.listener = socket.create_server((host, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def publish(self, body, headers):
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        part = b"--frame\r\n" + head.encode() + b"\r\n" + body + b"\r\n"
        with self._new:
            self._part = part
            self._number += 1
            self._new.notify_all()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            try:
                client.recv(65536)
                client.sendall(
                    b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
                    b"Content-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
                )
                number = 0
                while True:
                    with self._new:
                        self._new.wait_for(lambda: self._number > number)
                        number, part = self._number, self._part
                    client.sendall(part)
            except OSError:
                pass  # the client went away


class Plain:
    """A `PlainWriter` in a process of its own, fed by picam; `prefix` as for Picam (`ip netns exec NAME`)."""

    def __init__(self, picam, prefix=()):
        host = picam.host
        command = [*prefix, PYTHON, "-m", "support.plain", host, str(picam.port), host]
        self.process = subprocess.Popen(command, cwd=TESTS, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.host = host
        self.port = int(self.process.stdout.readline() or 0)
        assert self.port, "the plain writer did not start"
        self.url = f"http://{host}:{self.port}"
        self._delays = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._delays.append(float(line))

    def detour(self):
        """Median time in seconds by which this writer's frames are late because they come through picam."""
        return statistics.median(self._delays)

    def stop(self):
        self.process.terminate()
        self._reader.join(5)
        stop(self.process)


def main():
    host, port, listen_host = sys.argv[1:]
    writer = PlainWriter(listen_host)
    with raw.Stream(int(port), host=host) as stream:
        part = stream.next()
        print(writer.port, flush=True)
        while part is not None:
            headers = {"Content-Type": "image/jpeg", "Content-Length": len(part.body)}
            headers |= {"X-Timestamp": part.headers["x-timestamp"], "X-Frame": part.headers["x-frame"]}
            if "x-signal" in part.headers:
                headers["X-Signal"] = part.headers["x-signal"]
            writer.publish(part.body, headers)
            print(f"{time.time() - part.began:.6f}", flush=True)
            part = stream.next()


if __name__ == "__main__":
    main()
