"""What a screen says to the node and to the person: calls, questions, changes that are confirmed."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from textual.app import App
from textual.screen import ModalScreen

from nodelib.bus import (
    CONFIG_APPLY,
    CONFIG_PLAN,
    PlanRequest,
)
from nodelib.bus_access import ACCESS, UNLOCK, UnlockRequest
from nodelib.errors import Code, VirtnodeError
from nodelib.link import ApplyRequest, Nothing, Verb
from tui.client import TIMEOUT, NodeClient
from tui.dialogs.choice import Choice, ChoiceDialog
from tui.dialogs.confirm import ConfirmDialog
from tui.dialogs.dialog import Dialog
from tui.dialogs.message import MessageDialog
from tui.dialogs.password import PasswordDialog
from tui.dialogs.preview import PreviewDialog
from tui.dialogs.typed import TypedDialog
from tui.dialogs.waiting import WaitDialog
from tui.look import Look
from tui.texts import say
from tui.watch import Watch

logger = logging.getLogger(__name__)

Q = TypeVar("Q")
R = TypeVar("R")
WINDOW = 60.0
"""Seconds in which an applied change must be confirmed."""
PATIENCE = 0.1
"""A call that takes longer is seen to be under way."""
LONG = 1.0
"""A change that takes longer says so over the page, which would get the keys else: type_ahead.PATIENCE."""


class GivenUp(VirtnodeError):
    """The person closed the question for the password: nothing was done, and nothing went wrong."""


class Dialogue:
    """The one way from a screen to its node and to the person before it."""

    def __init__(
        self,
        app: App[None],
        client: NodeClient,
        watch: Watch,
        look: Look,
        on_busy: Callable[[int], None],
    ) -> None:
        self.look = look
        self._app = app
        self._client = client
        self._watch = watch
        self._on_busy = on_busy
        self._waiting = 0

    async def ask(self, verb: Verb[Q, R], request: Q, timeout: float = TIMEOUT) -> R:
        """Call the node; a change that a password gates asks for it and is then tried once more."""
        try:
            return await self._call(verb, request, timeout)
        except VirtnodeError as error:
            if error.code is not Code.DENIED or not is_guarded(verb) or not await self._unlock():
                raise
        return await self._call(verb, request, timeout)

    async def listen(self, verb: Verb[Q, R], request: Q, timeout: float = TIMEOUT) -> R:
        """Call the node for what comes by itself: nobody asked, so nothing shows that it is under way."""
        return await asyncio.wrap_future(self._client.call(verb, request, timeout))

    async def refresh(self) -> None:
        """Have status, access and ladder asked for now, since something was changed."""
        await self._watch.refresh()

    async def tell(self, text: str, hint: str = "", title: str = "") -> None:
        """Show a message until the person has seen it."""
        await self.show(MessageDialog(text, hint, title=title))

    async def tell_error(self, error: VirtnodeError) -> None:
        """Show what went wrong, and what to do about it."""
        await self.show(MessageDialog(error.message, error.hint, title=say("dialog.error")))

    async def confirm(self, question: str, text: str = "", *, yes: str = "", no: str = "") -> bool:
        """Ask a question; nothing typed, or Esc, is a no."""
        return await self.show(ConfirmDialog(question, text, yes=yes, no=no)) is True

    async def confirm_typed(self, question: str, text: str, word: str) -> bool:
        """Ask for a word to be typed before something that cannot be taken back."""
        return await self.show(TypedDialog(question, text, word)) is True

    async def choose(self, title: str, choices: Sequence[Choice], current: str = "") -> str | None:
        """Let one of a list be chosen, by arrows or by typing a part of it; None for Esc."""
        return await self.show(ChoiceDialog(title, choices, current))

    async def apply(self, patch: Mapping[str, Any], window: float = WINDOW, *, unchanged: str = "") -> bool:
        """Show what a change of the configuration would do, apply it if the person says so.

        What then waits for its confirmation is asked about by the frame. False where nothing was applied.
        `unchanged` is told of what changes nothing but is decided all the same. Raises what the agent says
        against the patch.
        """
        plan = await self.ask(CONFIG_PLAN, PlanRequest(patch))
        if not plan.changes and not unchanged:
            await self.tell(say("dialog.preview_none"))
            return False
        if plan.changes and not await self.show(PreviewDialog(plan.changes, int(window))):
            return False
        with self._waiting_for(say("dialog.applying"), say("dialog.applying_text")):
            await self.ask(CONFIG_APPLY, ApplyRequest(patch, window))
            await self.refresh()
        if not plan.changes:
            await self.tell(unchanged)
        return True

    async def show(self, dialog: ModalScreen[R]) -> R | None:
        """Show a dialog of a screen's own and wait for what it gives."""
        return await self._app.push_screen_wait(dialog)

    async def run(self, deed: Coroutine[Any, Any, None]) -> None:
        """Do what a key or a button asks for; an error is shown, never raised."""
        try:
            await deed
        except GivenUp:
            return
        except VirtnodeError as error:
            await self.tell_error(error)

    @contextlib.contextmanager
    def _waiting_for(self, title: str, text: str) -> Iterator[None]:
        """Say what is under way, if it takes long, and not over a question that comes with it."""
        dialog, shown = WaitDialog(title, text), False

        async def show() -> None:
            nonlocal shown
            await asyncio.sleep(LONG)
            while isinstance(self._app.screen, Dialog):
                await asyncio.sleep(LONG)
            shown = True
            self._app.push_screen(dialog)

        showing = asyncio.create_task(show())
        try:
            yield
        finally:
            showing.cancel()
            if shown:
                dialog.give(None)

    async def _call(self, verb: Verb[Q, R], request: Q, timeout: float) -> R:
        future = asyncio.wrap_future(self._client.call(verb, request, timeout))
        done, _ = await asyncio.wait((future,), timeout=PATIENCE)
        if done:
            return future.result()
        self._busy(+1)
        try:
            return await future
        finally:
            self._busy(-1)

    def _busy(self, more: int) -> None:
        self._waiting += more
        self._on_busy(self._waiting)

    async def _unlock(self) -> bool:
        """Ask for the password until it is right; False where none is needed. Raises GivenUp."""
        access = await self._call(ACCESS, Nothing(), TIMEOUT)
        if not access.password_set or access.unlocked:
            return False
        problem = ""
        while True:
            password = await self.show(PasswordDialog(access.account, problem))
            if password is None:
                raise GivenUp(Code.DENIED, say("dialog.given_up"))
            try:
                await self._call(UNLOCK, UnlockRequest(password), TIMEOUT)
            except VirtnodeError as error:
                if error.code not in (Code.DENIED, Code.BUSY):
                    raise
                problem = error.message
            else:
                await self.refresh()
                return True


def is_guarded(verb: Verb[Any, Any]) -> bool:
    """Tell whether a password gates a method."""
    # Only who was refused wants to know, and most of the methods are of screens that nobody opened.
    from nodelib.bus_methods import GUARDED

    return verb.name in GUARDED
