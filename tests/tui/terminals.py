"""A console in a terminal of its own: a pseudo-terminal, and what a terminal would show of it."""

import contextlib
import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte

CHECKOUT = Path(__file__).parent.parent.parent
MACHINES = CHECKOUT / "tests/data/machines"
PATIENCE = 60.0


class Terminal:
    """The end that a person sits at."""

    def __init__(self, columns: int, lines: int) -> None:
        self.master, self.slave = os.openpty()
        self.received = b""
        self._screen = pyte.Screen(columns or 80, lines or 24)
        self._stream = pyte.ByteStream(self._screen)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    @property
    def text(self) -> str:
        """What it shows."""
        return "\n".join(self._screen.display)

    def read(self, seconds: float) -> bytes:
        """Take what arrives within some seconds, at most once."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return b""
        found = os.read(self.master, 65536)
        self.received += found
        self._stream.feed(found)
        return found

    def wait_for(self, condition: Callable[[str], bool]) -> None:
        """Read until what is shown meets a condition."""
        end = time.monotonic() + PATIENCE
        while not condition(self.text):
            assert time.monotonic() < end, self.text
            self.read(1.0)

    def wait_for_silence(self, seconds: float) -> None:
        """Read until nothing has arrived for some seconds."""
        end = time.monotonic() + PATIENCE
        while self.read(seconds):
            assert time.monotonic() < end, "it never is silent"

    def send(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.master, keys)

    def damage(self, text: str) -> None:
        """Write over the screen, as a program does that knows nothing of the console."""
        self._stream.feed(text.encode())

    def close(self) -> None:
        """Pull the plug."""
        os.close(self.master)


@contextlib.contextmanager
def console(
    machine: str, *, term: str, size: tuple[int, int] = (80, 24), lang: str = "C", words: tuple[str, ...] = ()
) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    """Run virtnode-console on a terminal of its own."""
    terminal = Terminal(*size)
    environ = {"PATH": os.environ["PATH"], "TERM": term, "LANG": lang, "PYTHONPATH": str(CHECKOUT)}
    argv = [sys.executable, "-m", "tui.main", "--dry-run", str(MACHINES / f"{machine}.json"), *words]
    with subprocess.Popen(
        argv,
        env=environ,
        start_new_session=True,
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
    ) as process:
        os.close(terminal.slave)
        try:
            yield terminal, process
        finally:
            process.kill()
            with contextlib.suppress(OSError):
                terminal.close()
