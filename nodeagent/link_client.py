"""The WebSocket to the engine: frames of text, in order, from whichever thread."""

import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import cast

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket

from nodeagent.dial import Endpoint
from nodeagent.join_error import JoinError
from nodeagent.tls_socket import TlsSocket
from nodelib.errors import Code, VirtnodeError
from nodelib.ladder import Step
from nodelib.link import LINK_PATH, MAX_FRAME

logger = logging.getLogger(__name__)

PING_INTERVAL = PING_TIMEOUT = 15.0
"""Seconds: a peer that answers no ping for the sum of both is dead."""


class Closed(VirtnodeError):
    """The other end is gone; `reason` is what it said last."""

    def __init__(self, code: Code, message: str, reason: str = "") -> None:
        super().__init__(code, message)
        self.reason = reason


class Channel:
    """One open WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def send(self, text: str) -> None:
        """Send one frame. Raises Closed."""
        try:
            self._connection.send(text)
        except (ConnectionClosed, OSError) as error:
            raise _closed(error) from error

    def receive(self, timeout: float) -> str | bytes | None:
        """Wait for a frame; None when none came in time. Raises Closed."""
        try:
            return self._connection.recv(timeout=max(0.0, timeout))
        except TimeoutError:
            return None
        except (ConnectionClosed, OSError) as error:
            raise _closed(error) from error

    def close(self) -> None:
        """Say good-bye; may be called from another thread, and twice."""
        with contextlib.suppress(WebSocketException, OSError):
            self._connection.close()


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
    with contextlib.ExitStack() as stack:
        stack.callback(sock.close)
        try:
            connection = stack.enter_context(
                connect_websocket(
                    # TLS is ours (dial.py): to websockets this is a plain connection.
                    f"ws://{endpoint}{LINK_PATH}",
                    sock=cast(socket.socket, sock),
                    proxy=None,
                    compression=None,
                    max_size=MAX_FRAME,
                    open_timeout=timeout,
                    close_timeout=2,
                    ping_interval=ping_interval,
                    ping_timeout=ping_timeout,
                    user_agent_header="virtnode",
                )
            )
        except (WebSocketException, OSError, EOFError) as error:
            raise JoinError(
                Step.TLS_PIN,
                Code.UNAVAILABLE,
                f"the other end at {endpoint} does not speak the link: {error or type(error).__name__}",
                "is this the engine's link port (7443)?",
            ) from error
        yield Channel(connection)


def _closed(error: Exception) -> Closed:
    reason = ""
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        reason = error.rcvd.reason
    message = f"the engine closed the connection{': ' if reason else ''}{reason}"
    return Closed(Code.UNAVAILABLE, message, reason)
