"""Keeps what is known of the node fresh: asks now and then, hears signals, and tells only what is new."""

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from nodelib.bus import LADDER, STATUS, LadderReply, PendingChange, Status
from nodelib.bus_access import ACCESS
from nodelib.bus_system import METERS
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing, Verb
from tui.client import NodeClient, Signal
from tui.seen import Seen

logger = logging.getLogger(__name__)

R = TypeVar("R")
STATUS_EVERY = 5.0
TIMEOUT = 10.0
"""An agent that says nothing for so long counts as away."""


class Watch:
    """One node's last known state, told to `on_news` whenever it changes."""

    def __init__(
        self, client: NodeClient, meters_pause: Callable[[], float], on_news: Callable[[Seen], None]
    ) -> None:
        self.seen = Seen()
        self._client = client
        self._logged: set[str] = set()
        self._meters_pause = meters_pause
        self._on_news = on_news

    async def keep_status(self) -> None:
        """Ask for status, ladder and access, for ever."""
        while True:
            await self.refresh()
            await asyncio.sleep(STATUS_EVERY)

    async def keep_meters(self) -> None:
        """Ask for the meters, for ever."""
        while True:
            await self._try(self._take_meters)
            await asyncio.sleep(self._meters_pause())

    async def refresh(self) -> None:
        """Ask for status, ladder and access now."""
        await self._try(self._take_status)
        # One by one: an agent that has no answer to one of them has one to the others.
        if not self.seen.trouble:
            await self._try(self._take_access)
            await self._try(self._take_ladder)

    def hear(self, signal: Signal) -> None:
        """Take a signal; in the application's thread."""
        if isinstance(signal, Status):
            self._tell(status=signal)
        elif isinstance(signal, LadderReply):
            self._tell(ladder=signal.rungs)
        elif isinstance(signal, PendingChange):
            self._tell(status=dataclasses.replace(self.seen.status, pending=signal))

    async def _take_status(self) -> None:
        self._tell(status=await self._ask(STATUS), heard=True, trouble="", hint="")

    async def _take_access(self) -> None:
        self._tell(access=await self._ask(ACCESS))

    async def _take_ladder(self) -> None:
        self._tell(ladder=(await self._ask(LADDER)).rungs)

    async def _take_meters(self) -> None:
        self._tell(meters=await self._ask(METERS))

    async def _ask(self, verb: Verb[Nothing, R]) -> R:
        return await asyncio.wrap_future(self._client.call(verb, Nothing(), TIMEOUT))

    async def _try(self, take: Callable[[], Any]) -> None:
        try:
            await take()
        except VirtnodeError as error:
            if error.code is Code.UNAVAILABLE:
                self._tell(trouble=error.message, hint=error.hint)
            elif error.message not in self._logged:
                # It is asked every few seconds; once is enough for a journal.
                self._logged.add(error.message)
                logger.warning("the agent answers: %s", error.message)

    def _tell(self, **news: Any) -> None:  # noqa: ANN401 - the fields of Seen
        seen = dataclasses.replace(self.seen, **news)
        if seen != self.seen:
            self.seen = seen
            self._on_news(seen)
