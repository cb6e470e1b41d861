"""A running engine beside a test that waits for answers."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

T = TypeVar("T")
DEADLINE = 30.0


@contextlib.contextmanager
def in_thread(make: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """Keep something open in the event loop of another thread."""
    ready, stop = threading.Event(), threading.Event()
    found: list[T] = []
    failed: list[BaseException] = []

    async def run() -> None:
        async with make() as made:
            found.append(made)
            ready.set()
            await asyncio.to_thread(stop.wait)

    def run_thread() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run_thread)
    thread.start()
    try:
        assert ready.wait(DEADLINE)
        if failed:
            raise failed[0]
        yield found[0]
    finally:
        stop.set()
        thread.join(DEADLINE)
    assert not thread.is_alive()
    assert not failed, failed
