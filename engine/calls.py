"""Calls of one end of the link that wait for the other's answers."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from engine.wire import read_from_node
from nodelib.codec import encode
from nodelib.jsonrpc import Reply, Request, dump_request
from nodelib.link import Verb

Q = TypeVar("Q")
R = TypeVar("R")
Send = Callable[[dict[str, Any]], Awaitable[None]]
"""Sends a message."""


class Calls:
    """The calls that are under way; whoever reads the connection brings the answers."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def call(self, send: Send, verb: Verb[Q, R], request: Q) -> R:
        """Ask, and wait for the answer. Raises the other end's VirtnodeError, or what `end` was given."""
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            await send(dump_request(Request(verb.name, encode(request), number)))
            return read_from_node(verb.reply, await answer)
        finally:
            del self._waiting[number]

    def resolve(self, reply: Reply) -> None:
        """Bring an answer; one that nobody waits for is dropped."""
        call = self._waiting.get(reply.id) if reply.id is not None else None
        if call is None or call.done():
            return
        if reply.error is not None:
            call.set_exception(reply.error)
        else:
            call.set_result(reply.result)

    def end(self, make_error: Callable[[], Exception]) -> None:
        """Tell whoever waits that no answer will come."""
        for call in self._waiting.values():
            if not call.done():
                call.set_exception(make_error())
