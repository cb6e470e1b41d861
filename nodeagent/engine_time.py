"""What time it is for the engine: its certificates are valid by its clock, not by ours."""

from nodeagent.clocks import Clocks
from nodeagent.trust import MAX_SKEW


class EngineTime:
    """The engine's time as it was told last, carried on by a clock that nobody sets."""

    def __init__(self, clocks: Clocks) -> None:
        self._clocks = clocks
        self._told: tuple[float, float] | None = None

    def measure(self, skew: float) -> None:
        """Keep how far the engine's clock is before ours; more than a few years are not believed."""
        believed = skew if abs(skew) <= MAX_SKEW else 0.0
        self._told = self._clocks.wall() + believed, self._clocks.monotonic()

    def now(self) -> float:
        """Tell the engine's time in seconds since 1970; ours, as long as it told none."""
        if self._told is None:
            return self._clocks.wall()
        time, at = self._told
        return time + self._clocks.monotonic() - at
