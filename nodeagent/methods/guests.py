"""The methods of nodelib/bus_guests.py."""

from concurrent.futures import ThreadPoolExecutor

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
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

READERS = 4
"""Consoles that can be waited for at a time."""


def guests_methods(agent: Agent, program: GuestProgram | None = None) -> tuple[Method, ...]:
    """Lay out the methods; whoever waits for a console's output is in nobody's way."""
    program = program or GuestProgram()
    desk = GuestDesk(program)
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
        Method(GUEST_DO, lambda request, actor: desk.do(request), deeds),
        Method(CONSOLE_OPEN, desk.open, deeds, by_connection=True, on_leave=leave),
        Method(CONSOLE_SEND, desk.send, typing, by_connection=True),
        Method(CONSOLE_READ, desk.read, readers, by_connection=True),
        Method(CONSOLE_CLOSE, desk.close, deeds, by_connection=True),
    )
