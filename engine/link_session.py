"""One connection with a node: what the node asks is answered in order, and the engine may ask too."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from engine.calls import Calls
from engine.events import one_request
from engine.histogram import Timings
from engine.nodes import Identity
from engine.tokens import Bucket
from engine.wire import read_from_node
from nodelib.codec import encode
from nodelib.errors import Code, VirtnodeError
from nodelib.jsonrpc import Reply, Request, dump_reply, dump_request, parse_message
from nodelib.link import Verb

logger = logging.getLogger(__name__)

Q = TypeVar("Q")
R = TypeVar("R")
POLICY_VIOLATION = 1008
CALL_TIMEOUT = 30.0
"""Seconds that a node may take to answer."""
MOST_MISTAKES = 3
"""How many messages that make no sense, or are not allowed, a connection may bring."""
MOST_FRAMES, FRAMES_PER_SECOND = 100.0, 20.0
"""How many messages a connection may bring at once, and from then on: one node does not hold up the rest."""
SEND_WITHIN = 60.0
"""Seconds that a large reply may take on its way, so that nobody holds up others by not reading."""
MISTAKES = frozenset((Code.INVALID, Code.DENIED, Code.NOT_FOUND))


@dataclass(frozen=True)
class Answer:
    """Who answers a verb; the function waits for nothing but what it awaits."""

    verb: Verb[Any, Any]
    function: Callable[[Any], Awaitable[object]]
    turns: asyncio.Semaphore | None = None
    """Bounds how many large replies are made and on their way at once, over all connections."""


class Session:
    """A connection; `waiting` names the node that registered on it and waits for approval."""

    def __init__(
        self, websocket: ServerConnection, address: str, identity: Identity | None, timings: Timings
    ) -> None:
        self.address = address
        self.identity = identity
        self.waiting: str | None = None
        self._websocket = websocket
        self._timings = timings
        self._calls = Calls()
        self._mistakes = 0
        self._pace = Bucket(MOST_FRAMES, FRAMES_PER_SECOND, time.monotonic)
        self._closing: asyncio.Task[None] | None = None

    async def call(self, verb: Verb[Q, R], request: Q, timeout: float = CALL_TIMEOUT) -> R:
        """Ask the node and wait for its answer. Raises the node's VirtnodeError, or unavailable."""
        try:
            async with asyncio.timeout(timeout):
                return await self._calls.call(self._send, verb, request)
        except TimeoutError as error:
            raise VirtnodeError(
                Code.UNAVAILABLE, f"the node did not answer {verb.name} within {timeout:g} s", "try again"
            ) from error
        except ConnectionClosed as error:
            raise _gone() from error

    async def notify(self, verb: Verb[Q, R], request: Q) -> None:
        """Tell the node something that needs no answer; nothing happens if it is gone."""
        try:
            await self._send(dump_request(Request(verb.name, encode(request))))
        except ConnectionClosed:
            logger.info("%s: gone before it could be told %s", self.address, verb.name)

    @property
    def is_closing(self) -> bool:
        """Tell whether the engine ended it."""
        return self._closing is not None

    def close(self, reason: str) -> None:
        """Close the connection, and do not wait for it."""
        if self._closing is None:
            closing = self._websocket.close(POLICY_VIOLATION, reason.encode()[:120].decode(errors="ignore"))
            self._closing = asyncio.create_task(closing)

    async def answer(self, answers: dict[str, Answer]) -> None:
        """Answer the node until the connection ends."""
        try:
            async for frame in self._websocket:
                if self._closing is not None:
                    break
                await self._take(frame, answers)
                while not self._pace.take():
                    # What comes meanwhile waits in the node's own buffers.
                    await asyncio.sleep(1 / FRAMES_PER_SECOND)
        except ConnectionClosed:
            pass
        finally:
            self._calls.end(_gone)
            if self._closing is not None:
                await asyncio.wait([self._closing])

    async def _take(self, frame: str | bytes, answers: dict[str, Answer]) -> None:
        begun = time.perf_counter()
        try:
            message = parse_message(frame)
        except VirtnodeError as error:
            await self._send(dump_reply(Reply(None, error=error)))
            self._count(error)
            return
        if isinstance(message, Reply):
            self._calls.resolve(message)
            return
        answer = answers.get(message.method)
        if answer is None or answer.turns is None:
            reply = await self._respond(message, answer)
        else:
            async with answer.turns:
                reply = await self._respond_in_time(message, answer)
        if answer is not None:
            self._timings.observe((message.method,), time.perf_counter() - begun)
        if reply.error is not None:
            self._count(reply.error)

    async def _respond_in_time(self, message: Request, answer: Answer) -> Reply:
        try:
            async with asyncio.timeout(SEND_WITHIN):
                return await self._respond(message, answer)
        except TimeoutError:
            logger.info("%s: closed, for it does not read what it asked for", self.address)
            self._websocket.transport.abort()
            return Reply(message.id)

    async def _respond(self, message: Request, answer: Answer | None) -> Reply:
        reply = await self._reply_to(message, answer)
        if message.id is not None:
            await self._send(dump_reply(reply))
        return reply

    async def _reply_to(self, request: Request, answer: Answer | None) -> Reply:
        try:
            if answer is None:
                raise VirtnodeError(Code.NOT_FOUND, f"the engine knows no {request.method[:60]!r}")
            with one_request():
                result = await answer.function(read_from_node(answer.verb.request, request.params))
        except VirtnodeError as error:
            return Reply(request.id, error=error)
        except Exception:  # The outermost loop of a call: the node gets an answer whatever happens.
            logger.exception("%s: %s failed", self.address, request.method)
            internal = VirtnodeError(Code.FAILED, "internal", "the engine's log says more")
            return Reply(request.id, error=internal)
        return Reply(request.id, result)

    def _count(self, error: VirtnodeError) -> None:
        if error.code not in MISTAKES:
            return
        self._mistakes += 1
        if self._mistakes >= MOST_MISTAKES:
            logger.info("%s: closed after %d mistakes: %s", self.address, self._mistakes, error.message)
            self.close("too many mistakes")

    async def _send(self, document: dict[str, Any]) -> None:
        await self._websocket.send(json.dumps(document))


def _gone() -> VirtnodeError:
    return VirtnodeError(Code.UNAVAILABLE, "the node is gone", "try again when it is connected")
