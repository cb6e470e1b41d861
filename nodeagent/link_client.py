"""The WebSocket to the engine: frames of text, in order, from whichever thread.

The library says what to send and what has come; waiting, sending and keeping alive are done here, in the
thread that receives. So nothing wakes up but for what has come or is due.
"""

import contextlib
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from nodeagent.bell import Bell
from nodeagent.dial import Endpoint
from nodeagent.join_error import JoinError
from nodeagent.tls_socket import TlsSocket
from nodelib.errors import Code, VirtnodeError
from nodelib.ladder import Step
from nodelib.link import LINK_PATH, MAX_FRAME

PING_INTERVAL = PING_TIMEOUT = 15.0
"""Seconds: a peer from which nothing was heard is asked, and one that answers nothing is dead."""
CLOSE_SECONDS = 2.0
"""How long the other end may take to say good-bye."""
DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class Closed(VirtnodeError):
    """The other end is gone; `reason` is what it said last."""

    def __init__(self, code: Code, message: str, reason: str = "") -> None:
        super().__init__(code, message)
        self.reason = reason


class Channel:
    """One open WebSocket: one thread receives, any may send."""

    def __init__(
        self,
        sock: TlsSocket,
        protocol: ClientProtocol,
        *,
        ping_interval: float = PING_INTERVAL,
        ping_timeout: float = PING_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sock = sock
        self._protocol = protocol
        self._lock = threading.Lock()
        """Held for the protocol, and until what it wants to be sent is sent."""
        self._ended = threading.Event()
        self._pings = (ping_interval, ping_timeout)
        self._clock = clock
        self._heard = clock()
        self._asked: float | None = None
        """When the other end was asked whether it lives; None once it has said something."""
        self._pieces: list[bytes] = []
        self._messages: deque[bytes] = deque()
        # A peer that takes nothing any more is as dead as one that says nothing.
        sock.settimeout(ping_interval + ping_timeout)

    def shake_hands(self, timeout: float) -> None:
        """Ask for a WebSocket; raises WebSocketException, OSError and EOFError where that is refused."""
        request = self._protocol.connect()
        request.headers["User-Agent"] = "virtnode"
        with self._lock:
            self._protocol.send_request(request)
            self._flush()
        deadline = self._clock() + timeout
        while self._protocol.state is State.CONNECTING:
            if self._protocol.handshake_exc is not None:
                raise self._protocol.handshake_exc
            left = deadline - self._clock()
            if left <= 0:
                raise TimeoutError("it does not answer")
            self._wait(left, None)
            self._take()

    def send(self, text: str) -> None:
        """Send one message. Raises Closed."""
        try:
            with self._lock:
                self._protocol.send_text(text.encode())
                self._flush()
        except (WebSocketException, OSError) as error:
            raise self._closed(error) from error

    def receive(self, timeout: float, bell: Bell | None = None) -> bytes | None:
        """Wait for a message; None when none came in time, or where a bell rings. Raises Closed."""
        deadline = self._clock() + timeout
        has_waited = False
        while True:
            try:
                self._take()
                if self._messages:
                    return self._messages.popleft()
                self._check_end()
                due = self._keep_alive()
                now = self._clock()
                if has_waited and now >= deadline:
                    return None
                has_waited = True
                if self._wait(min(deadline, due) - now, bell):
                    return None
            except OSError as error:
                self._ended.set()
                raise self._closed(error) from error

    def close(self) -> None:
        """Say good-bye, from another thread than the one that receives; may be called twice."""
        self._say_goodbye()
        if not self._ended.wait(CLOSE_SECONDS):
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        """Say good-bye, and wait for the other end to, in the thread that receives."""
        self._say_goodbye()
        deadline = self._clock() + CLOSE_SECONDS
        with contextlib.suppress(Closed):
            while (left := deadline - self._clock()) > 0:
                self.receive(left)
        self._ended.set()

    def _say_goodbye(self) -> None:
        # Whoever sends to a dead connection holds the lock for long.
        if not self._lock.acquire(timeout=CLOSE_SECONDS):
            return
        try:
            with contextlib.suppress(OSError):
                if self._protocol.state is State.OPEN:
                    self._protocol.send_close(1000)
                self._flush()
        finally:
            self._lock.release()

    def _take(self) -> None:
        """Give the protocol what has come, and keep the messages in it."""
        while (data := self._sock.read()) is not None:
            with self._lock:
                if data:
                    self._protocol.receive_data(data)
                else:
                    self._protocol.receive_eof()
                # Answers to pings and good-byes, which a dead connection need not get.
                with contextlib.suppress(OSError):
                    self._flush()
                frames = [event for event in self._protocol.events_received() if isinstance(event, Frame)]
            self._heard, self._asked = self._clock(), None
            for frame in frames:
                self._assemble(frame)
            if not data:
                return

    def _check_end(self) -> None:
        protocol = self._protocol
        if protocol.state is State.CLOSED or protocol.close_rcvd is not None:
            raise ConnectionResetError("the other end is gone")
        if protocol.parser_exc is not None:
            raise ConnectionAbortedError(str(protocol.parser_exc))

    def _assemble(self, frame: Frame) -> None:
        if frame.opcode in DATA:
            self._pieces.append(bytes(frame.data))
            if frame.fin:
                self._messages.append(b"".join(self._pieces))
                self._pieces.clear()

    def _keep_alive(self) -> float:
        """Ask the other end whether it lives, if it is time to; tell when there is more to do."""
        interval, timeout = self._pings
        now = self._clock()
        if self._asked is not None:
            if now >= self._asked + timeout:
                raise TimeoutError(f"it has said nothing for {now - self._heard:.0f} s")
            return self._asked + timeout
        if now < self._heard + interval:
            return self._heard + interval
        with self._lock, contextlib.suppress(InvalidState):
            self._protocol.send_ping(b"")
            self._flush()
        self._asked = now
        return now + timeout

    def _wait(self, seconds: float, bell: Bell | None) -> bool:
        """Wait for data, and take it from the network; tell whether the bell rings instead."""
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLIN)
        if bell is not None:
            poll.register(bell.fileno(), select.POLLIN)
        ready = {number for number, _ in poll.poll(max(0.0, seconds) * 1000)}
        if self._sock.fileno() in ready:
            self._sock.feed()
            return False
        return bool(ready)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._sock.sendall(data)
            else:
                self._sock.shutdown(socket.SHUT_WR)

    def _closed(self, error: Exception) -> Closed:
        received = self._protocol.close_rcvd
        reason = received.reason if received is not None else ""
        message = f"the engine closed the connection{': ' if reason else ''}{reason}"
        if isinstance(error, TimeoutError):
            message = "the engine does not answer any more"
        return Closed(Code.UNAVAILABLE, message, reason)


@contextlib.contextmanager
def open_channel(
    sock: TlsSocket,
    endpoint: Endpoint,
    timeout: float,
    *,
    ping_interval: float = PING_INTERVAL,
    ping_timeout: float = PING_TIMEOUT,
) -> Iterator[Channel]:
    """Speak WebSocket over a connection that is secured already; it is closed in the end."""
    with contextlib.closing(sock):
        # TLS is ours (dial.py): to the library this is a plain connection.
        protocol = ClientProtocol(parse_uri(f"ws://{endpoint}{LINK_PATH}"), max_size=MAX_FRAME)
        channel = Channel(sock, protocol, ping_interval=ping_interval, ping_timeout=ping_timeout)
        try:
            channel.shake_hands(timeout)
        except (WebSocketException, OSError, EOFError) as error:
            raise JoinError(
                Step.TLS_PIN,
                Code.UNAVAILABLE,
                f"the other end at {endpoint} does not speak the link: {error or type(error).__name__}",
                "is this the engine's link port (7443)?",
            ) from error
        try:
            yield channel
        finally:
            channel.finish()
