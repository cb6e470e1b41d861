"""A syslog server on the host, over UDP and TCP: it keeps what it hears."""

import contextlib
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

BUFFER = 1 << 16


@dataclass
class SyslogDouble:
    """Two sockets that a node can reach at the host's address, and what came to each."""

    datagrams: socket.socket
    listener: socket.socket
    _streams: list[socket.socket] = field(default_factory=list)
    _heard: dict[str, bytes] = field(default_factory=lambda: {"udp": b"", "tcp": b""})

    def urls(self, host: str) -> list[str]:
        """Name both servers as node.toml does, as a node sees them."""
        ports = {"udp": self.datagrams, "tcp": self.listener}
        return [f"{protocol}://{host}:{sock.getsockname()[1]}" for protocol, sock in ports.items()]

    def heard(self, protocol: str) -> str:
        """Take what has come, and return all that ever came by `udp` or by `tcp`."""
        while ready := select.select([self.datagrams, self.listener, *self._streams], [], [], 0)[0]:
            for sock in ready:
                self._take(sock)
        return self._heard[protocol].decode(errors="replace")

    def close(self) -> None:
        """Listen no longer."""
        for sock in (self.datagrams, self.listener, *self._streams):
            sock.close()

    def _take(self, sock: socket.socket) -> None:
        if sock is self.listener:
            self._streams.append(sock.accept()[0])
        elif sock is self.datagrams:
            self._heard["udp"] += sock.recv(BUFFER) + b"\n"
        elif data := sock.recv(BUFFER):
            self._heard["tcp"] += data
        else:
            self._streams.remove(sock)
            sock.close()


@contextlib.contextmanager
def syslog_double() -> Iterator[SyslogDouble]:
    """Listen until the context ends."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    double = SyslogDouble(datagrams, socket.create_server(("127.0.0.1", 0)))
    try:
        yield double
    finally:
        double.close()
