"""The thread that looks at the node again and again, and wakes others when something changed."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Watch(threading.Thread):
    """Calls `look` as often as it asks to be called, and at once when woken."""

    def __init__(self, look: Callable[[], float]) -> None:
        super().__init__(name="watch", daemon=True)
        self._look = look
        """Returns the seconds until the next look."""
        self._wake = threading.Event()
        self._stopping = False

    def wake(self) -> None:
        """Look again soon."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """Look and look again."""
        while not self._stopping:
            self._wake.clear()
            try:
                wait = self._look()
            except Exception:  # the outermost loop: a bug in a look must not end all looking
                logger.exception("looking at the node failed")
                wait = 30.0
            self._wake.wait(wait)
