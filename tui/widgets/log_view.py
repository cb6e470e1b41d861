"""Lines of the journal: at most so many, wrapped, scrolled, searched; only what is seen is drawn."""

import textwrap
import time
from collections import deque
from collections.abc import Iterable
from typing import ClassVar

from rich.cells import chop_cells
from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from nodelib.bus_support import JournalEntry
from tui.texts import say

MOST = 1000
"""Entries that are kept; older ones go."""
BAD, WARNING = 3, 4
"""Priorities as syslog counts."""
INDENT = "  "
NARROWEST = 20


class LogView(ScrollView, can_focus=True):
    """Stays at the end while it is there; the entry that was found is in reverse, others found are bold."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--bad", "log--warning", "log--found", "log--current"}
    DEFAULT_CSS = """
    LogView { height: 1fr; width: 100%; scrollbar-size: 1 1; overflow-x: hidden; }
    LogView > .log--bad { color: $text-error; text-style: bold; }
    LogView > .log--warning { color: $text-warning; }
    LogView > .log--found { text-style: bold; }
    LogView > .log--current { text-style: reverse; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._entries: deque[JournalEntry] = deque(maxlen=MOST)
        self._wrapped: deque[list[str]] = deque(maxlen=MOST)
        self._rows: list[tuple[int, str]] = []
        """Each line that can be scrolled to, and the number of its entry."""
        self._found: list[int] = []
        self._current = -1
        self._needle = ""
        self._width = 0
        self._at_end = True

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """What is kept, from old to new."""
        return tuple(self._entries)

    @property
    def found(self) -> tuple[int, int]:
        """Which of the entries that were found is shown, from 1, and how many there are."""
        return (self._found.index(self._current) + 1 if self._current in self._found else 0, len(self._found))

    def fill(self, entries: Iterable[JournalEntry]) -> None:
        """Show these, from their end."""
        self._entries.clear()
        self._wrapped.clear()
        self._current = -1
        self._take(entries)
        self.scroll_end(animate=False, immediate=False)

    def append(self, entries: Iterable[JournalEntry]) -> None:
        """Show these too, but what is there already; the place that one reads at stays."""
        known = set(self._entries)
        fresh = [entry for entry in entries if entry not in known]
        if not fresh:
            return
        at_end = self.scroll_offset.y >= self.max_scroll_y
        gone = max(len(self._entries) + len(fresh) - MOST, 0)
        rows_gone = sum(number < gone for number, _ in self._rows)
        self._current -= gone
        self._take(fresh)
        if at_end:
            self.scroll_end(animate=False, immediate=False)
        elif rows_gone:
            self.scroll_to(y=max(self.scroll_offset.y - rows_gone, 0), animate=False)

    def search(self, needle: str) -> None:
        """Go to the newest entry with a text; an empty one ends the search."""
        self._needle = needle.casefold()
        self._find()
        self._go(self._found[-1] if self._found else -1)

    def step(self, step: int) -> None:
        """Go to a newer or an older one of those found, round the ends."""
        if self._found:
            place = self._found.index(self._current) if self._current in self._found else 0
            self._go(self._found[(place + step) % len(self._found)])

    def on_resize(self, event: events.Resize) -> None:
        """Wrap it all anew, and stay at the end."""
        at_end = self._at_end
        self._take(())
        if at_end:
            self.scroll_end(animate=False, immediate=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Note whether the end is seen."""
        super().watch_scroll_y(old_value, new_value)
        self._at_end = new_value >= self.max_scroll_y

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        width, place = self.size.width, y + self.scroll_offset.y
        base = self.rich_style
        if place >= len(self._rows):
            return Strip.blank(width, base)
        number, text = self._rows[place]
        style = base
        priority = self._entries[number].priority
        if priority <= WARNING:
            style += self.get_component_rich_style("log--bad" if priority <= BAD else "log--warning")
        if number in self._found:
            style += self.get_component_rich_style("log--found")
        if number == self._current:
            style += self.get_component_rich_style("log--current")
        return Strip([Segment(text, style)]).adjust_cell_length(width, base)

    def _take(self, entries: Iterable[JournalEntry]) -> None:
        """Keep more entries; all of it is wrapped anew if the width is another."""
        width = max(self.scrollable_content_region.width, NARROWEST)
        if width != self._width:
            self._width = width
            self._wrapped.clear()
            self._wrapped.extend(wrap_entry(entry, width) for entry in self._entries)
        for entry in entries:
            self._entries.append(entry)
            self._wrapped.append(wrap_entry(entry, width))
        self._rows = [(number, row) for number, rows in enumerate(self._wrapped) for row in rows]
        self.virtual_size = Size(width, len(self._rows))
        self._find()
        self.refresh()

    def _find(self) -> None:
        self._found = [
            number
            for number, entry in enumerate(self._entries)
            if self._needle and self._needle in describe_entry(entry).casefold()
        ]

    def _go(self, number: int) -> None:
        self._current = number
        places = [place for place, (owner, _) in enumerate(self._rows) if owner == number]
        if places:
            self.scroll_to(y=max(places[0] - self.size.height // 2, 0), animate=False)
        self.refresh()


def describe_entry(entry: JournalEntry) -> str:
    """Write an entry as one line: when, who, how bad if it is, what."""
    when = time.strftime("%m-%d %H:%M:%S", time.localtime(entry.time))
    unit = entry.unit.removesuffix(".service")
    bad = f"{say(f'logs.level.{max(entry.priority, 0)}')}: " if entry.priority <= WARNING else ""
    return f"{when} {unit}: {bad}{entry.text}"


def wrap_entry(entry: JournalEntry, width: int) -> list[str]:
    """Break an entry's line where it has to be: nothing of it is lost."""
    text = describe_entry(entry)
    if text.isascii():
        wrapper = textwrap.TextWrapper(width, subsequent_indent=INDENT, break_on_hyphens=False)
        return wrapper.wrap(text)
    # Wide letters take two cells, which textwrap does not know.
    first, *more = chop_cells(text, width - len(INDENT))
    return [first, *(f"{INDENT}{row}" for row in more)]
