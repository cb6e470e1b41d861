"""Tables and sizes for people: drawn to a terminal's width, plain and never folded anywhere else."""

import sys

from rich.console import Console
from rich.table import Table

_PLAIN_WIDTH = 1000
"""Columns; wide enough that nothing that is read by a program or kept in a log is folded."""


def make_console() -> Console:
    """Make the console for standard output."""
    is_terminal = sys.stdout.isatty()
    return Console(highlight=False, markup=False, soft_wrap=True, width=None if is_terminal else _PLAIN_WIDTH)


def make_table(*columns: str, title: str = "") -> Table:
    """Make an unframed table; columns whose name begins with `>` are numbers, set to the right."""
    table = Table(
        box=None, pad_edge=False, show_header=any(columns), title=title or None, title_justify="left"
    )
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    return table


def megabytes(size: int) -> str:
    """Write a size in bytes as decimal megabytes, small ones as kilobytes."""
    return f"{size / 10**6:.1f} MB" if size >= 10**5 else f"{size / 1000:.1f} kB"


def percent(part: int, whole: int) -> str:
    """Write what share of a whole a part is."""
    return f"{100 * part / whole:.1f} %" if whole else "-"
