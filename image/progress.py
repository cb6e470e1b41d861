"""What a person who waits sees: the step, the time, a bar; plain lines where there is no terminal."""

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)


class Steps:
    """Shows a fixed number of steps one after another, and keeps how long each took, in seconds."""

    def __init__(self, total: int, console: Console | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._console = console or Console(stderr=True, highlight=False)
        self._start = time.monotonic()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._task = self._progress.add_task("", total=total)
        self._step = ""

    @contextlib.contextmanager
    def shown(self) -> Iterator["Steps"]:
        """Keep the bar on the screen while the context lasts."""
        if self._console.is_terminal:
            with self._progress:
                yield self
        else:
            yield self

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Name what is done now, and say how long it took when it ends well."""
        self._step = name
        self._progress.update(self._task, description=name)
        begin = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begin
        self._progress.advance(self._task)
        self._console.print(
            f"[{time.monotonic() - self._start:6.1f} s] {name} ({self.seconds[name]:.1f} s)", markup=False
        )

    def detail(self, line: str) -> None:
        """Show a tool's latest line beside the step; on a terminal only."""
        self._progress.update(self._task, description=f"{self._step}: {line.strip()[:60]}")

    def say(self, line: str) -> None:
        """Print a line that stays."""
        self._console.print(line, markup=False, soft_wrap=True)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines to standard error, as they are."""
    for line in lines:
        print(line, file=sys.stderr)
