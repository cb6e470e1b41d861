"""Details of one thing below a table of many: a name, and beside it what is so named; long texts wrap."""

import textwrap
from collections.abc import Mapping, Sequence

from textual.widget import Widget

NAME = 15
"""Columns of a name."""
NARROWEST = 40
BESIDE_TEXT = 3
"""Columns of a page that are none of a text's: two of padding, one of the scroll bar."""


def room_in(page: Widget) -> int:
    """Count the columns for text in a page, whether its scroll bar is there or not: else lines would jump."""
    return max(page.outer_size.width - BESIDE_TEXT, 0)


def write_details(details: Sequence[tuple[str, str]], width: int) -> str:
    """Write names and texts, a line of text below the other; what has no text is left out."""
    lines = []
    for name, text in details:
        head = name.ljust(NAME)
        for line in text.splitlines():
            lines += textwrap.wrap(
                line,
                max(width, NARROWEST),
                initial_indent=head,
                subsequent_indent=" " * NAME,
                break_on_hyphens=False,
            )
            head = " " * NAME
    return "\n".join(lines)


def shorten(text: str, room: int) -> str:
    """Leave the middle out of a text that is too long: its two ends tell it from others."""
    if len(text) <= room:
        return text
    behind = (room - 3) // 2
    return f"{text[: room - 3 - behind]}...{text[len(text) - behind :]}"


def fit_last(
    rows: Mapping[str, Sequence[str]], names: Sequence[str], width: int
) -> dict[str, tuple[str, ...]]:
    """Shorten the last cell of each row, so that a table with these columns is no wider than that."""
    several = [names, *rows.values()]
    others = sum(max(len(row[column]) for row in several) + 1 for column in range(len(names) - 1))
    # One column is the blank behind the last cell, one the scroll bar's.
    room = max(width - others - 2, len(names[-1]))
    return {key: (*row[:-1], cut(row[-1], room)) for key, row in rows.items()}


def cut(text: str, room: int) -> str:
    """Leave the end out of a text that is too long."""
    return text if len(text) <= room else f"{text[: max(room - 3, 0)]}..."
