"""What is chosen can be told without colour: its row is in reverse."""

import asyncio
import io

import pytest
from rich.console import Console

from tests.tui.sessions import Session, running


def reversed_text(session: Session) -> str:
    """Return what is drawn in reverse."""
    app = session.app
    console = Console(width=app.size.width, height=app.size.height, file=io.StringIO(), force_terminal=True)
    render = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    assert render is not None
    return "".join(part.text for part in console.render(render) if part.style and part.style.reverse)


@pytest.mark.parametrize(
    ("keys", "marked", "next_one"),
    [
        (("f12",), "Maintenance", "Restart"),
        (("3", "enter"), "Change its addresses", "Test the network"),
        (("0", "tab", "enter", "down"), "Europe/Berlin", "Europe/London"),
        (("ctrl+p",), "Go to Status", "Go to Join an engine"),
    ],
)
def test_what_is_chosen_is_in_reverse(keys: tuple[str, ...], marked: str, next_one: str) -> None:
    """In a dialog's list, with a filter above it or not; the mark follows the arrows."""

    async def go() -> None:
        async with running() as session:
            await session.press(*keys)
            before = reversed_text(session)
            await session.press("down")
            after = reversed_text(session)
            assert (marked in before, next_one in before) == (True, False), before
            assert (marked in after, next_one in after) == (False, True), after

    asyncio.run(go())
