"""The frame: pages, keys, lock, a change that waits, an agent that is away."""

import asyncio
import dataclasses
import sys
from pathlib import Path

import pytest

from nodelib.bus_system import METERS
from nodelib.errors import Code, VirtnodeError
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, running
from tests.tui.terminals import console
from tui.dialogs.message import MessageDialog
from tui.dialogs.password import PasswordDialog
from tui.frame import Frame
from tui.page import Page
from tui.screen_table import SCREENS, digit, load_page
from tui.screens.status import StatusPage
from tui.texts import say
from tui.widgets.fields import TextField


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


@pytest.mark.parametrize("key", SCREENS)
def test_esc_and_a_digit_lead_from_a_field_to_a_screen(key: str) -> None:
    """The way out of a field is that to any other screen, however fast the two are pressed."""

    async def go() -> None:
        async with running(first="join") as session:
            await session.press("2", "x", "escape", digit(key))
            assert session.app.screen.query(Page).filter(f"#{key}").first().display
            assert len(session.app.screen_stack) == 1

    asyncio.run(go())


def test_esc_and_a_digit_that_arrive_in_one_go_are_two_keys() -> None:
    """A serial line sends them together, and so does Alt with a digit: in a field as in a dialog."""
    with console("small", term="vt102", words=("--screen", "join")) as (terminal, _):
        terminal.wait_for(lambda text: "CA pin" in text)
        terminal.send(b"\tengine\x1b3")
        terminal.wait_for(lambda text: ">3" in text)
        terminal.send(b"\x0f\x1b0")
        terminal.wait_for(lambda text: ">0" in text)
        terminal.send(b"2")
        terminal.wait_for(lambda text: "[engine  " in text)


def test_esc_and_a_letter_that_arrive_in_one_go_are_two_keys() -> None:
    """The field is left, and the letter is the screen's."""

    async def go() -> None:
        async with running(first="join") as session:
            await session.press("2", "alt+l")
            await session.wait_for(lambda: say("join.not_joined") in session.text)
            assert [field.value for field in session.app.screen_stack[0].query(TextField)] == ["", "", ""]

    asyncio.run(go())


@pytest.mark.parametrize(("term", "lang"), [("vt102", "C"), ("xterm-256color", "C.UTF-8")])
def test_what_other_programs_wrote_over_the_screen_goes(term: str, lang: str) -> None:
    """Ctrl-L draws every line anew, also where only differences are sent."""
    with console("small", term=term, lang=lang) as (terminal, _):
        terminal.wait_for(lambda text: "VMs running" in text and "^P Find" in text)
        terminal.wait_for_silence(1.0)
        before = terminal.text
        terminal.damage("kernel: something happened\r\n" * 30)
        terminal.wait_for_silence(1.0)
        assert "kernel:" in terminal.text
        terminal.send(b"\x0c")
        terminal.wait_for(lambda text: "kernel:" not in text)
        terminal.wait_for(lambda text: text == before)


def test_what_takes_its_time_shows_that_it_does() -> None:
    """A call that is over at once shows nothing; another is seen to be under way until it is over."""

    async def go() -> None:
        async with running(first="support", delay=1.0) as session:
            await session.wait_for(lambda: say("frame.working") not in session.text)
            session.type_ahead("c")
            await session.wait_for(lambda: say("frame.working") in session.text.splitlines()[0])
            await session.wait_for(lambda: say("frame.working") not in session.text)
        async with running(first="support") as session:
            await session.press("c")
            assert say("frame.working") not in session.text

    asyncio.run(go())


def test_screens_are_loaded_while_the_console_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and drawing have their turn before each screen that was not loaded yet."""
    for key in SCREENS:
        monkeypatch.delitem(sys.modules, f"tui.screens.{key}", raising=False)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def go() -> None:
        counting = asyncio.create_task(count())
        for key in SCREENS:
            before = turns
            page = await load_page(key)
            assert key == page.KEY
            assert turns > before
        counting.cancel()

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


def test_who_closes_the_question_for_the_password_hears_of_no_error() -> None:
    """Nothing was done, which is what was wanted."""

    async def go() -> None:
        async with running("server") as session:
            await session.press("f12", "down", "enter")
            await session.press("right", "enter")
            await session.wait_for(lambda: isinstance(session.app.screen, PasswordDialog))
            await session.press("escape")
            await session.wait_for(lambda: isinstance(session.app.screen, Frame))
            assert "ended" not in session.machine.notes

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


def test_a_screen_that_nobody_touches_looks_at_its_meters_less_often() -> None:
    """A minute after the last key the node's processor is left to the node; a key brings them back."""

    async def go() -> None:
        async with running("small", look=COLOUR) as session:
            assert session.app.meters_pause() == 2.0
            session.clock.now += 61
            assert session.app.meters_pause() == 10.0
            await session.press("tab")
            assert session.app.meters_pause() == 2.0

    asyncio.run(go())


@pytest.mark.parametrize(
    ("uptime", "said"),
    [(240, "up 4 min"), (3599, "up 59 min"), (5400, "up 1 h 30 min"), (5999, "up 1 h 30 min")],
)
def test_minutes_are_told_in_the_first_hour(uptime: int, said: str) -> None:
    """Did it restart just now? Later a console that is always on draws its first line every ten minutes."""

    async def go() -> None:
        async with running() as session:
            meters = dataclasses.replace(session.machine.get(METERS), uptime=uptime)
            session.app.node_watch._tell(meters=meters)
            await session.settle()
            assert session.text.splitlines()[0].endswith(said)

    asyncio.run(go())


def test_an_agent_that_has_not_answered_yet_is_not_said_to_be_silent() -> None:
    """After a start the console may be there first."""

    async def go() -> None:
        async with running(delay=60.0, heard=False) as session:
            session.app.node_watch._tell(trouble="it is not running", hint="its journal may say why")
            await session.settle()
            assert "no answer yet" in session.text
            assert "takes a moment after a start" in " ".join(session.text.split())

    asyncio.run(go())
