"""How a recorded machine behaves: virtual machines start and stop, and their consoles say what is typed."""

import base64
import dataclasses
from typing import TYPE_CHECKING

from nodelib.bus_guests import (
    CONSOLE_CLOSE,
    CONSOLE_OPEN,
    CONSOLE_READ,
    CONSOLE_SEND,
    GUEST_DO,
    GUESTS,
    ConsoleClose,
    ConsoleOutput,
    ConsoleRead,
    ConsoleReply,
    ConsoleRequest,
    ConsoleSend,
    GuestDeed,
    GuestRequest,
    GuestsReply,
)
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


def open_console(machine: "RecordedMachine", request: ConsoleRequest) -> ConsoleReply:
    """Greet as a machine that has just started does."""
    guest = next((guest for guest in machine.get(GUESTS).guests if guest.uuid == request.uuid), None)
    if guest is None or not guest.console:
        raise VirtnodeError(Code.CONFLICT, "this machine has no console", "start it first")
    greeting = f"\x1b[2J\x1b[H\x1b[1;32m{guest.name}\x1b[0m ttyS0\r\n\r\nlogin: "
    machine.notes["console"] = greeting.encode()
    return ConsoleReply("console-1")


def send(machine: "RecordedMachine", request: ConsoleSend) -> None:
    """Say what was typed; Ctrl-D ends the console."""
    echo = request.text.replace("\r", "\r\nlogin: ").encode()
    machine.notes["console"] = machine.notes.get("console", b"") + echo


def read(machine: "RecordedMachine", request: ConsoleRead) -> ConsoleOutput:
    """Give what was said since, at once."""
    said = machine.notes.get("console", b"")
    machine.notes["console"] = b""
    return ConsoleOutput(base64.b64encode(said).decode(), closed=b"\x04" in said)


def close(machine: "RecordedMachine", request: ConsoleClose) -> None:
    """Forget it."""
    machine.notes.pop("console", None)


ANSWERS: Answers = {
    GUEST_DO: do,
    CONSOLE_OPEN: open_console,
    CONSOLE_SEND: send,
    CONSOLE_READ: read,
    CONSOLE_CLOSE: close,
}
