"""A node out of a JSON file: replies by method's name, which the methods that change something change."""

import dataclasses
import json
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from nodelib.bus import STATUS, PendingChange, Status
from nodelib.bus_access import ACCESS
from nodelib.bus_methods import GUARDED, METHODS
from nodelib.codec import decode
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.link import Nothing, Verb
from tui.client import TIMEOUT, Hear, Signal
from tui.recorded import (
    access,
    configuration,
    guests,
    install,
    join,
    network,
    storage,
    support,
    system,
    update,
)

logger = logging.getLogger(__name__)

Q = TypeVar("Q")
R = TypeVar("R")

VERBS: dict[str, Verb[Any, Any]] = {verb.name: verb for verb in METHODS}
PARTS = (access, configuration, guests, install, join, network, storage, support, system, update)
"""Each has ANSWERS: what answers a method in another way than by its recorded reply."""


class RecordedMachine:
    """A node client without a node. `replies` has the reply of each method as it would be now."""

    def __init__(self, document: Mapping[str, Any], clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.password = str(document.get("password", ""))
        self.refusal: VirtnodeError | None = None
        """What every call fails with, as if the agent were away."""
        self.unknown: frozenset[str] = frozenset()
        """Methods that an older agent does not know."""
        self.calls: list[tuple[str, object]] = []
        """Every call and its request, for tests to look at."""
        self.notes: dict[str, Any] = {}
        """What the parts remember beside the replies."""
        self._hear: list[Hear] = []
        self._answers = {verb.name: answer for part in PARTS for verb, answer in part.ANSWERS.items()}
        self._replies: dict[str, Any] = {
            name: decode(verb.reply, document[name]) for name, verb in VERBS.items() if name in document
        }

    def call(self, verb: Verb[Q, R], request: Q, timeout: float = TIMEOUT) -> Future[R]:
        """Answer at once, as the node would."""
        future: Future[R] = Future()
        self.calls.append((verb.name, request))
        try:
            future.set_result(self._answer(verb, request))
        except VirtnodeError as error:
            future.set_exception(error)
        return future

    def subscribe(self, hear: Hear) -> None:
        """Tell what changes."""
        self._hear.append(hear)

    def close(self) -> None:
        """Tell nothing more."""
        self._hear.clear()

    def get(self, verb: Verb[Any, R]) -> R:
        """Give a method's reply as it is now; without a recorded one, that of a bare machine."""
        if verb.name not in self._replies:
            try:
                self._replies[verb.name] = decode(verb.reply, {})
            except InvalidInput as error:
                raise VirtnodeError(
                    Code.UNAVAILABLE, f"{verb.name} was not recorded on this machine"
                ) from error
        reply: R = self._replies[verb.name]
        return reply

    def put(self, verb: Verb[Any, R], reply: R) -> None:
        """Let a method reply something else from now on."""
        self._replies[verb.name] = reply

    def tell(self, signal: Signal) -> None:
        """Send a signal."""
        for hear in self._hear:
            hear(signal)

    def set_status(self, **changes: Any) -> Status:  # noqa: ANN401 - fields of Status
        """Change the status and tell it."""
        status = dataclasses.replace(self.get(STATUS), **changes)
        self.put(STATUS, status)
        self.tell(status)
        return status

    def set_pending(self, pending: PendingChange | None) -> None:
        """Let a change be pending, or none."""
        self.set_status(pending=pending)
        if pending is not None:
            self.tell(pending)

    def _answer(self, verb: Verb[Q, R], request: Q) -> R:
        if self.refusal is not None:
            raise self.refusal
        access = self.get(ACCESS)
        if verb.name in GUARDED and access.password_set and not access.unlocked:
            raise VirtnodeError(Code.DENIED, "this console is locked", "give the password first")
        configuration.go_back_in_time(self)
        join.climb(self)
        if verb.name in self.unknown:
            raise VirtnodeError(Code.NOT_FOUND, f"the agent does not know {verb.name}")
        answer = self._answers.get(verb.name)
        reply: Any = answer(self, request) if answer else self.get(verb)
        return Nothing() if reply is None else reply  # type: ignore[return-value]


def load_machine(path: Path, clock: Callable[[], float] = time.monotonic) -> RecordedMachine:
    """Load a recorded machine; raises VirtnodeError for a file that is none."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise VirtnodeError(Code.INVALID, f"{path}: {error}", "give a recorded machine") from error
    return RecordedMachine(document, clock)
