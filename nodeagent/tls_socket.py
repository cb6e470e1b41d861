"""TLS over a connection that one thread reads while others write."""

import contextlib
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

    @property
    def family(self) -> socket.AddressFamily:
        """The family of the connection below."""
        return self._sock.family

    def peer_certificate(self) -> bytes:
        """Return the certificate that the other end showed, DER; empty if it showed none."""
        return self._tls.getpeercert(binary_form=True) or b""

    def fileno(self) -> int:
        """Return what to wait on before `recv`."""
        return self._sock.fileno()

    def recv(self, size: int) -> bytes:
        """Wait for data and return all there is, for nobody sees what stays behind; empty at the end."""
        while True:
            with self._lock:
                data, ended = self._decrypt(size)
                answers = self._outgoing.pending
            if answers:
                self._send_pending(b"")
            if data and ended:
                # The end came along with data; whoever waits for it waits on the connection below.
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RD)
            if data or ended:
                return data
            self._feed()

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self._send_pending(data)

    def settimeout(self, seconds: float | None) -> None:
        """Set how long the connection below may block."""
        self._sock.settimeout(seconds)

    def setsockopt(self, level: int, name: int, value: int) -> None:
        """Set an option of the connection below."""
        self._sock.setsockopt(level, name, value)

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
                self._feed()
            except ssl.SSLError:
                # The alert says to the other end why.
                self._send_pending(b"")
                raise
            else:
                self._send_pending(b"")
                return

    def _feed(self) -> None:
        data = self._sock.recv(CHUNK)
        with self._lock:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _send_pending(self, data: bytes) -> None:
        with self._order:
            with self._lock:
                if data:
                    self._tls.write(data)
                encrypted = self._outgoing.read()
            if encrypted:
                self._sock.sendall(encrypted)
