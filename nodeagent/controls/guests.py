"""The verbs of virtnodectl about virtual machines."""

import argparse

from nodeagent.controls.console import ConsoleSession
from nodeagent.controls.terminal import Terminal, Verbs, add_verb
from nodelib.bus_guests import GUEST_DO, GUESTS, Guest, GuestDeed, GuestRequest, GuestsReply
from nodelib.codec import to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing

DEEDS = {
    GuestDeed.START: "start a virtual machine",
    GuestDeed.SHUTDOWN: "ask a virtual machine to shut down",
    GuestDeed.POWEROFF: "pull a virtual machine's plug",
}
TOLD = {
    GuestDeed.START: "runs",
    GuestDeed.SHUTDOWN: "was asked to shut down",
    GuestDeed.POWEROFF: "is off",
}


def add_guests_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
    guests = add_verb(verbs, "guests", run_guests, "list the virtual machines on this node")
    guests.add_argument("--json", action="store_true", help="print them as JSON")
    guest = verbs.add_parser("guest", help="start, stop, or speak to a virtual machine")
    deeds = guest.add_subparsers(metavar="DEED", required=True)
    for deed, text in DEEDS.items():
        one = add_verb(deeds, deed.value, run_deed, text)
        one.set_defaults(deed=deed)
        one.add_argument("name", help="its name or UUID")
    console = add_verb(deeds, "console", run_console, "open its serial console; Ctrl-] ends it")
    console.add_argument("name", help="its name or UUID")


def run_guests(found: argparse.Namespace, terminal: Terminal) -> None:
    """List machines."""
    reply = terminal.client.call(GUESTS, Nothing())
    if found.json:
        terminal.say(to_json(reply))
    elif reply.problem:
        raise VirtnodeError(Code.UNAVAILABLE, reply.problem)
    else:
        terminal.say(guests_text(reply) or "there are no virtual machines")


def guests_text(reply: GuestsReply) -> str:
    """Lay machines out, one a line."""
    width = max((len(guest.name) for guest in reply.guests), default=0)
    return "".join(
        f"{guest.name:<{width}}  {guest.state:<11} {guest.cpus:>3} CPU {guest.cpu_percent:>5.1f} %"
        f" {guest.memory_bytes / 2**20:>8.0f} MiB  {guest.uuid}\n"
        for guest in reply.guests
    )


def run_deed(found: argparse.Namespace, terminal: Terminal) -> None:
    """Do something to a machine."""
    guest = find_guest(found.name, terminal)
    terminal.client.call(GUEST_DO, GuestRequest(guest.uuid, found.deed))
    terminal.say(f"{guest.name} {TOLD[found.deed]}")


def run_console(found: argparse.Namespace, terminal: Terminal) -> None:
    """Speak to a machine."""
    ConsoleSession(terminal, find_guest(found.name, terminal)).run()


def find_guest(name: str, terminal: Terminal) -> Guest:
    """Find a machine by its name or UUID."""
    reply = terminal.client.call(GUESTS, Nothing())
    if reply.problem:
        raise VirtnodeError(Code.UNAVAILABLE, reply.problem)
    for guest in reply.guests:
        if name in (guest.name, guest.uuid):
            return guest
    raise VirtnodeError(
        Code.NOT_FOUND, f"there is no virtual machine {name}", "virtnodectl guests lists them"
    )
