"""TLS over a connection that one thread reads while others write."""

import socket
import ssl
import threading

CHUNK = 65536


class TlsSocket:
    """What a WebSocket needs of a socket.

    An `ssl.SSLSocket` would not do: OpenSSL allows one call at a time on a connection, and Python lets
    threads write while one reads. Here waiting and sending are done outside of OpenSSL.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_hostname: str | None) -> None:
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self._lock = threading.Lock()
        self._order = threading.Lock()
        """Held from the moment data is encrypted until it is sent: records keep their order."""
        self._handshake()

    def peer_certificate(self) -> bytes:
        """Return the certificate that the other end showed, DER; empty if it showed none."""
        return self._tls.getpeercert(binary_form=True) or b""

    def fileno(self) -> int:
        """Return what to wait on before `feed`."""
        return self._sock.fileno()

    def feed(self) -> None:
        """Take from the connection below what has come, or wait for it."""
        data = self._sock.recv(CHUNK)
        with self._lock:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def read(self) -> bytes | None:
        """Return all that was fed; None where that is nothing yet, and empty at the end."""
        with self._lock:
            data, ended = self._decrypt(CHUNK)
            answers = self._outgoing.pending
        if answers:
            self._send_pending(b"")
        return data if data or ended else None

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self._send_pending(data)

    def settimeout(self, seconds: float | None) -> None:
        """Set how long the connection below may block."""
        self._sock.settimeout(seconds)

    def shutdown(self, how: int) -> None:
        """End one or both directions of the connection below."""
        self._sock.shutdown(how)

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def _decrypt(self, size: int) -> tuple[bytes, bool]:
        data = b""
        try:
            while piece := self._tls.read(size):
                data += piece
        except ssl.SSLWantReadError:
            return data, False
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass
        return data, True

    def _handshake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._send_pending(b"")
                self.feed()
            except ssl.SSLError:
                # The alert says to the other end why.
                self._send_pending(b"")
                raise
            else:
                self._send_pending(b"")
                return

    def _send_pending(self, data: bytes) -> None:
        with self._order:
            with self._lock:
                if data:
                    self._tls.write(data)
                encrypted = self._outgoing.read()
            if encrypted:
                self._sock.sendall(encrypted)
