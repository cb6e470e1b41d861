"""Whoever a node posts documents to: an HTTP server of the host, which the machine reaches at 10.0.2.2."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from image.qemu import HOST_ADDRESS


class Listener(http.server.ThreadingHTTPServer):
    """Keeps what is posted, in order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.posted: list[tuple[str, Mapping[str, Any]]] = []

    def url(self, path: str) -> str:
        """Name a place as the machine does."""
        return f"http://{HOST_ADDRESS}:{self.server_port}{path}"

    def got(self, path: str) -> list[Mapping[str, Any]]:
        """Return the documents that came to a place."""
        return [document for place, document in self.posted if place == path]


class Handler(http.server.BaseHTTPRequestHandler):
    """Takes a document."""

    def do_POST(self) -> None:
        """Keep it."""
        assert isinstance(self.server, Listener)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.path, json.loads(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    """Listen until the end."""
    with Listener() as listener:
        thread = threading.Thread(target=listener.serve_forever, daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            listener.shutdown()
            thread.join()
