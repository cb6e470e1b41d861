"""Keys that are typed ahead: each waits until what the one before it began is there to take it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias
from weakref import WeakSet

from textual import events
from textual.app import App
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker

from tui.escape import DIGITS, ESC, split

Typed: TypeAlias = events.Key | events.Paste
PATIENCE = 2.0
"""Seconds that keys wait for a deed that shows nothing; then they go to what is there."""
PAUSE = 0.01
"""Seconds between two looks whether it shows something."""
ROUNDS = 2
"""A key bubbles up; so does what becomes of it, as of Enter that a button was pressed."""
DEEDS = ("deed", "default")
"""Groups of workers that a key may have begun; those of others go on by themselves."""


class TypeAhead:
    """Passes keys on in their order. `group` of the worker that runs `pass_on_forever` is none of DEEDS."""

    def __init__(self, app: App[None], deliver: Callable[[Typed], Awaitable[None]]) -> None:
        self._app = app
        self._deliver = deliver
        self._waiting: asyncio.Queue[Typed] = asyncio.Queue()
        self._under_way = False
        self._asking: dict[Worker[Any], Screen[Any]] = {}
        """Deeds that wait for what a person says to a dialog."""
        self._slow: WeakSet[Worker[Any]] = WeakSet()
        """Deeds that were waited for in vain."""

    @property
    def idle(self) -> bool:
        """Every key has arrived, and what it began is there or does without keys."""
        return self._waiting.empty() and not self._under_way

    def take(self, event: Typed) -> None:
        """Take a key or what was pasted, to be passed on when its turn comes."""
        self._waiting.put_nowait(event)

    @contextlib.contextmanager
    def asking(self, worker: Worker[Any], dialog: Screen[Any]) -> Iterator[None]:
        """Know that a deed waits for a dialog, and not keys for the deed."""
        self._slow.discard(worker)
        self._asking[worker] = dialog
        try:
            yield
        finally:
            self._asking.pop(worker, None)

    async def pass_on_forever(self) -> None:
        """Pass on one after the other."""
        while True:
            self._under_way = False
            event = await self._waiting.get()
            self._under_way = True
            for part in self._parts(event):
                await self._pass_on(part)

    def _parts(self, event: Typed) -> tuple[Typed, ...]:
        """Give Esc and what came with it apart, but to what knows itself what to make of Alt."""
        focused = self._app.focused
        if isinstance(event, events.Paste):
            return (event,)
        knows = focused is not None and focused.check_consume_key("escape", ESC)
        return (event,) if knows and event.key not in DIGITS else split(event)

    async def _pass_on(self, event: Typed) -> None:
        focused = self._app.focused
        await self._deliver(event)
        if not is_text(event, focused):
            await self._wait(focused or self._app.screen)

    async def _wait(self, target: Widget) -> None:
        """Wait until a key that went to a widget has begun all that it begins, and that can take keys."""
        for _ in range(ROUNDS):
            await settle(target)
        end = asyncio.get_running_loop().time() + PATIENCE
        while late := self._late():
            if asyncio.get_running_loop().time() >= end:
                self._slow.update(late)
                break
            await asyncio.sleep(PAUSE)
        while not self._app.screen.is_mounted:
            await asyncio.sleep(PAUSE)
        await settle(self._app.focused or self._app.screen)

    def _late(self) -> list[Worker[Any]]:
        """List the deeds that are under way and ask nobody anything yet."""
        return [
            worker
            for worker in self._app.workers
            if worker.group in DEEDS
            and not worker.is_finished
            and worker not in self._slow
            and self._asking.get(worker) not in self._app.screen_stack
        ]


def is_text(event: Typed, focused: Widget | None) -> bool:
    """Tell whether a widget takes a key for text: the next one waits for nothing."""
    if isinstance(event, events.Paste):
        return True
    return focused is not None and focused.check_consume_key(event.key, event.character)


async def settle(target: Widget) -> None:
    """Wait until a widget, and all above it in turn, have done what they were told so far."""
    for node in (*target.ancestors_with_self, target.app):
        done = asyncio.Event()
        if not node.call_later(done.set):
            continue  # It is being taken down.
        # What is taken down while one waits says nothing any more.
        while not done.is_set() and node.is_running:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), PAUSE * 10)
