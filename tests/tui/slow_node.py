"""A node that takes its time: every answer of a recorded machine comes later."""

from concurrent.futures import Future
from threading import Timer
from typing import TypeVar

from nodelib.errors import VirtnodeError
from nodelib.link import Verb
from tui.client import TIMEOUT, Hear
from tui.recorded import RecordedMachine

Q = TypeVar("Q")
R = TypeVar("R")


class SlowNode:
    """Answers as a machine does, some seconds later; it does at once what it is asked to."""

    def __init__(self, machine: RecordedMachine, delay: float) -> None:
        self._machine = machine
        self._delay = delay

    def call(self, verb: Verb[Q, R], request: Q, timeout: float = TIMEOUT) -> Future[R]:
        """Let the machine answer, and keep the answer back."""
        answer = self._machine.call(verb, request, timeout)
        late: Future[R] = Future()

        def tell() -> None:
            # Whoever asked may have gone away.
            if late.set_running_or_notify_cancel():
                try:
                    late.set_result(answer.result())
                except VirtnodeError as error:
                    late.set_exception(error)

        timer = Timer(self._delay, tell)
        timer.daemon = True
        timer.start()
        return late

    def subscribe(self, hear: Hear) -> None:
        """Tell every signal, at once."""
        self._machine.subscribe(hear)

    def close(self) -> None:
        """Let go of the machine."""
        self._machine.close()
