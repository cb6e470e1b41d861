"""The terminal's two ends: what came before the console was there, and what to do once nobody can see it."""

import contextlib
import os
import select
import termios
import threading
from collections.abc import Callable

GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


def watch_terminal(descriptor: int, end: Callable[[], None]) -> None:
    """Wait in a thread of its own until the other end of a terminal is closed, then call `end`."""
    threading.Thread(target=_wait, args=(descriptor, end), name="terminal", daemon=True).start()


def _wait(descriptor: int, end: Callable[[], None]) -> None:
    poll = select.poll()
    # No event is asked for: what is reported then is the end alone.
    poll.register(descriptor, 0)
    while not any(events & GONE for _, events in poll.poll()):
        pass
    end()


def end_at_once() -> None:
    """End without putting the terminal back: there is none, and writing to it could block for ever."""
    os._exit(0)


def forget_early_keys(descriptor: int) -> None:
    """Throw away what came before the first picture, for nobody meant this console by it.

    systemd asks a serial terminal for its size and does not wait long. What a slow line brings after
    that, often the second half of an answer, would be keys that open screens.
    """
    with contextlib.suppress(termios.error):
        termios.tcflush(descriptor, termios.TCIFLUSH)
