"""Interruptions that wait until what must not be cut in two is whole."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def interruption_waits() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait while the context lasts; they act as ever when it ends.

    Blocking them would not do: another thread takes the signal, and Python raises in the main one.
    """
    caught: list[int] = []
    held = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if threading.current_thread() is not threading.main_thread():
        held = {}
    # What is ignored, or ends this program at once, is so in the programs that it starts as well.
    held = {number: handler for number, handler in held.items() if callable(handler)}
    for number in held:
        signal.signal(number, lambda number, frame: caught.append(number))
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        for caught_number in caught:
            signal.raise_signal(caught_number)
