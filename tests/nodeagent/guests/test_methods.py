"""Consoles on a real bus: who opened one holds it, and nobody waits for another's reading."""

import contextlib
import io
import os
import pty
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nodeagent.bus_client import BusClient
from nodeagent.control import run_control
from nodeagent.events import EventQueue
from nodeagent.guard import Guard, Rules
from nodeagent.guests.program import GuestProgram
from nodeagent.methods.guests import guests_methods
from nodelib.bus_guests import (
    CONSOLE_CLOSE,
    CONSOLE_OPEN,
    CONSOLE_READ,
    CONSOLE_SEND,
    GUEST_DO,
    GUESTS,
    ConsoleClose,
    ConsoleRead,
    ConsoleRequest,
    ConsoleSend,
    GuestDeed,
    GuestRequest,
)
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing
from tests.nodeagent.buses import private_bus, served_methods
from tests.nodeagent.engine_double import wait_for

UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"
GUEST = {"uuid": UUID, "name": "vm1", "state": "running", "cpus": 2, "memory_bytes": 1 << 30, "console": True}


class ScriptedProgram(GuestProgram):
    """Stands for the program: one machine, whose console says what it is told."""

    def __init__(self) -> None:
        super().__init__("test:///default")
        self.calls: list[tuple[str, dict[str, object]]] = []
        self.typed = ""
        self.more = threading.Event()
        self.over = False
        self.state = "running"

    @property
    def pid(self) -> int | None:
        """It is always there."""
        return 1

    def call(self, verb: str, words: Mapping[str, object], patience: float = 0.0) -> Any:  # noqa: ANN401 - JSON
        """Answer."""
        self.calls.append((verb, dict(words)))
        if verb == "list":
            return [{**GUEST, "state": self.state}]
        if verb == "do":
            self.state = {"start": "running", "poweroff": "shut off"}.get(str(words["deed"]), self.state)
        if verb == "type":
            self.typed += str(words["text"])
            self.more.set()
        if verb == "read":
            self.more.wait(patience)
            return {"data": "aGk=" if self.more.is_set() else "", "closed": self.over}
        return {}

    def closed(self) -> list[object]:
        """Name the handles that were closed."""
        return [words["handle"] for verb, words in self.calls if verb == "close"]


@dataclass
class Ends:
    """Stands for the agent: what ends with it, and its events."""

    events: EventQueue
    ends: list[Any] = field(default_factory=list)

    def at_stop(self, end: Any) -> None:  # noqa: ANN401 - a function
        """Note it."""
        self.ends.append(end)


OPEN = Guard(time.monotonic, lambda: Rules(password_set=False, idle_lock=0))


