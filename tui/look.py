"""What the terminal can show, and what whoever sits at it may do."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

SIZE = (80, 24)
"""What a terminal that does not tell its size is taken for."""
PLAIN_TERMINALS = ("linux", "vt", "dumb", "ansi", "unknown")
MONOCHROME_TERMINALS = ("vt", "dumb", "unknown")
SERIAL = ("ttyS", "ttyAMA", "ttyUSB", "hvc", "ttysclp", "sclp_line")


@dataclass(frozen=True)
class Look:
    """How to draw on a terminal."""

    ascii: bool = False
    """Only what a terminal of 1983 can draw."""
    monochrome: bool = False
    """Bold and reverse, no colour."""
    slow: bool = False
    """A serial line: draw seldom."""
    may_leave: bool = False
    """A session that somebody opened and can end; false for the console that is always there."""
    may_log_in: bool = False
    """The console of a line of its own, in whose place a login prompt can come."""
    mouse: bool = False
    """A mouse can be there, and telling of it does no harm."""

    @property
    def meters_every(self) -> float:
        """Seconds between two looks at the meters."""
        return 10.0 if self.slow else 2.0


def detect_look(
    environ: Mapping[str, str], terminal: str, *, ascii: bool, monochrome: bool, line: bool = False
) -> Look:
    """Judge the terminal by its name, its device, and what the environment says about it.

    `line` says that nobody opened this console: virtnode-console-line keeps it on a screen or a serial line.
    """
    kind = environ.get("TERM", "") or "unknown"
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG", "")
    utf8 = "utf-8" in locale.lower() or "utf8" in locale.lower()
    slow = terminal.removeprefix("/dev/").startswith(SERIAL)
    return Look(
        ascii=ascii or not utf8 or kind.startswith(PLAIN_TERMINALS),
        monochrome=monochrome or bool(environ.get("NO_COLOR")) or kind.startswith(MONOCHROME_TERMINALS),
        slow=slow,
        may_leave=not line,
        may_log_in=line,
        mouse=not slow and not kind.startswith(PLAIN_TERMINALS),
    )


def forced_size(descriptor: int) -> tuple[int, int] | None:
    """Give the size to take for a terminal that does not know its own; None for one that does."""
    try:
        found = os.get_terminal_size(descriptor)
    except OSError:
        return SIZE
    return None if found.columns and found.lines else SIZE
