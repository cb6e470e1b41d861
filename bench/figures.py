"""Times, ratios and tables: what every measurement has in common."""

import contextlib
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Taken:
    """What a piece of work took, in seconds: on the clock, and of processors, in this process and children.

    Who else uses the machine changes the first much, the second little.
    """

    clock: float
    processor: float

    def __add__(self, other: "Taken") -> "Taken":
        return Taken(self.clock + other.clock, self.processor + other.processor)


class Stopwatch:
    """Measures named pieces of work, one after another."""

    def __init__(self) -> None:
        self.taken: dict[str, Taken] = {}

    @contextlib.contextmanager
    def piece(self, name: str) -> Iterator[None]:
        """Measure what happens while the context lasts, if it ends well."""
        clock, processor = time.monotonic(), processor_seconds()
        yield
        self.taken[name] = Taken(time.monotonic() - clock, processor_seconds() - processor)


def processor_seconds() -> float:
    """Add up what this process and its ended children had of the processors."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def pairwise_ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Divide each of ours by the one of theirs that was taken next to it."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def ratio_line(name: str, ratios: Sequence[float]) -> str:
    """Say a median and every ratio it is of."""
    single = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return f"{name}: {median(ratios):.2f} (median of {single})"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Draw a table as Markdown; every column but the first is set to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    aligned = [
        [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        for row in (header, *rows)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (aligned[0], rule, *aligned[1:]))


def taken_cells(values: Sequence[Taken]) -> tuple[str, str]:
    """Write the medians of several runs: seconds on the clock, seconds of processors."""
    return (
        f"{median(value.clock for value in values):.1f}",
        f"{median(value.processor for value in values):.1f}",
    )


def read_load(root: Path = Path("/")) -> float:
    """Read how many processes wanted a processor in the last minute."""
    return float((root / "proc/loadavg").read_text().split()[0])
