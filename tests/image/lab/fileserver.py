"""A static file server with Range requests, as RAUC's streaming needs, on the loopback address only."""

import http.server
import re
import threading
from pathlib import Path

# Under this address qemu's user network shows the guest the host's loopback.
HOST_SEEN_FROM_GUEST = "10.0.2.2"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, body):
        path = Path(self.server.folder) / Path(self.path.split("?")[0]).name
        if not path.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), min(int(asked[2] or size), size - 1)) if asked else (0, size - 1)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        if body:
            with path.open("rb") as file:
                file.seek(first)
                try:
                    self.wfile.write(file.read(last - first + 1))
                except OSError:
                    pass  # the guest lost its power

    def log_message(self, *_):
        self.server.requests += 1


class FileServer:
    """Serves the files of one folder, without its subfolders. Use as a context manager."""

    def __init__(self, folder):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.folder, self._server.requests = folder, 0

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @property
    def requests(self):
        """How many were answered."""
        return self._server.requests

    def url(self, name=""):
        """The URL of a file as the guest sees it."""
        return f"http://{HOST_SEEN_FROM_GUEST}:{self._server.server_port}/{name}"
