"""The frame: pages, keys, lock, a change that waits, an agent that is away."""

import asyncio
from pathlib import Path

import pytest

from nodelib.errors import Code, VirtnodeError
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, running
from tui.dialogs.message import MessageDialog
from tui.dialogs.password import PasswordDialog
from tui.frame import Frame
from tui.screen_table import SCREENS, digit
from tui.screens.status import StatusPage
from tui.texts import say


@pytest.mark.parametrize("key", SCREENS)
def test_a_digit_opens_each_screen(key: str) -> None:
    """Every screen opens by its digit, and has its title."""

    async def go() -> None:
        async with running() as session:
            await session.press(digit(key))
            frame = session.app.screen
            assert isinstance(frame, Frame)
            assert frame.page is not None
            assert frame.page.id == key
            assert f">{digit(key)}" in session.text

    asyncio.run(go())


def test_a_change_asks_for_the_password_and_is_repeated() -> None:
    """A locked node asks, says that a password is wrong, and then does what was asked for."""

    async def go() -> None:
        async with running("server") as session:
            assert say("frame.locked") in session.text
            await session.press("f12", "down", "enter")
            await session.press("right", "enter")
            await session.wait_for(lambda: isinstance(session.app.screen, PasswordDialog))
            await session.type("wrong")
            await session.press("enter")
            await session.wait_for(lambda: "The password is wrong" in session.text)
            await session.type("correct horse")
            await session.press("enter")
            await session.wait_for(lambda: say("power.stop_question") in session.text)
            await session.press("right", "enter")
            await session.wait_for(lambda: isinstance(session.app.screen, MessageDialog))
            assert session.machine.notes["ended"] == "reboot"
            assert say("frame.locked") not in session.text

    asyncio.run(go())


def test_an_agent_that_is_away_is_a_banner(picture: Picture) -> None:
    """The last known data stays, a banner says why there is no newer, and goes when the agent is back."""

    async def go() -> None:
        async with running() as session:
            session.machine.refusal = VirtnodeError(
                Code.UNAVAILABLE, "it is not running", "its journal says why"
            )
            await session.app.node_watch.refresh()
            await session.settle()
            picture("away", session)
            session.machine.refusal = None
            await session.app.node_watch.refresh()
            await session.settle()
            assert say("state.silent") not in session.text

    asyncio.run(go())


def test_each_screen_and_key_is_documented() -> None:
    """docs/console.md has every screen by its digit and title, and every key of the frame."""
    page = (Path(__file__).parent.parent.parent / "docs/console.md").read_text()
    for key in SCREENS:
        assert f"| `{digit(key)}` | {say(f'{key}.title')} |" in page
    for name in ("F1", "F2", "F12", "Ctrl-G", "Ctrl-O", "Ctrl-T", "Ctrl-P", "Ctrl-L", "Ctrl-D", "Esc", "q"):
        assert f"`{name}`" in page


def test_news_before_a_page_is_laid_out_wait_for_it() -> None:
    """An agent answers when it likes: a page that is not complete yet keeps what is new."""

    async def go() -> None:
        async with running() as session:
            page = StatusPage(session.app.dialogue)
            page.take(session.app.node_watch.seen)
            assert page.seen.heard

    asyncio.run(go())


def test_only_a_session_can_be_left() -> None:
    """On the machine's own console q does nothing; over SSH it ends the session."""

    async def go() -> None:
        async with running() as session:
            await session.press("q")
            assert session.app.is_running
        async with running(look=COLOUR) as session:
            await session.press("q")
            assert session.app._exit

    asyncio.run(go())
