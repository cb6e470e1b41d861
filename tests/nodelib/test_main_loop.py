"""GLib's main loop, called by ctypes."""

import threading

import pytest

from nodelib.main_loop import MainLoop


def test_work_is_done_in_order_until_the_end() -> None:
    """From any thread, in the loop's own, in the order in which it was asked for."""
    loop, done = MainLoop(), list[tuple[int, str]]()

    def ask() -> None:
        for number in range(100):
            loop.call_soon(lambda number=number: done.append((number, threading.current_thread().name)))  # type: ignore[misc]
        loop.quit()

    asking = threading.Thread(target=ask)
    running = threading.Thread(target=loop.run, name="loop")
    running.start()
    asking.start()
    for thread in (asking, running):
        thread.join(10)
        assert not thread.is_alive()
    assert done == [(number, "loop") for number in range(100)]


def test_a_failure_ends_neither_the_loop_nor_what_is_repeated(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next call comes in time."""
    loop, calls = MainLoop(), list[int]()

    def fail_at_first() -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise ValueError("at first")
        if len(calls) == 3:
            loop.quit()

    loop.call_every(0.01, fail_at_first)
    loop.run()
    assert calls[:3] == [0, 1, 2]
    assert caplog.text.count("something in the main loop failed") == 1
