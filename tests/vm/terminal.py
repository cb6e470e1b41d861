"""A technician's terminal on a node's first serial line: what it shows, and keys."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pyte

from tests.vm.guest import Guest, wait_until

COLUMNS, LINES = 80, 24
FILL_SECONDS = 120.0
FRAME = "F1 Help"
"""What the last line of every screen of the console begins with."""
GARBLED_SECONDS = 20.0
"""After so long without what should be there the screen is drawn anew.

The serial port of an emulated machine that gets too little of the processor doubles a byte now and then.
"""
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


class Line(Protocol):
    """What a terminal hangs on: a socket, or what sends and receives as one does."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""

    def recv(self, size: int, /) -> bytes:
        """Take what has come; nothing, or OSError, is the end."""


class Terminal:
    """80 columns by 24 lines, as `minicom` or a console server show them."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._screen = Answering(line.sendall)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._heard = self._redrawn = time.monotonic()
        self._held = b""
        self.received = 0
        """Bytes that came so far."""

    @property
    def text(self) -> str:
        """What is on the screen, line by line."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display)

    def clear(self) -> None:
        """Wipe what is shown, to see what comes next."""
        with self._lock:
            self._screen.reset()

    def press(self, *keys: str) -> None:
        """Press keys by name (`KEYS`, `ctrl+x`, or a character), each once the screen is quiet again."""
        for key in keys:
            self._send(key)
            self.settle()

    def type(self, text: str) -> None:
        """Type a text at once."""
        self._line.sendall(text.encode())
        self.settle()

    def fill(self, text: str) -> None:
        """Type a text into a field, look whether it is there, and else begin again, as a person does."""
        wait_until(lambda: self._filled(text), FILL_SECONDS, f"{text!r} to be typed")

    def _filled(self, text: str) -> bool:
        self.press("end")
        self.erase(len(text) + 2)
        self.press(*text)
        return f"[{text} " in self.text

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
            wait_until(lambda: text in self.legible(), seconds, f"{text!r} on the screen", pause=0.3)
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows:\n{self.text}") from None
        return self.text

    def legible(self) -> str:
        """Return what is on the screen; the console draws it anew from time to time for whoever waits."""
        text, now = self.text, time.monotonic()
        if FRAME in text and now - self._redrawn > GARBLED_SECONDS:
            self._redrawn = now
            self._send("ctrl+l")
        return text

    def wait_until_gone(self, text: str, seconds: float = 60.0) -> None:
        """Wait until a text is on the screen no more."""
        try:
            wait_until(lambda: text not in self.legible(), seconds, f"{text!r} to go", pause=0.3)
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen shows:\n{self.text}") from None

    @contextlib.contextmanager
    def listening(self, hang_up: Callable[[], object]) -> Iterator["Terminal"]:
        """Draw what comes; in the end `hang_up` closes the line."""
        listener = threading.Thread(target=self._listen, daemon=True)
        listener.start()
        try:
            yield self
        finally:
            hang_up()
            listener.join(10)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._line.recv(1 << 16):
                with self._lock:
                    self._draw(self._without_reset(data))
                self.received += len(data)
                self._heard = time.monotonic()

    def _draw(self, data: bytes) -> None:
        """Draw byte by byte: pyte gives up at a sequence with too many numbers; a terminal passes it over."""
        for place in range(len(data)):
            with contextlib.suppress(TypeError):
                self._stream.feed(data[place : place + 1])

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
        with Terminal(line).listening(lambda: line.shutdown(socket.SHUT_RDWR)) as terminal:
            yield terminal
