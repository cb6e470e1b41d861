"""The last line: keys that work now, and none that does not."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from textual.screen import ModalScreen
from textual.widgets import Input

from tests.tui.sessions import COLOUR, Session, running
from tui.dialogs.choice import Choice, ChoiceDialog
from tui.dialogs.confirm import ConfirmDialog
from tui.dialogs.editing import EditDialog
from tui.dialogs.entry import EntryDialog
from tui.dialogs.help import HelpDialog
from tui.dialogs.message import MessageDialog
from tui.page import Page
from tui.screen_table import SCREENS, digit
from tui.texts import say
from tui.widgets.fields import SwitchField, TextField
from tui.widgets.footer import Hint, Hints, wrap_hints, write_hints
from tui.widgets.line import Line

HINTS = Hints(
    [Hint("F1", "Help")],
    [Hint("c", "Change"), Hint("n", "DNS, NTP"), Hint("x", "Reset")],
    [Hint("Esc", "Back"), Hint("^P", "Find")],
)


def shown(session: Session) -> str:
    """Read the last line of the screen."""
    return session.text.splitlines()[-1].strip()


@pytest.mark.parametrize("width", range(90))
def test_no_width_cuts_a_label(width: int) -> None:
    """Keys are shown whole or not at all; what is left out is marked, and what matters most stays longest."""
    text = write_hints(HINTS, width)
    assert len(text) <= width
    hints = [str(hint) for part in HINTS for hint in part]
    parts = text.split("  ") if text else []
    assert [part for part in parts if part not in (*hints, "...")] == []
    assert ("..." in parts) == (bool(parts) and not set(hints) <= set(parts))
    if any(str(hint) in parts for hint in HINTS.middle):
        assert {"F1 Help", "Esc Back", "^P Find"} <= set(parts)


def test_keys_take_as_many_lines_as_they_need() -> None:
    """A line ends before a label would be cut."""
    assert wrap_hints(HINTS.middle, 22) == ["c Change  n DNS, NTP", "x Reset"]


@pytest.mark.parametrize("key", SCREENS)
def test_help_back_and_find_are_shown_on_every_screen(key: str) -> None:
    """At 80 columns too; what there is no room for the help lists."""

    async def go() -> None:
        async with running("server") as session:
            await session.press(digit(key))
            for hint in ("F1 Help", "Esc Back", "^P Find"):
                assert hint in shown(session)
            await session.press("f1")
            page = session.app.screen_stack[0].query(Page).filter(f"#{key}").first()
            told = session.app.screen.query(".body Line").results(Line)
            text = "\n".join(str(line.text) for line in told)
            for binding in page.key_table.values():
                assert f" {say(binding.description)}" in text

    asyncio.run(go())


def test_in_a_field_no_key_is_shown_that_would_be_typed() -> None:
    """What the footer shows of a page goes while letters are text, and is back afterwards."""

    async def go() -> None:
        async with running(look=COLOUR) as session:
            await session.press("2")
            assert isinstance(session.app.focused, Input)
            assert shown(session).startswith("F1 Help  Enter Next  Tab Next  F2 Customise")
            await session.press("escape")
            assert shown(session).count("l Leave the engine") == 1
            await session.press("7", "tab", "tab")
            assert isinstance(session.app.focused, Input)
            assert shown(session).startswith("F1 Help  Tab Next")

    asyncio.run(go())


DIALOGS: dict[str, tuple[Callable[[], ModalScreen[Any]], str]] = {
    "message": (lambda: MessageDialog("it is so"), "F1 Help  Enter Press  Esc Back"),
    "confirm": (lambda: ConfirmDialog("Is it so?"), "F1 Help  Enter Press  Esc Back"),
    "choice": (lambda: ChoiceDialog("Which?", [Choice("a", "a")]), "F1 Help  Enter Choose  Esc Back"),
    "entry": (lambda: EntryDialog("Which?", "Name"), "F1 Help  Enter OK  Tab Next  Esc Back"),
    "form": (
        lambda: EditDialog("Which?", [TextField("a", "Name")]),
        "F1 Help  Enter Next  Tab Next  Esc Back",
    ),
    "switch": (lambda: EditDialog("Which?", [SwitchField("a", "On")]), "F1 Help  Space Switch  Esc Back"),
}


@pytest.mark.parametrize("name", DIALOGS)
def test_a_dialog_shows_its_own_keys(name: str) -> None:
    """None of the page's, which do not work over it; the help is there too."""
    make, expected = DIALOGS[name]

    async def go() -> None:
        async with running() as session:
            dialog = make()
            session.app.push_screen(dialog)
            await session.settle()
            assert shown(session) == expected
            await session.press("f1")
            assert isinstance(session.app.screen, HelpDialog)
            assert shown(session) == "Enter Press  Esc Back"
            await session.press("f1", "escape")
            assert session.app.screen is dialog

    asyncio.run(go())


def test_the_footer_takes_the_room_that_there_is() -> None:
    """A terminal that grows shows more."""

    async def go() -> None:
        async with running("server") as session:
            await session.press("3")
            assert "..." in shown(session)
            await session.pilot.resize_terminal(200, 24)
            await session.wait_for(lambda: "x Reset" in shown(session))
            assert "..." not in shown(session)

    asyncio.run(go())
