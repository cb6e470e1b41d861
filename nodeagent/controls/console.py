"""A virtual machine's serial console on this terminal."""

import base64
import codecs
import contextlib
import os
import select
import termios
import tty
from collections.abc import Iterator

from nodeagent.controls.terminal import Terminal
from nodelib.bus_guests import (
    CONSOLE_CLOSE,
    CONSOLE_OPEN,
    CONSOLE_READ,
    CONSOLE_SEND,
    ConsoleClose,
    ConsoleRead,
    ConsoleRequest,
    ConsoleSend,
    Guest,
)
from nodelib.errors import Code, VirtnodeError

LEAVE = b"\x1d"
"""Ctrl-]"""
PAUSE = 0.1
"""Seconds that keys may wait: calls go one after the other over the one connection that holds the console."""
PIECE = 1024


class ConsoleSession:
    """Keys go there, what it shows comes here, until Ctrl-] or the machine's end."""

    def __init__(self, terminal: Terminal, guest: Guest) -> None:
        self._terminal = terminal
        self._guest = guest
        self._keys = codecs.getincrementaldecoder("utf-8")("replace")
        self._shown = codecs.getincrementaldecoder("utf-8")("replace")

    def run(self) -> None:
        """Speak to the machine; raises VirtnodeError (invalid) without a terminal."""
        if not self._terminal.stdin.isatty():
            raise VirtnodeError(Code.INVALID, "a console needs a terminal", "run it from one")
        handle = self._terminal.client.call(CONSOLE_OPEN, ConsoleRequest(self._guest.uuid)).handle
        self._terminal.say(f"This is the console of {self._guest.name}; Ctrl-] ends it.")
        self._terminal.out.flush()
        with _raw(self._terminal.stdin.fileno()):
            is_over = self._exchange(handle)
        self._terminal.say(f"\nThe console of {self._guest.name} is closed.")
        if not is_over:
            self._terminal.client.call(CONSOLE_CLOSE, ConsoleClose(handle))

    def _exchange(self, handle: str) -> bool:
        """Carry both ways; returns True once the other end is closed, False when somebody leaves."""
        client, descriptor = self._terminal.client, self._terminal.stdin.fileno()
        while True:
            if select.select([descriptor], [], [], 0)[0]:
                typed = os.read(descriptor, PIECE)
                keys, left, _ = typed.partition(LEAVE)
                text = self._keys.decode(keys)
                if text:
                    client.call(CONSOLE_SEND, ConsoleSend(handle, text))
                if left or not typed:
                    return False
            output = client.call(CONSOLE_READ, ConsoleRead(handle, PAUSE))
            self._terminal.out.write(self._shown.decode(base64.b64decode(output.data)))
            self._terminal.out.flush()
            if output.closed:
                return True


@contextlib.contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    """Have every key passed on as it is, until the context ends."""
    before = termios.tcgetattr(descriptor)
    # What was typed ahead is kept.
    tty.setraw(descriptor, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
