"""What a slow node is at: it is said over the page, and the keys wait for what comes of it."""

import asyncio
from concurrent.futures import Future
from typing import Any, TypeVar

from nodelib.bus import CONFIG_APPLY
from nodelib.link import ApplyRequest, Nothing, Verb
from tests.tui.conftest import Picture
from tests.tui.sessions import Session, running
from tui.client import TIMEOUT, Hear
from tui.dialogs.password import PasswordDialog
from tui.dialogs.pending import PendingDialog
from tui.dialogs.preview import PreviewDialog
from tui.dialogs.waiting import WaitDialog
from tui.dialogue import LONG
from tui.recorded import RecordedMachine

Q = TypeVar("Q")
R = TypeVar("R")
PATCH = {"system": {"hostname": "other.example.org"}}


class HeldNode:
    """A recorded machine that does not answer some calls until the test does."""

    def __init__(self, machine: RecordedMachine) -> None:
        self.held: dict[str, Future[Any]] = {}
        self._machine = machine

    def call(self, verb: Verb[Q, R], request: Q, timeout: float = TIMEOUT) -> Future[R]:
        """Give the test's answer, or the machine's."""
        return self.held.get(verb.name) or self._machine.call(verb, request, timeout)

    def subscribe(self, hear: Hear) -> None:
        """Tell the machine's signals."""
        self._machine.subscribe(hear)

    def close(self) -> None:
        """Let go of the machine."""
        self._machine.close()


async def say_yes(session: Session) -> None:
    """Begin a change as a screen does, and say yes to its preview."""
    session.app.run_worker(session.app.dialogue.apply(PATCH))
    await session.wait_for(lambda: isinstance(session.app.screen, PreviewDialog))
    await session.press("right", "enter")


def test_keys_do_not_go_past_a_change_that_is_being_applied(picture: Picture) -> None:
    """They reach neither the page below nor, blindly, the question whether to keep it."""

    async def go() -> None:
        async with running() as session:
            node, answer = HeldNode(session.machine), Future[Nothing]()
            node.held[CONFIG_APPLY.name] = answer
            session.app.dialogue._client = node
            await say_yes(session)
            await session.wait_for(lambda: isinstance(session.app.screen, WaitDialog))
            picture("applying", session)
            await session.press("escape", "3", "enter")
            assert isinstance(session.app.screen, WaitDialog)
            assert ">1" in session.text
            session.machine.call(CONFIG_APPLY, ApplyRequest(PATCH, 60.0))
            answer.set_result(Nothing())
            await session.wait_for(lambda: isinstance(session.app.screen, PendingDialog))
            await session.press("escape")
            assert not any(isinstance(screen, WaitDialog) for screen in session.app.screen_stack)

    asyncio.run(go())


def test_what_takes_long_does_not_lie_over_the_password() -> None:
    """The change waits for it, and not the person for the change."""

    async def go() -> None:
        async with running("server") as session:
            await say_yes(session)
            await session.wait_for(lambda: isinstance(session.app.screen, PasswordDialog))
            await asyncio.sleep(2 * LONG)
            assert isinstance(session.app.screen, PasswordDialog)

    asyncio.run(go())
