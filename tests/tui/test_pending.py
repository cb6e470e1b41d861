"""A change that waits: Ctrl-D decides wherever one is, and the question goes with the change."""

import asyncio
import dataclasses
from collections.abc import Mapping
from concurrent.futures import Future

from textual.widgets import Input

from nodelib.bus import CONFIG_CONFIRM, STATUS, PendingChange
from nodelib.bus_guests import ConsoleSend
from nodelib.bus_system import Meters
from nodelib.link import ConfirmRequest, Nothing
from tests.tui.sessions import Session, running
from tests.tui.test_dialogs import apply
from tests.tui.test_guests import open_console
from tests.tui.test_waiting import HeldNode
from tui.dialogs.confirm import ConfirmDialog
from tui.dialogs.editing import EditDialog
from tui.dialogs.help import HelpDialog
from tui.dialogs.password import PasswordDialog
from tui.dialogs.pending import PendingDialog
from tui.frame import Frame
from tui.texts import say
from tui.widgets.fields import TextField


async def decide_later(session: Session) -> None:
    """Begin a change and leave it to the banner."""
    await apply(session)
    await session.press("escape")


async def let_time_pass(session: Session, seconds: float) -> None:
    """Let the node's clock go on, and the console hear of it."""
    session.clock.now += seconds
    await session.app.node_watch.refresh()
    await session.settle()


async def asks(session: Session) -> None:
    """Press Ctrl-D and see the question once."""
    await session.press("ctrl+d")
    await session.wait_for(lambda: isinstance(session.app.screen, PendingDialog))
    await session.press("ctrl+d")
    assert sum(isinstance(screen, PendingDialog) for screen in session.app.screen_stack) == 1


def test_a_field_keeps_its_letter_while_a_change_waits() -> None:
    """Ctrl-D deletes a letter only while there is nothing to decide."""

    async def go() -> None:
        async with running() as session:
            await session.press("2", "a", "b", "home", "ctrl+d")
            field = session.app.focused
            assert isinstance(field, Input)
            assert field.value == "b"
            await decide_later(session)
            await session.press("home")
            assert "^D Decide" in session.text
            await asks(session)
            await session.press("escape")
            assert field.value == "b"

    asyncio.run(go())


def test_a_dialog_lets_one_decide() -> None:
    """The question comes over it, and it is there again afterwards."""

    async def go() -> None:
        async with running() as session:
            await decide_later(session)
            dialog = ConfirmDialog("Is it so?")
            session.app.push_screen(dialog)
            await session.settle()
            assert "^D Decide" in session.text.splitlines()[-1]
            await asks(session)
            await session.press("escape")
            assert session.app.screen is dialog

    asyncio.run(go())


def test_a_virtual_machine_gets_its_own_control_d() -> None:
    """It ends a login there; the banner says how to decide."""

    async def go() -> None:
        async with running("server") as session:
            await open_console(session)
            session.app.run_worker(session.app.dialogue.apply({"system": {"hostname": "other"}}))
            await session.settle()
            await session.press("right", "enter")
            await session.wait_for(lambda: isinstance(session.app.screen, PendingDialog))
            await session.press("escape")
            session.app._each_second()
            await session.press("ctrl+d")
            assert isinstance(session.app.screen, Frame)
            sent = [request for _, request in session.machine.calls if isinstance(request, ConsoleSend)]
            assert sent[-1].text == "\x04"
            assert "(Ctrl-], then Ctrl-D)" in session.text

    asyncio.run(go())


def test_a_question_below_another_dialog_goes_with_what_it_asks_about() -> None:
    """The help over it stays until it is closed, and then there is no question."""

    async def go() -> None:
        async with running() as session:
            await apply(session)
            await session.press("f1")
            assert isinstance(session.app.screen, HelpDialog)
            session.clock.now += 61
            await session.app.node_watch.refresh()
            await session.settle()
            assert isinstance(session.app.screen, HelpDialog)
            await session.press("escape")
            await session.wait_for(lambda: isinstance(session.app.screen, Frame))

    asyncio.run(go())


def test_what_went_back_by_itself_is_said_until_a_screen_is_opened() -> None:
    """Nobody has to have seen the countdown's end."""

    async def go() -> None:
        async with running() as session:
            await decide_later(session)
            await let_time_pass(session, 61)
            assert say("frame.put_back") in session.text
            await session.press("3")
            assert say("frame.put_back") not in session.text

    asyncio.run(go())


