"""What people do to virtual machines, as events: who, to which, what it was before and what it is after."""

from nodeagent.events import EventQueue
from nodeagent.guard import Caller
from nodeagent.guests.desk import GuestDesk
from nodelib.bus_guests import ConsoleReply, ConsoleRequest, Guest, GuestDeed, GuestRequest

WORDS = {
    GuestDeed.START: "starts",
    GuestDeed.SHUTDOWN: "asks to shut down",
    GuestDeed.POWEROFF: "switches off",
}


class GuestAudit:
    """Does a deed, and tells of it once it is done."""

    def __init__(self, desk: GuestDesk, events: EventQueue) -> None:
        self._desk = desk
        self._events = events

    def do(self, request: GuestRequest, actor: str) -> None:
        """Start a machine, ask it to shut down, or pull its plug."""
        before = self._find(request.uuid)
        self._desk.do(request)
        self._events.add(
            kind=f"guest-{request.deed.value}",
            text=f"{actor} {WORDS[request.deed]} the virtual machine {before.name}",
            actor=actor,
            before={"uuid": request.uuid, "state": before.state},
            after={"uuid": request.uuid, "state": self._find(request.uuid).state},
        )

    def open(self, request: ConsoleRequest, caller: Caller) -> ConsoleReply:
        """Open a machine's console: whoever has it may do what the machine lets them."""
        reply = self._desk.open(request, caller.connection)
        self._events.add(
            kind="guest-console",
            text=f"{caller.name} opens the console of the virtual machine {self._find(request.uuid).name}",
            actor=caller.name,
            before={"uuid": request.uuid, "console": "closed"},
            after={"uuid": request.uuid, "console": "open"},
        )
        return reply

    def _find(self, uuid: str) -> Guest:
        found = (guest for guest in self._desk.list().guests if guest.uuid == uuid)
        return next(found, Guest(uuid, uuid, "unknown"))
