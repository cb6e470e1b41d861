"""A technician's terminal on a node's first serial line: what it shows, and keys."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte

from tests.vm.guest import Guest, wait_until

COLUMNS, LINES = 80, 24
KEYS = {
    "enter": "\r",
    "esc": "\x1b",
    "tab": "\t",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "backspace": "\x7f",
    "home": "\x1b[1~",
    "end": "\x1b[4~",
    "f1": "\x1bOP",
    "f2": "\x1bOQ",
    "f12": "\x1b[24~",
}
"""What a VT102 sends."""
CODE = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}\b")
"""An approval code."""
CODE_SECONDS = 180.0
SETTLED = 1.0
"""Seconds without a byte after which a screen is drawn."""


RESET = b"\x1b[!p"
"""DECSTR, which systemd sends first, and which pyte takes for a letter to show."""


class Answering(pyte.Screen):
    """A screen that says where its cursor is when it is asked, as systemd does to find a terminal's size."""

    def __init__(self, answer: Callable[[bytes], None]) -> None:
        super().__init__(COLUMNS, LINES)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        """Send an answer."""
        self._answer(data.encode())


class Terminal:
    """80 columns by 24 lines, as `minicom` or a console server show them."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._screen = Answering(line.sendall)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._heard = time.monotonic()
        self._held = b""
        self.received = 0
        """Bytes that came so far."""

    @property
    def text(self) -> str:
        """What is on the screen, line by line."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display)

    def press(self, *keys: str) -> None:
        """Press keys by name (`KEYS`, `ctrl+x`, or a character), each once the screen is quiet again."""
        for key in keys:
            self._send(key)
            self.settle()

    def type(self, text: str) -> None:
        """Type a text at once."""
        self._line.sendall(text.encode())
        self.settle()

    def erase(self, count: int) -> None:
        """Delete what stands before the cursor."""
        self.type(KEYS["backspace"] * count)

    def settle(self, seconds: float = 30.0) -> None:
        """Wait until nothing more is drawn, or the time is over: some screens count down."""
        begun = time.monotonic()
        self._heard = max(self._heard, begun)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: time.monotonic() - self._heard >= SETTLED, seconds, "a quiet line", pause=0.1)

    def wait_for(self, text: str, seconds: float = 60.0) -> str:
        """Wait until a text is on the screen, and return all of it."""
        try:
            wait_until(lambda: text in self.text, seconds, f"{text!r} on the screen", pause=0.3)
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows:\n{self.text}") from None
        return self.text

    def wait_until_gone(self, text: str, seconds: float = 60.0) -> None:
        """Wait until a text is on the screen no more."""
        try:
            wait_until(lambda: text not in self.text, seconds, f"{text!r} to go", pause=0.3)
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen shows:\n{self.text}") from None

    def listen(self) -> None:
        """Draw what comes, until the line is closed."""
        with contextlib.suppress(OSError):
            while data := self._line.recv(1 << 16):
                with self._lock:
                    self._stream.feed(self._without_reset(data))
                self.received += len(data)
                self._heard = time.monotonic()

    def _without_reset(self, data: bytes) -> bytes:
        """Take the sequence out that pyte does not know; its beginning waits for the rest."""
        data = (self._held + data).replace(RESET, b"")
        cut = next((size for size in (3, 2, 1) if data.endswith(RESET[:size])), 0)
        self._held = data[len(data) - cut :]
        return data[: len(data) - cut]

    def _send(self, key: str) -> None:
        if key.startswith("ctrl+"):
            self._line.sendall(bytes([ord(key[-1].upper()) - 64]))
        else:
            self._line.sendall(KEYS.get(key, key).encode())


def read_code(node: Guest, code: str) -> None:
    """See that the console on the serial line shows this approval code, and no other."""
    with terminal_on(node) as terminal:
        # What was drawn before the terminal was plugged in is drawn again.
        terminal.press("ctrl+l")
        terminal.wait_for(code, CODE_SECONDS)
        assert set(CODE.findall(terminal.text)) == {code}


@contextlib.contextmanager
def terminal_on(guest: Guest) -> Iterator[Terminal]:
    """Plug a terminal into a node's first serial line."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(Path(guest.hardware.folder) / "console.socket"))
        terminal = Terminal(line)
        listener = threading.Thread(target=terminal.listen, daemon=True)
        listener.start()
        try:
            yield terminal
        finally:
            line.shutdown(socket.SHUT_RDWR)
            listener.join(10)
