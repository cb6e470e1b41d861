"""The table alone."""

import asyncio

from textual.app import App, ComposeResult

from tui.widgets.table import Table

ROWS = {"one": ("enp0s0f0np0", "port"), "two": ("br0", "bridge")}
SHORT = {"one": ("eth0", "port"), "two": ("br0", "bridge")}


class Alone(App[None]):
    """Shows nothing but a table."""

    def compose(self) -> ComposeResult:
        """Make it."""
        yield Table("Name", "Kind", id="links")


def starts(table: Table) -> list[int]:
    """Find where the second column begins, in the head and in each row."""
    lines = [table.render_line(number).text for number in range(3)]
    return [line.index(word) for line, word in zip(lines, ("Kind", "port", "bridge"), strict=True)]


def test_the_head_stands_over_its_columns_whenever_it_is_drawn() -> None:
    """Before the table had time for anything else as well as after, with longer and with shorter cells."""

    async def go() -> None:
        async with Alone().run_test(size=(80, 24)) as pilot:
            table = pilot.app.query_one(Table)
            for rows, place in ((SHORT, 5), (ROWS, 12), (SHORT, 5)):
                table.fill(rows)
                at_once = starts(table)
                await pilot.pause()
                assert at_once == starts(table) == [place] * 3

    asyncio.run(go())
