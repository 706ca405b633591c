"""A network cable between a client and picam, which can be pulled: then nothing comes through, and no end either."""

import contextlib
import select
import socket
import threading
import time


class Cable:
    """Passes every connection to `port` on to `target`, as long as it is in; at most `rate` bytes a second to the client."""

    def __init__(self, target):
        self.target = target
        self.rate = None
        self._in = threading.Event()
        self._in.set()
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def pull(self):
        self._in.clear()

    def mend(self):
        self._in.set()

    def close(self):
        self._ended.set()
        self._in.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self):
        while not self._ended.is_set():
            try:
                client = self._listener.accept()[0]
            except OSError:  # closed
                return
            thread = threading.Thread(target=self._carry, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, client):
        """One connection, both ways, until one of its sides ends."""
        with contextlib.ExitStack() as sockets:
            sockets.enter_context(client)
            self._in.wait()
            try:
                server = sockets.enter_context(socket.create_connection(("127.0.0.1", self.target), timeout=5))
            except OSError:  # nobody listens: the client sees its connection end
                return
            # What is under way in between is to be little: a slow link must be felt by the server.
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 15)
            other = {client: server, server: client}
            while not self._ended.is_set():
                readable = select.select(list(other), [], [], 0.1)[0]
                self._in.wait()
                for sock in readable:
                    try:
                        data = sock.recv(1 << 13)
                        if not data:
                            return
                        other[sock].sendall(data)
                    except OSError:
                        return
                    if self.rate and sock is server:
                        time.sleep(len(data) / self.rate)
