"""The methods of nodelib/bus_guests.py."""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodeagent.guests.audit import GuestAudit
from nodeagent.guests.desk import GuestDesk
from nodeagent.guests.program import GuestProgram
from nodelib.bus_guests import (
    CONSOLE_CLOSE,
    CONSOLE_OPEN,
    CONSOLE_READ,
    CONSOLE_SEND,
    GUEST_DO,
    GUESTS,
)
from nodelib.link import Verb

READERS = 4
"""Consoles that can be waited for at a time."""


def guests_methods(agent: Agent, program: GuestProgram | None = None) -> tuple[Method, ...]:
    """Lay out the methods; whoever waits for a console's output is in nobody's way."""
    program = program or GuestProgram()
    desk = GuestDesk(program)
    audit = GuestAudit(desk, agent.events)
    deeds = ThreadPoolExecutor(1, thread_name_prefix="guests")
    typing = ThreadPoolExecutor(1, thread_name_prefix="guests-type")
    readers = ThreadPoolExecutor(READERS, thread_name_prefix="guests-read")

    def end() -> None:
        program.stop()
        for executor in (deeds, typing, readers):
            executor.shutdown(wait=False, cancel_futures=True)

    def leave(connection: str) -> None:
        deeds.submit(desk.leave, connection)

    agent.at_stop(end)
    return (
        Method(GUESTS, lambda request, actor: desk.list(), deeds),
        Method(GUEST_DO, audit.do, deeds),
        Method(CONSOLE_OPEN, executor=deeds, for_caller=audit.open, on_leave=leave),
        _for_connection(CONSOLE_SEND, desk.send, typing),
        _for_connection(CONSOLE_READ, desk.read, readers),
        _for_connection(CONSOLE_CLOSE, desk.close, deeds),
    )


def _for_connection(
    verb: Verb[Any, Any], function: Callable[[Any, str], object], executor: Executor
) -> Method:
    """Answer a method whose handles belong to the connection that calls."""
    return Method(
        verb,
        executor=executor,
        for_caller=lambda request, caller: function(request, caller.connection),
    )
