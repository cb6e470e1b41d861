"""One file to fetch over HTTP for a few minutes, by a name that nobody can guess."""

import contextlib
import hmac
import ipaddress
import logging
import os
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Protocol

from nodelib.errors import Code, VirtnodeError

logger = logging.getLogger(__name__)

LIFETIME = 600.0
MOST_DOWNLOADS = 3
MOST_AT_ONCE = 8
"""Connections; whoever comes beyond them is sent away."""
PATIENCE = 30.0
"""Seconds that the other end may be silent."""
MOST_ADDRESSES = 16
CHUNK = 64 << 10
POLL = 0.2


class Port(Protocol):
    """Lets a port in: `nodeagent.firewall_port.FirewallPort`."""

    def open(self, port: int, seconds: int) -> None:
        """Let it in for some seconds."""

    def close(self) -> None:
        """Let nothing in any more."""


@dataclass
class Offer:
    """A file that may be fetched, which has no name on the disk any more."""

    handle: int
    size: int
    name: str
    path: str
    ended: threading.Event = field(default_factory=threading.Event)
    complete: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MOST_AT_ONCE))

    def open(self) -> int | None:
        """Open the file once more; None after the end."""
        with self.lock:
            return None if self.ended.is_set() else os.dup(self.handle)

    def count(self) -> None:
        """Note that it was fetched to its end."""
        with self.lock:
            self.complete += 1
            if self.complete >= MOST_DOWNLOADS:
                self.ended.set()


class Downloads:
    """Offers one file at a time; the next takes the place of the one before."""

    def __init__(
        self,
        port: Port,
        *,
        lifetime: float = LIFETIME,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._port = port
        self._lifetime = lifetime
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._offer: Offer | None = None
        self._thread: threading.Thread | None = None

    def offer(self, file: Path, addresses: Sequence[str]) -> tuple[str, float]:
        """Offer a file at the node's addresses; returns the URL at the first, and how long it works.

        The file may be removed meanwhile. Raises VirtnodeError (unavailable) where no address can be used.
        """
        with self._lock:
            self._end()
            name = file.name
            path = f"/{secrets.token_hex(16)}/{name}"
            handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
            offer = Offer(handle, os.fstat(handle).st_size, name, path)
            servers: list[_Server] = []
            try:
                servers += _listen(offer, addresses)
                port = servers[0].server_address[1]
                self._port.open(int(port), int(self._lifetime))
            except BaseException:
                for server in servers:
                    server.server_close()
                os.close(handle)
                raise
            self._offer = offer
            self._thread = threading.Thread(
                target=self._serve, args=(offer, servers), name="downloads", daemon=True
            )
            self._thread.start()
            host = str(servers[0].server_address[0])
            logger.info("an archive may be fetched at port %d for %d s", port, self._lifetime)
            return f"http://{f'[{host}]' if ':' in host else host}:{port}{path}", self._lifetime

    def stop(self) -> None:
        """Offer nothing any more."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._offer is not None and self._thread is not None:
            self._offer.ended.set()
            self._thread.join(PATIENCE)
        self._offer = self._thread = None

    def _serve(self, offer: Offer, servers: "Sequence[_Server]") -> None:
        threads = [
            threading.Thread(target=server.serve_forever, args=(POLL,), name="downloads", daemon=True)
            for server in servers
        ]
        for thread in threads:
            thread.start()
        offer.ended.wait(self._lifetime)
        offer.ended.set()
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()
        try:
            self._port.close()
        except VirtnodeError as error:
            logger.warning("%s", error.message)
        # Whoever is in the midst of it has a handle of their own.
        with offer.lock:
            os.close(offer.handle)
        logger.info("the archive can be fetched no more; it was, %d times", offer.complete)


def usable_addresses(addresses: Sequence[str]) -> tuple[str, ...]:
    """Choose the addresses that others can reach, IPv4 first; each may have a prefix length."""
    found = []
    for text in addresses:
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_interface(text).ip
            if not address.is_link_local:
                found.append(address)
    return tuple(str(one) for one in sorted(found, key=lambda one: one.version))[:MOST_ADDRESSES]


def _listen(offer: Offer, addresses: Sequence[str]) -> "list[_Server]":
    """Listen at every address that can be used, all at one port that is free."""
    servers: list[_Server] = []
    for address in addresses:
        port = int(servers[0].server_address[1]) if servers else 0
        try:
            servers.append(_server_for(offer, address, port))
        except OSError as error:
            logger.info("no archive can be fetched at %s: %s", address, error.strerror)
    if not servers:
        raise VirtnodeError(
            Code.UNAVAILABLE,
            "this node has no address that somebody could fetch the archive from",
            "use a USB drive instead",
        )
    return servers


def _server_for(offer: Offer, address: str, port: int) -> "_Server":
    kind = _SixServer if ":" in address else _Server
    return kind(offer, (address, port))


class _Server(socketserver.ThreadingTCPServer):
    """Answers at one address."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST_AT_ONCE

    def __init__(self, offer: Offer, address: tuple[str, int]) -> None:
        self.offer = offer
        super().__init__(address, _Handler)

    def process_request(
        self, request: "socket.socket | tuple[bytes, socket.socket]", client_address: object
    ) -> None:
        """Answer in a thread, if there is a place left."""
        if self.offer.places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(
        self, request: "socket.socket | tuple[bytes, socket.socket]", client_address: object
    ) -> None:
        """Answer, and give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.offer.places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over what breaks off."""
        logger.debug("a download broke off", exc_info=True)


class _SixServer(_Server):
    """Answers at an IPv6 address."""

    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    """Serves exactly the file that is offered."""

    timeout = PATIENCE
    server_version = "virtnode"
    sys_version = ""

    def do_HEAD(self) -> None:
        """Tell of the file."""
        handle = self._answer()
        if handle is not None:
            os.close(handle)

    def do_GET(self) -> None:
        """Send the file."""
        handle = self._answer()
        if handle is None:
            return
        position = 0
        try:
            while data := os.pread(handle, CHUNK, position):
                self.wfile.write(data)
                position += len(data)
        finally:
            os.close(handle)
        self._offer().count()

    def _offer(self) -> Offer:
        server = self.server
        assert isinstance(server, _Server)
        return server.offer

    def _answer(self) -> int | None:
        """Answer all but the content, for which a handle is returned; None for what is not here."""
        offer = self._offer()
        known = hmac.compare_digest(self.path.encode(), offer.path.encode())
        handle = offer.open() if known else None
        if handle is None:
            self.send_error(404)
            return None
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/gzip")
            self.send_header("Content-Length", str(offer.size))
            self.send_header("Content-Disposition", f'attachment; filename="{offer.name}"')
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
        except OSError:
            os.close(handle)
            raise
        return handle

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the path is a secret."""
