"""What differs between two pictures, as few bytes as that takes: for lines of a thousand bytes a second."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby

from rich.color import ColorSystem
from rich.style import Style
from textual.strip import Strip

GAP = 6
"""Unchanged cells between two changes that are sent along: moving the cursor takes as many bytes."""
CLEAR = "\x1b[0m\x1b[2J"
CLEAR_REST = "\x1b[K"
PLAIN = Style()
BLANK = (" ", PLAIN)

Cell = tuple[str, Style]


class Picture:
    """What a terminal shows."""

    def __init__(self) -> None:
        self._rows: list[list[Cell]] = []
        self._strips: list[Strip | None] = []
        """What each row was made of: to compare that is a hundred times cheaper than to take it apart."""
        self._size = (0, 0)

    def forget(self) -> None:
        """Draw everything next time."""
        self._size = (0, 0)

    def change(self, strips: Sequence[Strip], width: int, colours: ColorSystem) -> str:
        """Give what a terminal must be sent to show these lines instead; empty for nothing."""
        sent = []
        if (width, len(strips)) != self._size:
            self._size = (width, len(strips))
            self._rows = [[BLANK] * width for _ in strips]
            self._strips = [None] * len(strips)
            sent.append(CLEAR)
        for y, strip in enumerate(strips):
            if strip != self._strips[y]:
                now = cells_of(strip, width)
                differing = change_row(self._rows[y], now, colours)
                sent += [f"\x1b[{y + 1};{x + 1}H{text}" for x, text in differing]
                self._rows[y], self._strips[y] = now, strip
        return "".join(sent)


def cells_of(strip: Strip, width: int) -> list[Cell]:
    """Take a line apart; what is shown the same compares the same. Every character has to be one cell."""
    cells = [
        (letter, seen_style(style or PLAIN, blank=letter == " "))
        for text, style, control in strip
        if not control
        for letter in text
    ]
    return (cells + [BLANK] * width)[:width]


@lru_cache(maxsize=512)
def seen_style(style: Style, *, blank: bool) -> Style:
    """Leave out of a style what cannot be seen: what a click means, and a blank's colour and weight."""
    style = style.clear_meta_and_links() if style.meta or style.link else style
    if blank and not style.reverse and not style.underline:
        return Style(bgcolor=style.bgcolor) if style.bgcolor else PLAIN
    return style or PLAIN


def change_row(
    before: Sequence[Cell], now: Sequence[Cell], colours: ColorSystem
) -> Iterator[tuple[int, str]]:
    """Give each place of a row where something else is to be shown, and what to send there."""
    width = len(now)
    differing = [x for x in range(width) if before[x] != now[x]]
    # Where the rest of a row becomes blank, one sequence wipes it.
    end = next((x + 1 for x in reversed(range(width)) if now[x] != BLANK), 0)
    wiped = [x for x in differing if x >= end]
    for start, stop in runs([x for x in differing if x < end]):
        yield start, draw(now[start:stop], colours)
    if wiped:
        yield wiped[0], CLEAR_REST


def runs(places: Sequence[int]) -> list[tuple[int, int]]:
    """Put places that are near one another together."""
    found: list[tuple[int, int]] = []
    for place in places:
        if found and place - found[-1][1] <= GAP:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found


def draw(cells: Sequence[Cell], colours: ColorSystem) -> str:
    """Write cells with as few changes of style as possible."""
    groups = groupby(cells, key=lambda cell: cell[1])
    return "".join(
        style.render("".join(letter for letter, _ in group), color_system=colours) for style, group in groups
    )
