"""How a recorded machine behaves: keyboard, time zone, power, maintenance, factory reset."""

import dataclasses
from typing import TYPE_CHECKING

from nodelib.bus import CONFIG_SHOW, STATUS
from nodelib.bus_guests import GUESTS
from nodelib.bus_system import (
    FACTORY_RESET,
    MAINTENANCE,
    POWER,
    SYSTEM,
    MaintenanceRequest,
    PowerRequest,
    ResetRequest,
    System,
)
from nodelib.errors import Code, VirtnodeError
from nodelib.link import NodeState, Nothing
from tui.recorded.answer import Answers

if TYPE_CHECKING:
    from tui.recorded.machine import RecordedMachine


def system(machine: "RecordedMachine", request: Nothing) -> System:
    """Show keyboard and time zone as the configuration has them."""
    decided = machine.get(CONFIG_SHOW).document.get("system", {})
    changes = {key: decided[key] for key in ("keymap", "timezone") if decided.get(key)}
    return dataclasses.replace(machine.get(SYSTEM), **changes)


def power(machine: "RecordedMachine", request: PowerRequest) -> None:
    """Refuse while virtual machines run, unless they may be stopped."""
    refuse_guests(machine, request.stop_guests)
    machine.notes["ended"] = request.deed.value


def maintenance(machine: "RecordedMachine", request: MaintenanceRequest) -> None:
    """Ask the engine, where there is one."""
    if not machine.get(STATUS).connected:
        raise VirtnodeError(Code.CONFLICT, "this node has no engine", "join one first")
    machine.put(SYSTEM, dataclasses.replace(machine.get(SYSTEM), maintenance=request.on))
    machine.set_status(state=NodeState.MAINTENANCE.value if request.on else NodeState.UP.value)


def factory_reset(machine: "RecordedMachine", request: ResetRequest) -> None:
    """Take the host name, typed, for a yes."""
    if request.confirmation != machine.get(STATUS).hostname:
        raise VirtnodeError(
            Code.INVALID, "that is not this node's host name", "type it as the title shows it"
        )
    refuse_guests(machine, request.stop_guests)
    machine.notes["ended"] = "reset"


def refuse_guests(machine: "RecordedMachine", stop_guests: bool) -> None:
    """Name the virtual machines that keep a node from ending, unless they may be stopped."""
    running = machine.get(SYSTEM).guests_running
    if running and not stop_guests:
        names = [guest.name for guest in machine.get(GUESTS).guests if guest.state == "running"]
        text = f"{running} virtual machines are running: {', '.join(names)}"
        raise VirtnodeError(Code.CONFLICT, text, "shut them down, or say that they may be stopped")


ANSWERS: Answers = {SYSTEM: system, POWER: power, MAINTENANCE: maintenance, FACTORY_RESET: factory_reset}
