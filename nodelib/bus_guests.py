"""The bus's methods about virtual machines on this node."""

from dataclasses import dataclass
from enum import StrEnum

from nodelib.link import Nothing, Verb


class GuestDeed(StrEnum):
    """What can be done to a virtual machine: shutdown asks it, poweroff pulls its plug."""

    START = "start"
    SHUTDOWN = "shutdown"
    POWEROFF = "poweroff"


@dataclass(frozen=True)
class Guest:
    """A virtual machine, as libvirt knows it."""

    uuid: str
    name: str
    state: str
    """libvirt's word: running, paused, shut off, crashed, ..."""
    cpus: int = 0
    memory_bytes: int = 0
    cpu_percent: float = 0.0
    """Of all its processors together, since it was asked before: 100 is all of them busy."""
    console: bool = False
    """It runs and has a serial console."""


@dataclass(frozen=True)
class GuestsReply:
    """All virtual machines by name; `problem` says why there are none to be seen."""

    guests: tuple[Guest, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class GuestRequest:
    """A virtual machine and what to do with it."""

    uuid: str
    deed: GuestDeed


@dataclass(frozen=True)
class ConsoleRequest:
    """Open a machine's serial console; whoever had it loses it."""

    uuid: str


@dataclass(frozen=True)
class ConsoleReply:
    """An open console's handle; it is closed with the connection to the bus that opened it."""

    handle: str


@dataclass(frozen=True)
class ConsoleSend:
    """Keys for a console, as text."""

    handle: str
    text: str


@dataclass(frozen=True)
class ConsoleRead:
    """Ask what a console has shown since; waits up to `wait` seconds (at most 20) for more."""

    handle: str
    wait: float = 10.0


@dataclass(frozen=True)
class ConsoleOutput:
    """What it has shown: bytes as base64, at most 64 KiB of them; `closed` once no more will come."""

    data: str = ""
    closed: bool = False


@dataclass(frozen=True)
class ConsoleClose:
    """Close a console."""

    handle: str


GUESTS = Verb("Guests", Nothing, GuestsReply)
GUEST_DO = Verb("GuestDo", GuestRequest, Nothing)
CONSOLE_OPEN = Verb("GuestConsoleOpen", ConsoleRequest, ConsoleReply)
CONSOLE_SEND = Verb("GuestConsoleSend", ConsoleSend, Nothing)
CONSOLE_READ = Verb("GuestConsoleRead", ConsoleRead, ConsoleOutput)
CONSOLE_CLOSE = Verb("GuestConsoleClose", ConsoleClose, Nothing)

METHODS = (GUESTS, GUEST_DO, CONSOLE_OPEN, CONSOLE_SEND, CONSOLE_READ, CONSOLE_CLOSE)
GUARDED = (GUEST_DO, CONSOLE_OPEN)
