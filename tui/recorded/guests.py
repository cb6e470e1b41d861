"""How a recorded machine behaves: virtual machines start and stop."""

import dataclasses
from typing import TYPE_CHECKING

from nodelib.bus_guests import GUEST_DO, GUESTS, GuestDeed, GuestRequest, GuestsReply
from nodelib.bus_system import METERS, SYSTEM
from nodelib.errors import Code, VirtnodeError
from tui.recorded.answer import Answers

if TYPE_CHECKING:
    from tui.recorded.machine import RecordedMachine


def do(machine: "RecordedMachine", request: GuestRequest) -> None:
    """Start, shut down, or pull the plug."""
    reply = machine.get(GUESTS)
    guest = next((guest for guest in reply.guests if guest.uuid == request.uuid), None)
    if guest is None:
        raise VirtnodeError(Code.NOT_FOUND, "there is no such virtual machine")
    starts = request.deed is GuestDeed.START
    if starts == (guest.state == "running"):
        raise VirtnodeError(Code.CONFLICT, f"{guest.name} is {guest.state}", "look at the list again")
    changed = dataclasses.replace(guest, state="running" if starts else "shut off", console=starts)
    guests = tuple(changed if one is guest else one for one in reply.guests)
    machine.put(GUESTS, GuestsReply(guests))
    running = sum(one.state == "running" for one in guests)
    machine.put(METERS, dataclasses.replace(machine.get(METERS), guests_running=running))
    machine.put(SYSTEM, dataclasses.replace(machine.get(SYSTEM), guests_running=running))


ANSWERS: Answers = {GUEST_DO: do}
