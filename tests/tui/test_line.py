"""A line of text: what changes within its row is drawn, and only what needs other room is laid out."""

import asyncio

import pytest
from textual.app import App, ComposeResult
from textual.content import Content

from tui.widgets.line import Line


class OneLine(App[None]):
    """A line, with another below it that its height moves."""

    def compose(self) -> ComposeResult:
        """Lay them out."""
        yield Line("a meter at 10 %", id="meter")
        yield Line("below")


@pytest.mark.parametrize(
    ("text", "lays_out"),
    [
        ("a meter at 11 %", False),
        (Content("a meter at 12 %, and more"), False),
        ("x" * 41, True),
        ("one row\nand another", True),
        ("", True),
        ("\u4e00" * 30, True),
    ],
)
def test_only_a_text_that_needs_other_room_is_laid_out(text: str | Content, lays_out: bool) -> None:
    """A line of 40 columns keeps its place while it says something else in one row."""

    async def go() -> None:
        app = OneLine()
        async with app.run_test(size=(40, 5)) as pilot:
            await pilot.pause()
            meter = app.query_one("#meter", Line)
            meter.show(text)
            assert meter._layout_required is lays_out
            await pilot.pause()
            plain = text.plain if isinstance(text, Content) else text
            shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
            assert plain.split("\n")[0][:20] in shown
            assert "below" in shown

    asyncio.run(go())
