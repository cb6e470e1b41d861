"""The palette: everything that the console does is found by a name that somebody may think of."""

import asyncio

import pytest
from textual.widgets import OptionList

from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, Session, running
from tests.tui.test_dialogs import apply
from tui.dialogs.choice import Choice, ChoiceDialog
from tui.dialogs.confirm import ConfirmDialog
from tui.dialogs.editing import EditDialog
from tui.dialogs.message import MessageDialog
from tui.dialogs.pending import PendingDialog
from tui.page import Page
from tui.palette import opening, page_choices
from tui.screen_table import SCREENS, page_class
from tui.texts import ENGLISH, say
from tui.widgets.fields import Field
from tui.widgets.press import Press

CHOICES = [choice for key in SCREENS for choice in (opening(key), *page_choices(page_class(key)))]


def found(typed: str) -> list[str]:
    """List what a text finds, by value."""
    return [choice.value for choice in CHOICES if choice.matches(typed)]


WORDS = {
    "proxy": "network names",
    "hostname": "network names",
    "host name": "network names",
    "dns": "network names",
    "ntp": "network names",
    "keyboard": "system edit('system.keymap')",
    "keymap": "system edit('system.keymap')",
    "timezone": "system edit('system.timezone')",
    "time zone": "system edit('system.timezone')",
    "join": "join join",
    "leave": "join leave",
    "remove password": "security remove_password",
    "apply ssh": "security save",
    "apply keyboard": "system save",
    "gateway": "network probe('gateway')",
    "test dns": "network probe('dns')",
    "test engine": "network probe('engine')",
    "ping": "network probe('host')",
    "bond": "network make('bond')",
    "vlan": "network make('vlan')",
    "ssh": "security edit('access.ssh')",
    "idle": "security edit('access.idle_lock')",
    "reboot": "system end('reboot')",
    "shutdown": "system end('poweroff')",
    "upgrade": "system update",
    "iqn": "storage initiator",
    "self-check": "support check",
    "token": "join edit('engine.token')",
}


@pytest.mark.parametrize("typed", WORDS)
def test_what_people_call_it_finds_it(typed: str) -> None:
    """By its label, by a part of that, and by words that the label has not."""
    assert WORDS[typed] in found(typed)


@pytest.mark.parametrize("key", SCREENS)
def test_every_button_and_setting_of_a_screen_is_found(key: str) -> None:
    """Its label, with the screen's name, finds an action that the screen has."""

    async def go() -> None:
        async with running("server", first=key) as session:
            page = session.app.screen.query_one(f"#{key}", Page)
            labels = [press._label for press in page.query(Press)]
            labels += [field._label for field in page.query(Field)]
            title = say(f"{key}.title")
            assert [label for label in labels if not found(f"{title} {label}")] == []
            for choice in page_choices(type(page)):
                name = choice.value.split()[1].partition("(")[0]
                assert hasattr(page, f"action_{name}"), choice

    asyncio.run(go())


def test_other_words_are_of_texts_that_there_are() -> None:
    """A text that goes takes its other words with it."""
    names = {text for key in SCREENS for _, text in page_class(key).DEEDS if text.startswith("find.")}
    others = [key.removeprefix("find.") for key in ENGLISH if key.startswith("find.") and key not in names]
    assert [text for text in others if text not in ENGLISH] == []


async def choose(session: Session, typed: str) -> None:
    """Find something and take it."""
    await session.press("ctrl+p", *typed, "enter")


def test_keys_are_shown_with_what_they_do(picture: Picture) -> None:
    """The digit of the screen, and the key that works there."""

    async def go() -> None:
        async with running("server", look=COLOUR) as session:
            await session.press("ctrl+p", *"lease")
            assert "Network: Lease to static" in session.text
            assert "3 k" in session.text
            await session.press("escape", "ctrl+p", *"leave")
            picture("palette-leave", session)

    asyncio.run(go())


@pytest.mark.parametrize(
    ("typed", "field"),
    [("keyboard", "system.keymap"), ("timezone", "system.timezone"), ("lock after", "access.idle_lock")],
)
def test_a_setting_is_found_and_has_the_focus(typed: str, field: str) -> None:
    """Its screen opens, and what is pressed next is for it."""

    async def go() -> None:
        async with running("small") as session:
            await choose(session, typed)
            focused = session.app.focused
            assert focused is not None
            assert field in [above.name for above in focused.ancestors]

    asyncio.run(go())


@pytest.mark.parametrize(
    ("typed", "dialog"),
    [
        ("remove password", ConfirmDialog),
        ("hostname", EditDialog),
        ("test gateway", MessageDialog),
        ("new bond", EditDialog),
    ],
)
def test_a_deed_without_a_key_is_begun(typed: str, dialog: type[object]) -> None:
    """As by its button, or from the middle of a menu."""

    async def go() -> None:
        async with running("server") as session:
            await choose(session, typed)
            await session.wait_for(lambda: isinstance(session.app.screen, dialog))

    asyncio.run(go())


def test_a_change_that_waits_is_decided_by_name() -> None:
    """It is offered while there is one."""

    async def go() -> None:
        async with running() as session:
            await session.press("ctrl+p", *"decide")
            assert say("dialog.nothing_matches") in session.text
            await session.press("escape")
            await apply(session)
            await session.press("escape")
            await choose(session, "decide")
            await session.wait_for(lambda: isinstance(session.app.screen, PendingDialog))

    asyncio.run(go())


def test_a_session_is_left_by_name() -> None:
    """Where there is one to leave."""

    async def go() -> None:
        async with running(look=COLOUR) as session:
            await session.press("ctrl+p", *"leave the session", "enter")
            assert session.app._exit

    asyncio.run(go())


def test_a_list_that_grows_keeps_its_mark() -> None:
    """What is added while somebody chooses stands below, filtered as the rest is."""

    async def go() -> None:
        async with running() as session:
            dialog = ChoiceDialog("Which?", [Choice(str(number), f"one {number}") for number in range(9)])
            session.app.push_screen(dialog)
            await session.settle()
            await session.press("down", "down")
            dialog.extend([Choice("more", "one more"), Choice("other", "other")])
            await session.settle()
            options = dialog.query_one(OptionList)
            assert (options.highlighted, options.option_count) == (2, 11)
            await session.type("one")
            dialog.extend([Choice("last", "another one")])
            assert options.option_count == 11

    asyncio.run(go())
