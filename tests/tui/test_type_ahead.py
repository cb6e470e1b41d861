"""What is typed before the screen has followed: no key goes where it was not meant."""

import asyncio
import time
from collections.abc import Callable

import pytest
from textual.widgets import Input

from tests.tui.sessions import COLOUR, Session, running
from tui.dialogs.choice import ChoiceDialog
from tui.dialogs.editing import EditDialog
from tui.texts import say
from tui.type_ahead import PATIENCE
from tui.widgets.fields import TextField

SLOW = 0.2
"""Seconds that a slow node takes for each answer."""


def filtered(session: Session) -> str:
    """Read what was typed into a list's filter."""
    screen = session.app.screen
    fields = screen.query(Input) if isinstance(screen, ChoiceDialog) else ()
    return "".join(field.value for field in fields)


def title(session: Session) -> str:
    """Read the title of the dialog that is open."""
    return str(getattr(session.app.screen, "_heading", ""))


AHEAD: dict[str, tuple[tuple[str, ...], Callable[[Session], bool]]] = {
    "palette": (("ctrl+p", *"query"), lambda session: filtered(session) == "query"),
    "customise": (("f2", "down", "enter"), lambda session: ">3" in session.text),
    "customise-q": (("f2", "q"), lambda session: title(session) == say("dialog.customise")),
    "power": (("f12", "down", "enter"), lambda session: title(session) == say("power.confirm_reboot")),
    "power-q": (("f12", "q"), lambda session: title(session) == say("power.title")),
    "digit": (("3", "t", "down", "enter"), lambda session: isinstance(session.app.screen, EditDialog)),
    "digits": (("3", "4", "9", "5"), lambda session: ">5" in session.text),
    "button": (
        ("9", "tab", "enter", "down", "enter"),
        lambda session: any(name == "Bundle" for name, _ in session.machine.calls),
    ),
    "field": (
        ("2", *"engine", "tab", *"sha256", "escape", "2", "escape", "0"),
        lambda session: (
            ">0" in session.text
            and [field.value for field in session.app.screen.query(TextField)][:2] == ["engine", "sha256"]
        ),
    ),
}


@pytest.mark.parametrize("name", AHEAD)
def test_keys_wait_for_what_the_one_before_began(name: str) -> None:
    """However late the node answers, a dialog gets what was typed for it, and the page below nothing."""
    keys, arrived = AHEAD[name]

    async def go() -> None:
        async with running(look=COLOUR, delay=SLOW) as session:
            session.type_ahead(*keys)
            await session.wait_for(lambda: arrived(session))
            assert session.app.is_running

    asyncio.run(go())


def test_keys_do_not_wait_for_ever() -> None:
    """A deed that shows nothing leaves the keys to the page after a while."""

    async def go() -> None:
        async with running(look=COLOUR, first="support", delay=60.0, heard=False) as session:
            begun = time.monotonic()
            session.type_ahead("c", "3")
            await session.wait_for(lambda: ">3" in session.text)
            assert time.monotonic() - begun >= PATIENCE

    asyncio.run(go())
