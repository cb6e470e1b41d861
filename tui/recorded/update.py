"""How a recorded machine behaves: an update takes a minute, its trial another; `worn` and `ill` fail."""

import dataclasses
from typing import TYPE_CHECKING

from nodelib.bus_system import SYSTEM, PowerDeed, System
from nodelib.bus_update import (
    ROLL_BACK,
    UPDATE_PLAN,
    UPDATE_RUN,
    UPDATE_VIEW,
    PackageChange,
    RollBack,
    UpdatePlan,
    UpdateRun,
    UpdateSource,
    UpdateState,
    UpdateView,
)
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing
from tui.recorded.answer import Answers
from tui.recorded.system import refuse_guests

if TYPE_CHECKING:
    from tui.recorded.machine import RecordedMachine

NOTE = "update"
SECONDS, FAILS_AT = 60, 45
VERSION, BUILD = "0.2.0", "77d0a1b2c3d4"
PACKAGES = (
    PackageChange("libvirt-daemon", "11.3.0-3", "11.3.0-4"),
    PackageChange("linux-image-6.12.57", "", "6.12.57-1"),
    PackageChange("linux-image-6.12.48", "6.12.48-1", ""),
    PackageChange("openssl", "3.5.1-1", "3.5.4-1"),
)


def plan(machine: "RecordedMachine", request: UpdateSource) -> UpdatePlan:
    """Find the same update wherever a bundle could be."""
    if not request.where.startswith(("http://", "https://", "/")):
        text = f"where: {request.where} is neither an address nor a path"
        raise VirtnodeError(Code.INVALID, text, "begin it with https:// or /")
    system = machine.get(SYSTEM)
    idle = next((slot for slot in system.slots if not slot.booted), None)
    problems = () if idle else ("this node was not installed to a disk: it has no slot for an update",)
    running = system.guests_running
    return UpdatePlan(
        version=VERSION,
        build_id=BUILD,
        system="Debian GNU/Linux 13",
        slot=idle.name if idle else "",
        replaces=idle.version if idle else "",
        size_bytes=141 << 20,
        signed_by="release",
        packages=PACKAGES,
        warnings=(f"{running} virtual machines run, which a restart stops",) if running else (),
        problems=problems,
    )


def run(machine: "RecordedMachine", asked: UpdateRun) -> None:
    """Begin, unless virtual machines run that a restart would stop."""
    found = plan(machine, UpdateSource(asked.where))
    if found.problems:
        raise VirtnodeError(Code.CONFLICT, "; ".join(found.problems))
    if view(machine, Nothing()).state in (UpdateState.FETCHING, UpdateState.WRITING):
        raise VirtnodeError(Code.BUSY, "an update is under way")
    if asked.restart:
        refuse_guests(machine, asked.stop_guests)
    machine.notes[NOTE] = (machine.clock(), asked, found)
    begun = UpdateView(UpdateState.FETCHING, 0, "", found.version, found.build_id, found.slot)
    machine.put(UPDATE_VIEW, begun)


def view(machine: "RecordedMachine", request: Nothing) -> UpdateView:
    """Be further the more time has gone by."""
    before = machine.get(UPDATE_VIEW)
    if NOTE in machine.notes:
        begun, asked, found = machine.notes[NOTE]
        after = advance(before, asked, int((machine.clock() - begun) * 100 / SECONDS))
        if after.state is UpdateState.TRIAL and before.state is not UpdateState.TRIAL:
            machine.notes["ended"] = PowerDeed.REBOOT.value
            start(machine, found.slot, found.version)
        elif after.state is UpdateState.ROLLED_BACK and before.state is UpdateState.TRIAL:
            start(machine, next(slot.name for slot in machine.get(SYSTEM).slots if not slot.booted))
        machine.put(UPDATE_VIEW, after)
    return machine.get(UPDATE_VIEW)


def advance(before: UpdateView, asked: UpdateRun, percent: int) -> UpdateView:
    """Say how an update stands that should have come this far; beyond 100 it is on trial."""
    if "worn" in asked.where and percent >= FAILS_AT:
        error, hint = "slot b cannot be written: Input/output error", "look at the disk"
        return dataclasses.replace(before, state=UpdateState.FAILED, error=error, hint=hint)
    if percent < 100:
        state = UpdateState.FETCHING if percent < 20 else UpdateState.WRITING
        step = "" if percent < 20 else "write root.squashfs"
        return dataclasses.replace(before, state=state, percent=percent, step=step)
    done = dataclasses.replace(before, percent=100, step="")
    if not asked.restart:
        return dataclasses.replace(done, state=UpdateState.READY, tries_left=3)
    lacks = ("the engine does not answer",)
    if percent < 200:
        return dataclasses.replace(
            done, state=UpdateState.TRIAL, tries_left=2, waits_for=lacks, can_roll_back=True
        )
    if "ill" in asked.where:
        return dataclasses.replace(
            done, state=UpdateState.ROLLED_BACK, tries_left=0, waits_for=lacks, can_roll_back=False
        )
    return dataclasses.replace(done, state=UpdateState.KEPT, tries_left=0, waits_for=(), can_roll_back=True)


def start(machine: "RecordedMachine", name: str, version: str = "") -> None:
    """Let a slot be the one that runs."""
    system: System = machine.get(SYSTEM)
    slots = tuple(
        dataclasses.replace(slot, booted=slot.name == name, version=version or slot.version)
        if slot.name == name
        else dataclasses.replace(slot, booted=False)
        for slot in system.slots
    )
    booted = f"slot {name} of a disk"
    machine.put(SYSTEM, dataclasses.replace(system, slots=slots, booted_from=booted))


def roll_back(machine: "RecordedMachine", request: RollBack) -> None:
    """Start the other slot, unless virtual machines run."""
    before = view(machine, Nothing())
    if not before.can_roll_back:
        raise VirtnodeError(Code.CONFLICT, "the other slot holds no image that once passed")
    refuse_guests(machine, request.stop_guests)
    machine.notes.pop(NOTE, None)
    start(machine, next(slot.name for slot in machine.get(SYSTEM).slots if not slot.booted))
    error = "somebody at the console asked for it"
    changed = dataclasses.replace(
        before, state=UpdateState.ROLLED_BACK, error=error, waits_for=(), can_roll_back=False
    )
    machine.put(UPDATE_VIEW, changed)


ANSWERS: Answers = {UPDATE_PLAN: plan, UPDATE_RUN: run, UPDATE_VIEW: view, ROLL_BACK: roll_back}
