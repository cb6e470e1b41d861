"""How long things took, counted by upper bound."""

import bisect
from collections.abc import Mapping

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""


class Histogram:
    """Durations of one kind."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    @property
    def count(self) -> int:
        """Count all of them."""
        return sum(self._counts)

    def observe(self, seconds: float) -> None:
        """Add one."""
        self._counts[bisect.bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, int]]:
        """Tell for each bound how many took no longer."""
        bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
        return [(bound, sum(self._counts[: place + 1])) for place, bound in enumerate(bounds)]


class Timings:
    """Durations under one name, told apart by the values of some labels, of which there are few."""

    def __init__(self, name: str, about: str, labels: tuple[str, ...]) -> None:
        self.name = name
        self.about = about
        self._labels = labels
        self._histograms: dict[tuple[str, ...], Histogram] = {}

    def observe(self, values: tuple[str, ...], seconds: float) -> None:
        """Add one."""
        self._histograms.setdefault(values, Histogram()).observe(seconds)

    def all(self) -> list[tuple[Mapping[str, str], Histogram]]:
        """List the durations by their labels."""
        found = sorted(self._histograms.items())
        return [(dict(zip(self._labels, values, strict=True)), histogram) for values, histogram in found]
