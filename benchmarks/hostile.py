"""Means of an attacker: a web site that stalls its clients, and images that decode to far more than their files."""

import contextlib
import http.server
import io
import threading
from collections.abc import Iterator
from functools import cache

from PIL import Image


class _Handler(http.server.BaseHTTPRequestHandler):
    server: "Site"

    def do_GET(self) -> None:
        with contextlib.suppress(OSError):  # the client has given up
            if self.path == "/drip":
                self._drip()
            elif self.path == "/headers":
                self._drip_headers()
            elif self.path == "/endless":
                self.send_response(200)
                self.end_headers()
                while not self.server.closing.is_set():
                    self.wfile.write(bytes(65536))
                    self.server.sent += 65536
            elif self.path in self.server.redirects:
                self.send_response(302)
                self.send_header("Location", self.server.redirects[self.path])
                self.end_headers()
            elif self.path in self.server.pages:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(self.server.pages[self.path])
            else:
                self.send_error(404)

    def _drip(self) -> None:
        """Send a byte now and then, forever."""
        self.send_response(200)
        self.end_headers()
        self._bytes_for_ever()

    def _drip_headers(self) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
        self._bytes_for_ever()

    def _bytes_for_ever(self) -> None:
        while not self.server.closing.wait(0.3):
            self.wfile.write(b"a")
            self.wfile.flush()
            self.server.dripping[self.path].set()

    def log_message(self, *args) -> None:
        pass


class Site(http.server.ThreadingHTTPServer):
    """Serves `/drip` and `/headers`, which never end, `/endless`, which is never read, `redirects` and `pages`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.closing = threading.Event()
        self.dripping = {path: threading.Event() for path in ("/drip", "/headers")}
        self.sent = 0
        self.redirects = {"/file": "file:///etc/hostname", "/loop": "/loop"}
        self.pages: dict[str, bytes] = {}

    def handle_error(self, request, client_address) -> None:
        pass  # clients disconnect


@contextlib.contextmanager
def site() -> Iterator[Site]:
    server = Site()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def encoded(picture: Image.Image, kind: str = "png") -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind)
    return stream.getvalue()


@cache
def bomb() -> bytes:
    """A picture of 13,000 x 13,000 in 20 KB."""
    return encoded(Image.new("1", (13_000, 13_000)))


@cache
def large() -> bytes:
    """About as large as is accepted."""
    return encoded(Image.new("L", (7_000, 7_000)))
