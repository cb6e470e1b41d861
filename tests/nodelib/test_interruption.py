"""Interruptions that wait."""

import signal
import threading
from collections.abc import Iterator

import pytest

from nodelib.interruption import interruption_waits


@pytest.fixture(autouse=True)
def default_handlers() -> Iterator[None]:
    """Give SIGINT its usual meaning for one test."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interruption_comes_when_the_context_ends() -> None:
    """What is inside is done to its end, and then the interruption happens."""
    done: list[str] = []

    def work() -> None:
        with interruption_waits():
            signal.raise_signal(signal.SIGINT)
            done.append("whole")
        done.append("never")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["whole"]


def test_handlers_are_as_before() -> None:
    """The context leaves nothing of its own."""
    with interruption_waits():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_ignored_stays_ignored() -> None:
    """A program that is told to ignore interruptions goes on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruption_waits():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        signal.raise_signal(signal.SIGINT)


def test_another_thread_may_use_it() -> None:
    """Only the main thread is interrupted: in others there is nothing to hold."""
    entered: list[bool] = []

    def work() -> None:
        with interruption_waits():
            entered.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [True]
