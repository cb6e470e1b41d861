"""How long to wait before the next try: longer each time, and never in step with other nodes."""

from collections.abc import Callable

SHORTEST, LONGEST = 1.0, 60.0
"""Seconds: the first limit, and the last."""
SETTLED = 60.0
"""Seconds that a connection must have held for the waits to begin anew."""


class Backoff:
    """Exponential back-off with full jitter."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._limit = SHORTEST

    def next_wait(self) -> float:
        """Return the seconds to wait now: anything up to a limit that doubles with each failure."""
        limit, self._limit = self._limit, min(LONGEST, self._limit * 2)
        return limit * self._random()

    def note_success(self, lasted: float) -> None:
        """Begin anew after a connection that held for `lasted` seconds, if that was long enough."""
        if lasted >= SETTLED:
            self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._limit = SHORTEST
