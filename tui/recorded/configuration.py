"""How a recorded machine behaves: a change of the configuration is pending until it is confirmed."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nodelib.bus import (
    CONFIG_APPLY,
    CONFIG_CONFIRM,
    CONFIG_PLAN,
    CONFIG_REVERT,
    CONFIG_SHOW,
    FACTS,
    STATUS,
    ConfigView,
    PendingChange,
    PlanReply,
    PlanRequest,
    RevertRequest,
    Status,
)
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.link import ApplyReply, ApplyRequest, ConfirmRequest, Nothing
from tui.recorded.answer import Answers
from tui.recorded.summary import summarise

if TYPE_CHECKING:
    from tui.recorded.machine import RecordedMachine

_tickets = itertools.count(1)


def merge(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a patch over tables; None takes a key away."""
    merged = dict(document)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged[name] = merge(merged.get(name) or {}, value)
        else:
            merged[name] = value
    return merged


def flatten(tables: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Name each value by its dotted key."""
    found: dict[str, Any] = {}
    for name, value in tables.items():
        key = f"{above}{name}"
        if isinstance(value, Mapping):
            found |= flatten(value, f"{key}.")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for number, table in enumerate(value):
                found |= flatten(table, f"{key}[{number}].")
        else:
            found[key] = value
    return found


def changes_of(machine: "RecordedMachine", patch: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what a patch changes, one line each; a value with a `!` in it is refused."""
    document = machine.get(CONFIG_SHOW).document
    problems = [
        f"{key}: {value!r} is not allowed here" for key, value in flatten(patch).items() if "!" in str(value)
    ]
    if problems:
        raise InvalidInput(problems)
    nics = machine.get(FACTS).nics
    return summarise(document, merge(document, patch), nics)


def plan(machine: "RecordedMachine", request: PlanRequest) -> PlanReply:
    """Say what would change."""
    return PlanReply(changes_of(machine, request.patch))


def apply(machine: "RecordedMachine", request: ApplyRequest) -> ApplyReply:
    """Change it, and wait for the confirmation."""
    if machine.get(STATUS).pending is not None:
        raise VirtnodeError(Code.CONFLICT, "another change waits for its confirmation", "confirm it first")
    changes = changes_of(machine, request.patch)
    machine.notes["decided"] = flatten(request.patch)
    if not changes:
        take_answers(machine)
        return ApplyReply(())
    view = machine.get(CONFIG_SHOW)
    machine.notes["before"] = view
    machine.notes["until"] = machine.clock() + request.window
    machine.put(CONFIG_SHOW, dataclasses.replace(view, document=merge(view.document, request.patch)))
    ticket = f"recorded-{next(_tickets)}"
    machine.set_pending(PendingChange(ticket, request.window, changes))
    return ApplyReply(changes, ticket)


def confirm(machine: "RecordedMachine", request: ConfirmRequest) -> None:
    """Keep it."""
    if machine.get(STATUS).pending is None:
        raise VirtnodeError(Code.NOT_FOUND, "no change waits for a confirmation")
    machine.notes.pop("before")
    take_answers(machine)
    machine.set_pending(None)


def take_answers(machine: "RecordedMachine") -> None:
    """Ask no more for what was decided."""
    decided = machine.notes.pop("decided", {})
    asked = machine.get(STATUS).asked
    machine.set_status(asked=tuple(one for one in asked if one.key not in decided))


def revert(machine: "RecordedMachine", request: RevertRequest) -> None:
    """Put back what was before."""
    before = machine.notes.pop("before", None)
    if isinstance(before, ConfigView):
        machine.put(CONFIG_SHOW, before)
    machine.set_pending(None)


def go_back_in_time(machine: "RecordedMachine") -> None:
    """Revert what was not confirmed in time."""
    pending = machine.get(STATUS).pending
    if pending is not None and "before" in machine.notes and machine.clock() >= machine.notes["until"]:
        revert(machine, RevertRequest(pending.ticket))


def status(machine: "RecordedMachine", request: Nothing) -> Status:
    """Say how it stands, and how many seconds a pending change has left."""
    known = machine.get(STATUS)
    if known.pending is None or "until" not in machine.notes:
        return known
    left = machine.notes["until"] - machine.clock()
    return dataclasses.replace(known, pending=dataclasses.replace(known.pending, seconds_left=left))


ANSWERS: Answers = {
    STATUS: status,
    CONFIG_PLAN: plan,
    CONFIG_APPLY: apply,
    CONFIG_CONFIRM: confirm,
    CONFIG_REVERT: revert,
}
