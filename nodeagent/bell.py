"""What wakes a thread that waits for a connection: others ring, and it has a descriptor to wait on."""

import contextlib
import os
import weakref


class Bell:
    """Rings until it is cleared; every method may be called from every thread."""

    def __init__(self) -> None:
        self._counter = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._counter)

    def fileno(self) -> int:
        """Return what can be read while it rings."""
        return self._counter

    def ring(self) -> None:
        """Wake whoever waits, or will."""
        os.eventfd_write(self._counter, 1)

    def clear(self) -> None:
        """Be quiet again."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._counter)
