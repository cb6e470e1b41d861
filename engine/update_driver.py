"""What keeps updates going: asks nodes how it goes as long as one is updated, and sleeps when none is."""

import asyncio
import logging
from collections.abc import Callable

from engine.rolls import Rolls
from engine.store.update_rows import UpdateRow
from engine.updates import Caller, Updates
from nodelib.errors import VirtnodeError

logger = logging.getLogger(__name__)

AT_ONCE = 16
"""How many nodes are asked at the same time."""


class UpdateDriver:
    """Runs in the loop of the link."""

    def __init__(self, updates: Updates, rolls: Rolls, link: Caller, interval: Callable[[], float]) -> None:
        self._updates = updates
        self._rolls = rolls
        self._link = link
        self._interval = interval
        self._woken = asyncio.Event()
        self._turns = asyncio.Semaphore(AT_ONCE)
        loop = asyncio.get_running_loop()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._woken.set)

        updates.wake = wake

    async def run(self) -> None:
        """Bring everything on, from what is stored, until cancelled."""
        while True:
            self._woken.clear()
            try:
                busy = await self._round()
            except VirtnodeError as error:
                logger.error("updates cannot go on: %s; trying again", error.message)
                busy = True
            except Exception:  # The outermost loop: the engine goes on without this round.
                logger.exception("a round of updates failed")
                busy = True
            if busy:
                await asyncio.sleep(self._interval())
            else:
                await self._woken.wait()

    async def _round(self) -> bool:
        """Bring each update and each roll a step on; tell whether there is more to come."""
        rows = await asyncio.to_thread(self._updates.under_way)
        await asyncio.gather(*(self._advance(row) for row in rows))
        rolling = await asyncio.to_thread(self._rolls.advance)
        return rolling or bool(rows)

    async def _advance(self, row: UpdateRow) -> None:
        async with self._turns:
            try:
                await self._updates.advance(row, self._link)
            except VirtnodeError as error:
                logger.warning("the update of %s cannot go on: %s", row.node_id, error.message)