@dataclass
class Served:
    """The methods on a bus."""

    address: str
    program: ScriptedProgram
    events: EventQueue


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Serve the methods about guests."""
    agent: Any = Ends(EventQueue(tmp_path, time.time))
    program = ScriptedProgram()
    with private_bus(tmp_path) as address, served_methods(address, guests_methods(agent, program), OPEN):
        yield Served(address, program, agent.events)
        program.more.set()
        for end in agent.ends:
            end()


@pytest.fixture
def client(served: Served) -> Iterator[BusClient]:
    """Be on the bus."""
    client = BusClient(served.address)
    yield client
    client.close()


def test_what_is_done_to_a_machine_is_told(served: Served, client: BusClient) -> None:
    """Each deed and each console that is opened: who, which machine, and its state before and after."""
    for deed in (GuestDeed.SHUTDOWN, GuestDeed.POWEROFF, GuestDeed.START):
        client.call(GUEST_DO, GuestRequest(UUID, deed))
    client.call(CONSOLE_OPEN, ConsoleRequest(UUID))
    told = [(one.kind, one.text, one.before, one.after) for one in served.events.waiting()]

    def states(key: str, *values: str) -> list[dict[str, str]]:
        return [{"uuid": UUID, key: value} for value in values]

    assert told == [
        (
            "guest-shutdown",
            "root asks to shut down the virtual machine vm1",
            *states("state", "running", "running"),
        ),
        (
            "guest-poweroff",
            "root switches off the virtual machine vm1",
            *states("state", "running", "shut off"),
        ),
        ("guest-start", "root starts the virtual machine vm1", *states("state", "shut off", "running")),
        (
            "guest-console",
            "root opens the console of the virtual machine vm1",
            *states("console", "closed", "open"),
        ),
    ]
    assert {one.actor for one in served.events.waiting()} == {"root"}


def test_a_console_is_its_openers_alone(served: Served, client: BusClient) -> None:
    """Keys and words go both ways for who opened it; for another connection it is not there."""
    handle = client.call(CONSOLE_OPEN, ConsoleRequest(UUID)).handle
    client.call(CONSOLE_SEND, ConsoleSend(handle, "root\r"))
    assert client.call(CONSOLE_READ, ConsoleRead(handle, 5)).data == "aGk="
    assert served.program.typed == "root\r"
    stranger = BusClient(served.address)
    for verb, request in (
        (CONSOLE_SEND, ConsoleSend(handle, "x")),
        (CONSOLE_READ, ConsoleRead(handle)),
        (CONSOLE_CLOSE, ConsoleClose(handle)),
    ):
        with pytest.raises(VirtnodeError, match="no such console") as caught:
            stranger.call(verb, request)  # type: ignore[misc]
        assert caught.value.code is Code.NOT_FOUND
    stranger.close()
    with pytest.raises(VirtnodeError) as caught:
        client.call(CONSOLE_SEND, ConsoleSend(handle, "x" * 5000))
    assert caught.value.code is Code.INVALID
    client.call(CONSOLE_CLOSE, ConsoleClose(handle))
    assert served.program.closed() == [handle]
    with pytest.raises(VirtnodeError, match="no such console"):
        client.call(CONSOLE_SEND, ConsoleSend(handle, "x"))


def test_a_console_is_closed_with_its_connection(served: Served, client: BusClient) -> None:
    """Whoever leaves the bus leaves no console behind; others keep theirs."""
    mine = client.call(CONSOLE_OPEN, ConsoleRequest(UUID)).handle
    other = BusClient(served.address)
    handles = [other.call(CONSOLE_OPEN, ConsoleRequest(UUID)).handle for _ in range(2)]
    other.close()
    wait_for(lambda: sorted(map(str, served.program.closed())) == sorted(handles))
    client.call(CONSOLE_SEND, ConsoleSend(mine, "x"))


def test_who_reads_is_in_nobodys_way(served: Served, client: BusClient) -> None:
    """While one connection waits for a console's words, others are answered."""
    done = threading.Event()

    def read() -> None:
        reader = BusClient(served.address)
        handle = reader.call(CONSOLE_OPEN, ConsoleRequest(UUID)).handle
        reader.call(CONSOLE_READ, ConsoleRead(handle, 20))
        reader.close()
        done.set()

    thread = threading.Thread(target=read)
    thread.start()
    wait_for(lambda: "read" in [verb for verb, _ in served.program.calls])
    assert client.call(GUESTS, Nothing()).guests[0].name == "vm1"
    assert not done.is_set()
    served.program.more.set()
    thread.join(20)
    assert done.is_set()


def test_the_command_line_speaks_to_a_machine(served: Served) -> None:
    """In a real terminal: keys go there as they are, Ctrl-] leaves, and the terminal is as it was."""
    keyboard, line = pty.openpty()
    out = io.StringIO()
    os.write(keyboard, b"ls\r\x1dlost")
    with os.fdopen(line, "r") as stdin, contextlib.closing(os.fdopen(keyboard, "wb", 0)):
        argv = ["--bus", served.address, "guest", "console", "vm1"]
        assert run_control(argv, out, out, stdin) == 0
    assert served.program.typed in ("ls\r", "ls\n")
    assert "Ctrl-] ends it" in out.getvalue()
    assert len(served.program.closed()) == 1


def test_the_command_line_tells_when_a_machine_ends(served: Served) -> None:
    """What it showed last is there."""
    served.program.over = True
    served.program.more.set()
    keyboard, line = pty.openpty()
    out = io.StringIO()
    with os.fdopen(line, "r") as stdin, contextlib.closing(os.fdopen(keyboard, "wb", 0)):
        argv = ["--bus", served.address, "guest", "console", UUID]
        assert run_control(argv, out, out, stdin) == 0
    assert "hi\nThe console of vm1 is closed." in out.getvalue()


def test_the_command_line_lists_and_acts(served: Served) -> None:
    """Machines by name; a deed; a machine that is not there; a console without a terminal."""
    for words, status, text in (
        (("guests",), 0, "vm1  running       2 CPU   0.0 %     1024 MiB"),
        (("guests", "--json"), 0, '"name": "vm1"'),
        (("guest", "shutdown", "vm1"), 0, "vm1 was asked to shut down"),
        (("guest", "start", "vm9"), 1, "there is no virtual machine vm9"),
        (("guest", "console", "vm1"), 2, "needs a terminal"),
    ):
        out = io.StringIO()
        assert run_control(["--bus", served.address, *words], out, out, io.StringIO()) == status
        assert text in out.getvalue().replace('":"', '": "')
    assert ("do", {"uuid": UUID, "deed": "shutdown"}) in served.program.calls
