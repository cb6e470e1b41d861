"""Connections that are dialled at once begin one after the other, so that those that are there get a turn.

A connection waits, before TLS, until one of a few turns is free. The networks that wait take them by rota, so
that one that dials a thousand times holds up itself. A turn ends with the handshake, or when patience does:
who dials and says nothing holds up nobody for long.
"""

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from collections.abc import AsyncIterator
from typing import cast

from engine.origin import network_of, plain_address

logger = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0
SHUTDOWN_SECONDS = 2.0
MOST_OF_NETWORK, MOST_WAITING = 2000, 8000
"""How many connections wait at most; further ones are closed, and a node dials again later."""


class Crowded(OSError):
    """So many wait already that no more may."""


class Turns:
    """A few turns, and who waits for one. Of one loop."""

    def __init__(self, at_once: int, patience: float) -> None:
        self.taken = 0
        self.most_taken = 0
        """How many were ever taken at the same time."""
        self._at_once = at_once
        self._patience = patience
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def waiting(self) -> int:
        """Count who waits."""
        return sum(not place.done() for queue in self._queues.values() for place in queue)

    @contextlib.asynccontextmanager
    async def turn(self, network: str) -> AsyncIterator[None]:
        """Wait for a turn and take it, at the longest until patience ends; raises Crowded."""
        await self._enter(network)
        ended = False

        def end() -> None:
            nonlocal ended
            if not ended:
                ended = True
                self._leave()

        timer = asyncio.get_running_loop().call_later(self._patience, end)
        try:
            yield
        finally:
            timer.cancel()
            end()

    async def _enter(self, network: str) -> None:
        if self.taken < self._at_once:
            self._take()
            return
        queues = self._queues
        if len(queues.get(network, ())) >= MOST_OF_NETWORK or sum(map(len, queues.values())) >= MOST_WAITING:
            raise Crowded(f"too many connections of {network} wait")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(network, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self._leave()
            raise

    def _take(self) -> None:
        self.taken += 1
        self.most_taken = max(self.most_taken, self.taken)

    def _leave(self) -> None:
        self.taken -= 1
        while self.taken < self._at_once and self._queues:
            network, queue = next(iter(self._queues.items()))
            place = queue.popleft()
            # To the end of the rota, or off it.
            del self._queues[network]
            if queue:
                self._queues[network] = queue
            if not place.done():
                self._take()
                place.set_result(None)


class Entrance:
    """Secures connections, by turns, before the protocol that each was made for hears of them."""

    def __init__(self, context: ssl.SSLContext, at_once: int, patience: float) -> None:
        self.turns = Turns(at_once, patience)
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    def lead(self, inside: asyncio.Protocol) -> asyncio.Protocol:
        """Return the protocol that a plain connection is to have until it is secured."""
        return _Doorway(inside, self)

    async def stop(self) -> None:
        """Close what still waits or shakes hands."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def admit(self, doorway: "_Doorway", plain: asyncio.Transport) -> None:
        """Have a connection wait, and secure it."""
        task = asyncio.get_running_loop().create_task(self._admit(doorway, plain))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _admit(self, doorway: "_Doorway", plain: asyncio.Transport) -> None:
        # What the other side sends meanwhile stays in its socket. In connection_made, where no reading has
        # begun, Python 3.11 forgets that it was told to pause.
        plain.pause_reading()
        peer = plain.get_extra_info("peername") or ("unknown",)
        try:
            async with self.turns.turn(network_of(plain_address(str(peer[0])))):
                doorway.check_nothing_came()
                secured = await asyncio.get_running_loop().start_tls(
                    plain,
                    doorway,
                    self._context,
                    server_side=True,
                    ssl_handshake_timeout=HANDSHAKE_SECONDS,
                    ssl_shutdown_timeout=SHUTDOWN_SECONDS,
                )
        except OSError as error:
            logger.debug("%s: no handshake: %s", peer[0], error)
            plain.abort()
        except asyncio.CancelledError:
            plain.abort()
            raise
        else:
            doorway.hand_over(secured)


class _Doorway(asyncio.Protocol):
    def __init__(self, inside: asyncio.Protocol, entrance: Entrance) -> None:
        self._inside = inside
        self._entrance = entrance
        self._early: list[bytes] = []
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a turn."""
        self._entrance.admit(self, cast(asyncio.Transport, transport))

    def check_nothing_came(self) -> None:
        """See that TLS will get all there is. Raises ConnectionAbortedError."""
        if self._early or self._lost:
            raise ConnectionAbortedError("something came before its turn")

    def data_received(self, data: bytes) -> None:
        """Keep what comes between the handshake and its being noticed."""
        self._early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the other side is gone by then."""
        self._lost = True

    def hand_over(self, secured: asyncio.Transport | None) -> None:
        """Let the protocol within take over, unless the other side is gone."""
        if secured is None or self._lost:
            return
        secured.set_protocol(self._inside)
        self._inside.connection_made(secured)
        for data in self._early:
            self._inside.data_received(data)
