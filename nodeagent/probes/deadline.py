"""Work that may hang, and somebody who does not wait for ever."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from nodelib.errors import Code, VirtnodeError

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T], what: str) -> T:
    """Return what `work` returns; raises VirtnodeError (unavailable) where that takes too long.

    Nothing ends the work: its thread goes on, and what it finds then is forgotten.
    """
    future: Future[T] = Future()

    def settle() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # whatever it is, it is raised where somebody waits
            future.set_exception(error)

    threading.Thread(target=settle, name="within", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError as error:
        if future.done():
            raise
        raise VirtnodeError(Code.UNAVAILABLE, f"{what} took more than {seconds:g} s") from error
