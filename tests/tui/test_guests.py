"""The guests screen: the list, start and stop, a serial console in a pane."""

import asyncio
import dataclasses

import pytest

from nodelib.bus_access import ACCESS
from nodelib.bus_guests import ConsoleSend, GuestDeed, GuestRequest
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, Session, running
from tui.dialogs.confirm import ConfirmDialog
from tui.escape import DIGITS
from tui.frame import Frame
from tui.widgets.terminal_keys import text_of_key

DB1 = "00000000-0000-4000-8000-000000000002"


async def open_guests(session: Session) -> None:
    """Open the screen with the list on it."""
    await session.press("6")
    await session.wait_for(lambda: "Memory" in session.text)


async def open_console(session: Session) -> None:
    """Open the console of the second machine on the list, which asks for a login."""
    await open_guests(session)
    await session.press("down", "c")
    await unlock(session)
    await session.wait_for(lambda: "login:" in session.text)


async def unlock(session: Session) -> None:
    """Give the password that was asked for."""
    await session.wait_for(lambda: "Changes need the password" in session.text)
    await session.type("correct horse")
    await session.press("enter")
    await session.settle()


@pytest.mark.parametrize("machine", ["server", "small", "thirty-nics"])
def test_virtual_machines_are_listed(machine: str, picture: Picture) -> None:
    """State, processors and memory of each; a name that is too long keeps both its ends."""

    async def go() -> None:
        async with running(machine) as session:
            await open_guests(session)
            picture(f"guests-{machine}", session)

    asyncio.run(go())


def test_a_wide_terminal_shows_whole_names(picture: Picture) -> None:
    """With 120 columns nothing is shortened."""

    async def go() -> None:
        async with running("thirty-nics", look=COLOUR, size=(120, 40)) as session:
            await open_guests(session)
            picture("guests-wide", session)

    asyncio.run(go())


def test_power_off_is_confirmed_and_done(picture: Picture) -> None:
    """Nobody pulls a plug by one key; the list shows the new state."""

    async def go() -> None:
        async with running("server") as session:
            await open_guests(session)
            await session.press("down", "o")
            await session.wait_for(lambda: isinstance(session.app.screen, ConfirmDialog))
            picture("guests-poweroff", session)
            await session.press("right", "enter")
            await unlock(session)
            request = GuestRequest(DB1, GuestDeed.POWEROFF)
            await session.wait_for(lambda: ("GuestDo", request) in session.machine.calls)
            await session.wait_for(lambda: "db1    shut off" in session.text)

    asyncio.run(go())


def test_a_console_takes_every_key_and_leaves_by_one(picture: Picture) -> None:
    """Digits, q and function keys go to the machine; Ctrl-] brings the list back."""

    async def go() -> None:
        async with running("server") as session:
            await open_console(session)
            await session.type("root1q")
            await session.press("f1", "enter")
            await session.wait_for(lambda: session.text.count("login:") == 2)
            picture("guests-console", session)
            sent = [request for _, request in session.machine.calls if isinstance(request, ConsoleSend)]
            assert "".join(one.text for one in sent) == "root1q\x1bOP\r"
            await session.press("ctrl+right_square_bracket")
            await session.wait_for(lambda: "Memory" in session.text)
            assert any(name == "GuestConsoleClose" for name, _ in session.machine.calls)

    asyncio.run(go())


def test_the_program_s_own_keys_go_to_the_machine_too() -> None:
    """Those that go before all others elsewhere, and Esc with what came with it, as they were typed."""

    async def go() -> None:
        async with running("server") as session:
            await open_console(session)
            assert session.text.splitlines()[-1].strip() == "Ctrl-] Leave the console"
            after_esc = {digit: character for character, digit in DIGITS.items()}
            await session.press("ctrl+l", "tab", "ctrl+p", "escape", after_esc["3"], "alt+b", "ctrl+d")
            sent = [request for _, request in session.machine.calls if isinstance(request, ConsoleSend)]
            assert "".join(one.text for one in sent) == "\x0c\t\x10\x1b\x1b3\x1bb\x04"

    asyncio.run(go())


def test_a_lock_takes_the_console_away() -> None:
    """Whoever comes after the lock does not type into a machine that somebody had opened."""

    async def go() -> None:
        async with running("server") as session:
            await open_guests(session)
            await session.press("c")
            await unlock(session)
            await session.wait_for(lambda: "login:" in session.text)
            access = dataclasses.replace(session.machine.get(ACCESS), unlocked=False)
            session.machine.put(ACCESS, access)
            await session.app.node_watch.refresh()
            await session.wait_for(lambda: "Memory" in session.text)

    asyncio.run(go())


def test_another_page_and_back_keeps_the_console() -> None:
    """A console stays open while somebody looks elsewhere, and has the keys again afterwards."""

    async def go() -> None:
        async with running("server") as session:
            await open_guests(session)
            await session.press("c")
            await unlock(session)
            await session.wait_for(lambda: "login:" in session.text)
            frame = session.app.screen
            assert isinstance(frame, Frame)
            await frame.action_open("install")
            await session.settle()
            await frame.action_open("guests")
            await session.settle()
            await session.type("q7")
            await session.wait_for(lambda: "login: q7" in session.text)

    asyncio.run(go())


def test_a_console_that_ends_says_so() -> None:
    """What closes at the other side is told in the pane's head."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("6")
            await session.press("s")
            await session.wait_for(lambda: "No virtual machine is chosen" in session.text)
        async with running("server") as session:
            await open_guests(session)
            await session.press("c")
            await unlock(session)
            await session.wait_for(lambda: "login:" in session.text)
            await session.press("ctrl+d")
            await session.wait_for(lambda: "closed; Ctrl-] leaves" in session.text)

    asyncio.run(go())


def test_a_machine_that_is_off_has_no_console(picture: Picture) -> None:
    """The reason is said instead of an empty pane."""

    async def go() -> None:
        async with running("server") as session:
            await open_guests(session)
            await session.press("down", "down", "c")
            await session.wait_for(lambda: "has no console" in session.text)
            picture("guests-no-console", session)

    asyncio.run(go())


@pytest.mark.parametrize(
    ("key", "character", "text"),
    [
        ("a", "a", "a"),
        ("ctrl+c", "\x03", "\x03"),
        ("ctrl+l", "\x0c", "\x0c"),
        ("up", None, "\x1b[A"),
        ("alt+b", "b", "\x1bb"),
        ("f12", None, "\x1b[24~"),
        ("enter", "\r", "\r"),
        ("hyper+x", None, ""),
    ],
)
def test_keys_are_what_terminals_send(key: str, character: str | None, text: str) -> None:
    """Letters as they are, control and function keys as a terminal writes them."""
    assert text_of_key(key, character) == text


def test_arrows_change_where_a_program_asks_for_it() -> None:
    """An editor's application mode has other arrows."""
    assert text_of_key("up", None, application_keys=True) == "\x1bOA"
