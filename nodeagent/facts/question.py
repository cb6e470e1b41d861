"""A question to a program that may take a minute to answer, put beside the one who asks."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeAlias

from nodeagent.facts.sources import Command

Beside: TypeAlias = Callable[[Callable[[], None]], None]
"""Has something done while the caller goes on."""


def start_thread(work: Callable[[], None]) -> None:
    """Do something in a thread that nobody waits for."""
    threading.Thread(target=work, name="question", daemon=True).start()


class Question:
    """One command, asked again and again; one answer is awaited at a time."""

    def __init__(self, command: Command, argv: Sequence[str], beside: Beside = start_thread) -> None:
        self._command = command
        self._argv = tuple(argv)
        self._beside = beside
        self._lock = threading.Lock()
        self._awaited = False
        self._answer: str | None = None

    @property
    def answered(self) -> bool:
        """Tell whether there is an answer that nobody has taken yet."""
        return self._answer is not None

    def ask(self) -> None:
        """Put the question, unless its answer is awaited already."""
        with self._lock:
            if self._awaited:
                return
            self._awaited = True
        self._beside(self._run)

    def take(self) -> str | None:
        """Return the answer, once; None where there is no new one."""
        with self._lock:
            answer, self._answer = self._answer, None
        return answer

    def _run(self) -> None:
        answer = self._command(self._argv)
        with self._lock:
            self._answer, self._awaited = answer, False
