"""Ends the process once its terminal is gone: a console that nobody can see must not live on."""

import os
import select
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