def test_what_a_person_decided_is_not_said_to_have_gone_back() -> None:
    """Neither what was kept here in the last moment, nor what somebody decided elsewhere before."""

    async def go() -> None:
        async with running() as session:
            await apply(session)
            await let_time_pass(session, 59.5)
            await session.press("tab", "tab", "enter")
            await session.wait_for(lambda: isinstance(session.app.screen, Frame))
            assert say("frame.put_back") not in session.text
        async with running() as session:
            await decide_later(session)
            session.machine.set_pending(None)
            await let_time_pass(session, 1)
            assert say("frame.put_back") not in session.text

    asyncio.run(go())


def test_other_news_bring_no_seconds_back() -> None:
    """Meters come between two looks at the status: what they bring of that is as old as it was."""

    async def go() -> None:
        async with running() as session:
            await decide_later(session)
            session.clock.now += 59
            session.app._on_news(dataclasses.replace(session.app.node_watch.seen, meters=Meters(load=7.0)))
            assert session.app._pending_until - session.clock.now <= 1
            await let_time_pass(session, 2)
            assert say("frame.put_back") in session.text

    asyncio.run(go())


def test_who_gives_up_at_the_password_has_decided_nothing() -> None:
    """The change goes back by itself, and that is said."""

    async def go() -> None:
        async with running("server") as session:
            session.machine.set_pending(PendingChange("elsewhere", 60.0, ("a change",)))
            await session.app.node_watch.refresh()
            await session.wait_for(lambda: isinstance(session.app.screen, PendingDialog))
            await session.press("tab", "tab", "enter")
            await session.wait_for(lambda: isinstance(session.app.screen, PasswordDialog))
            await session.press("escape")
            await session.wait_for(lambda: isinstance(session.app.screen, Frame))
            session.machine.set_pending(None)
            await let_time_pass(session, 60)
            assert say("frame.put_back") in session.text

    asyncio.run(go())


def test_a_form_that_was_judged_under_the_help_goes_when_that_goes() -> None:
    """Its answer closes the form, and not what lies over it."""

    async def go() -> None:
        async with running() as session:
            judged = asyncio.Event()

            async def judge(values: Mapping[str, str]) -> None:
                await judged.wait()

            given: list[object] = []
            session.app.push_screen(EditDialog("Which?", [TextField("a", "Name")], judge), given.append)
            await session.settle()
            await session.pilot.press("tab", "tab", "enter")
            # F1 does it once the type-ahead has waited long enough.
            session.app.push_screen(HelpDialog())
            await session.pilot.pause()
            judged.set()
            await session.settle()
            assert isinstance(session.app.screen, HelpDialog)
            await session.press("escape")
            await session.wait_for(lambda: isinstance(session.app.screen, Frame))
            assert given == [{"a": ""}]

    asyncio.run(go())


def test_an_answer_from_before_the_change_takes_no_question_away() -> None:
    """A status that was under way when the change began has none; the next one has it again."""

    async def go() -> None:
        async with running() as session:
            await apply(session)
            watch = session.app.node_watch
            status = watch.seen.status
            watch.hear(dataclasses.replace(status, pending=None))
            await session.wait_for(lambda: not isinstance(session.app.screen, PendingDialog))
            watch.hear(status)
            await session.wait_for(lambda: isinstance(session.app.screen, PendingDialog))
            await session.press("right", "right", "enter")
            await session.wait_for(lambda: session.machine.get(STATUS).pending is None)
            watch.hear(status)
            await session.settle()
            assert not isinstance(session.app.screen, PendingDialog)

    asyncio.run(go())


def test_a_change_that_is_being_kept_says_so() -> None:
    """On a slow node the countdown does not go on as if nobody had pressed anything, and keys work."""

    async def go() -> None:
        async with running() as session:
            node, answer = HeldNode(session.machine), Future[Nothing]()
            await apply(session)
            node.held[CONFIG_CONFIRM.name] = answer
            session.app.dialogue._client = node
            await session.press("right", "right", "enter")
            await session.wait_for(lambda: "The change is being kept." in session.text)
            session.app._each_second()
            await session.press("3")
            assert ">3" in session.text
            assert "The change is being kept." in session.text
            assert "^D" not in session.text
            pending = session.machine.get(STATUS).pending
            assert pending is not None
            session.machine.call(CONFIG_CONFIRM, ConfirmRequest(pending.ticket))
            answer.set_result(Nothing())
            await session.wait_for(lambda: "being kept" not in session.text)

    asyncio.run(go())
