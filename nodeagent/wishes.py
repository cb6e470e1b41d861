"""What other threads ask of the engine: only the link's own thread speaks with it."""

import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nodelib.errors import Code, VirtnodeError
from nodelib.link import Verb

Q = TypeVar("Q")
R = TypeVar("R")
MOST = 20
"""How many may wait."""


@dataclass(frozen=True)
class Wish:
    """One call of the engine, and where its answer goes."""

    verb: Verb[Any, Any]
    request: Any
    answer: "Future[Any]" = field(default_factory=Future)

    def fulfil(self, call: Callable[[Verb[Any, Any], Any], object]) -> None:
        """Make the call, unless nobody waits any more; raises VirtnodeError where the connection is lost."""
        if not self.answer.set_running_or_notify_cancel():
            return
        try:
            self.answer.set_result(call(self.verb, self.request))
        except VirtnodeError as error:
            self.answer.set_exception(error)
            if error.code is Code.UNAVAILABLE:
                raise


class Wishes:
    """Wishes in order, from any thread to the one of the link."""

    def __init__(self, on_new: Callable[[], None] = lambda: None) -> None:
        self._on_new = on_new
        """Called when there is something to take."""
        self._waiting: queue.Queue[Wish] = queue.Queue(MOST)

    def ask(self, verb: Verb[Q, R], request: Q, seconds: float) -> R:
        """Ask the engine and wait; raises the error that it sent, or `unavailable` if it does not answer."""
        wish = Wish(verb, request)
        try:
            self._waiting.put_nowait(wish)
            self._on_new()
            answer: R = wish.answer.result(seconds)
        except queue.Full as error:
            raise VirtnodeError(
                Code.BUSY, "too much waits for the engine", "try again in a moment"
            ) from error
        except TimeoutError as error:
            wish.answer.cancel()
            raise VirtnodeError(
                Code.UNAVAILABLE, f"the engine did not answer within {seconds:g} s", "try again in a moment"
            ) from error
        return answer

    def take(self) -> Iterator[Wish]:
        """Hand out what waits."""
        while True:
            try:
                yield self._waiting.get_nowait()
            except queue.Empty:
                return
