"""Virtual machines for whoever asks on the bus, and which connection holds which console."""

import secrets
import threading
from collections.abc import Callable

from nodeagent.guests.program import GuestProgram
from nodelib.bus_guests import (
    ConsoleClose,
    ConsoleOutput,
    ConsoleRead,
    ConsoleReply,
    ConsoleRequest,
    ConsoleSend,
    GuestRequest,
    GuestsReply,
)
from nodelib.codec import decode_lenient
from nodelib.errors import Code, InvalidInput, VirtnodeError

LONGEST_WAIT = 20.0
LONGEST_TEXT = 4096
"""Letters that can be typed at once: they must fit into the pipe to a program that hangs."""


class GuestDesk:
    """Answers the methods about guests; each may be called from any thread."""

    def __init__(
        self, program: GuestProgram, make_handle: Callable[[], str] = lambda: secrets.token_hex(8)
    ) -> None:
        self._program = program
        self._make_handle = make_handle
        self._lock = threading.Lock()
        self._holders: dict[str, str] = {}

    def list(self) -> GuestsReply:
        """List all machines; what is in the way of that is a part of the answer."""
        try:
            return decode_lenient(GuestsReply, {"guests": self._program.call("list", {})})
        except VirtnodeError as error:
            return GuestsReply(problem=f"{error.message}{f' ({error.hint})' if error.hint else ''}")

    def do(self, request: GuestRequest) -> None:
        """Start a machine, ask it to shut down, or pull its plug."""
        self._program.call("do", {"uuid": request.uuid, "deed": request.deed.value})

    def open(self, request: ConsoleRequest, connection: str) -> ConsoleReply:
        """Open a machine's console for one connection of the bus."""
        handle = self._make_handle()
        self._program.call("open", {"uuid": request.uuid, "handle": handle})
        with self._lock:
            self._holders[handle] = connection
        return ConsoleReply(handle)

    def send(self, request: ConsoleSend, connection: str) -> None:
        """Send keys to a console."""
        self._check(request.handle, connection)
        if len(request.text) > LONGEST_TEXT:
            raise InvalidInput([f"more than {LONGEST_TEXT} letters at a time"], "send them in pieces")
        self._program.call("type", {"handle": request.handle, "text": request.text})

    def read(self, request: ConsoleRead, connection: str) -> ConsoleOutput:
        """Wait for what a console shows."""
        self._check(request.handle, connection)
        wait = min(max(0.0, request.wait), LONGEST_WAIT)
        words = {"handle": request.handle, "wait": wait}
        return decode_lenient(ConsoleOutput, self._program.call("read", words, patience=wait))

    def close(self, request: ConsoleClose, connection: str) -> None:
        """Close a console."""
        self._check(request.handle, connection)
        self._drop(request.handle)

    def leave(self, connection: str) -> None:
        """Close all consoles of a connection that is gone."""
        with self._lock:
            handles = [handle for handle, holder in self._holders.items() if holder == connection]
        for handle in handles:
            self._drop(handle)

    def _drop(self, handle: str) -> None:
        with self._lock:
            self._holders.pop(handle, None)
        if self._program.pid is not None:
            self._program.call("close", {"handle": handle})

    def _check(self, handle: str, connection: str) -> None:
        with self._lock:
            if self._holders.get(handle) != connection:
                raise VirtnodeError(
                    Code.NOT_FOUND, "this connection has no such console open", "open it again"
                )
