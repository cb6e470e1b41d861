"""JSON-RPC over the link: calls that wait for their reply, while what the engine asks is answered."""

import itertools
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from nodeagent.bell import Bell
from nodeagent.place_commands import COMMANDS
from nodelib.codec import decode_lenient
from nodelib.errors import Code, VirtnodeError
from nodelib.jsonrpc import Reply, Request, dump_reply, dump_request, parse_message
from nodelib.link import Verb
from nodelib.places import word_places

logger = logging.getLogger(__name__)

Q = TypeVar("Q")
R = TypeVar("R")


class Frames(Protocol):
    """What carries the messages."""

    def send(self, text: str) -> None:
        """Send one frame."""

    def receive(self, timeout: float, bell: Bell | None = None) -> str | bytes | None:
        """Wait for a frame; None when none came in time, or where the bell rings."""


@dataclass(frozen=True)
class Answer:
    """Who answers a verb; with an executor the link goes on meanwhile."""

    verb: Verb[Any, Any]
    function: Callable[[Any], object]
    executor: Executor | None = None


class Rpc:
    """Both directions of one connection. Calls come from one thread, replies from any."""

    def __init__(self, frames: Frames, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._frames = frames
        self._monotonic = monotonic
        self._numbers = itertools.count(1)
        self._answers: dict[str, Answer] = {}
        self._expected: int | None = None

    def serve(self, *answers: Answer) -> None:
        """Answer these verbs from now on."""
        self._answers.update({answer.verb.name: answer for answer in answers})

    def call(self, verb: Verb[Q, R], request: Q, timeout: float) -> R:
        """Ask the engine and wait for its answer; raises the error that it sent, or `unavailable`."""
        number = next(self._numbers)
        # `encode` of a dataclass is a table; the codec's own types say no more than Any.
        params: Any = request
        self._frames.send(json.dumps(dump_request(Request(verb.name, params, number))))
        deadline = self._monotonic() + timeout
        while (left := deadline - self._monotonic()) > 0:
            message = self._read(left)
            if isinstance(message, Reply) and message.id == number:
                if message.error is not None:
                    raise message.error
                return decode_lenient(verb.reply, message.result)
            self._handle(message)
        raise VirtnodeError(Code.UNAVAILABLE, f"the engine did not answer {verb.name} within {timeout:g} s")

    def expect(self, verb: Verb[Q, R], timeout: float) -> Q:
        """Wait for the engine's call of `verb`, which must be its first message, and say nothing."""
        text = self._frames.receive(timeout)
        if text is None:
            raise VirtnodeError(Code.UNAVAILABLE, f"the other end sent no {verb.name} within {timeout:g} s")
        message = parse_message(text)
        if not isinstance(message, Request) or message.method != verb.name:
            raise VirtnodeError(Code.INVALID, f"the other end did not begin with {verb.name}")
        self._expected = message.id
        return decode_lenient(verb.request, message.params)

    def acknowledge(self) -> None:
        """Answer the call that was expected, if anybody waits for it."""
        if self._expected is not None:
            self._reply(Reply(self._expected, {}))

    def pump(self, timeout: float, bell: Bell | None = None) -> None:
        """Wait for one message, and deal with it; a bell that rings ends the waiting."""
        self._handle(self._read(timeout, bell))

    def _read(self, timeout: float, bell: Bell | None = None) -> Request | Reply | None:
        text = self._frames.receive(timeout, bell)
        if text is None:
            return None
        try:
            return parse_message(text)
        except VirtnodeError as error:
            logger.warning("the engine sent what is no message: %s", error.message)
            self._reply(Reply(None, error=error))
            return None

    def _handle(self, message: Request | Reply | None) -> None:
        if isinstance(message, Reply):
            logger.info("an answer came too late: number %s", message.id)
        elif isinstance(message, Request):
            answer = self._answers.get(message.method)
            if answer is None:
                self._refuse(message)
            elif answer.executor is None:
                self._answer(answer, message)
            else:
                answer.executor.submit(self._answer, answer, message)

    def _refuse(self, request: Request) -> None:
        if request.id is not None:
            error = VirtnodeError(Code.NOT_FOUND, f"this node knows no {request.method}", "update the node")
            self._reply(Reply(request.id, error=error))

    def _answer(self, answer: Answer, request: Request) -> None:
        try:
            reply = Reply(request.id, answer.function(decode_lenient(answer.verb.request, request.params)))
        except VirtnodeError as error:
            # Whoever reads it at the engine has a shell on the node, if anything.
            hint = word_places(error.hint, COMMANDS)
            reply = Reply(request.id, error=VirtnodeError(error.code, error.message, hint))
        except Exception:  # the outermost loop of a call: the engine gets an answer whatever happens
            logger.exception("%s failed", request.method)
            reply = Reply(
                request.id, error=VirtnodeError(Code.FAILED, "internal", "the node's journal says more")
            )
        if request.id is not None:
            try:
                self._reply(reply)
            except VirtnodeError as error:
                logger.info("nobody waits for the answer to %s: %s", request.method, error.message)

    def _reply(self, reply: Reply) -> None:
        self._frames.send(json.dumps(dump_reply(reply)))
