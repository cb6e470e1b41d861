"""How a recorded machine behaves: installing takes a minute, and fails at 45 % on a `worn` model."""

import dataclasses
from typing import TYPE_CHECKING

from nodelib.bus_install import (
    INSTALL_DISKS,
    INSTALL_PLAN,
    INSTALL_PROGRESS,
    INSTALL_RUN,
    InstallPlan,
    InstallProgress,
    InstallRequest,
    InstallRun,
    InstallState,
)
from nodelib.bus_system import SYSTEM
from nodelib.errors import Code, VirtnodeError
from nodelib.install_planning import Answer, find_disk, find_mirror, make_plan, read_wanted
from nodelib.link import Nothing
from tui.recorded.answer import Answers

if TYPE_CHECKING:
    from tui.recorded.machine import RecordedMachine

NOTE = "install"
SECONDS = 60
WORN, FAILS_AT = "worn", 45
DONE_HINT = "restart the machine; the medium may stay in, its menu starts the disk"


def plan(machine: "RecordedMachine", request: InstallRequest) -> InstallPlan:
    """Plan with the node's own rules."""
    view, build = machine.get(INSTALL_DISKS), machine.get(SYSTEM).build_id
    wanted = read_wanted(request, Answer(), view.rule, 0, build)
    disk = find_disk(wanted, view.disks)
    wanted = wanted.for_disk(disk)
    found = make_plan(wanted, disk, mirror=find_mirror(wanted, view.disks, disk))
    return dataclasses.replace(found, problems=(*found.problems, view.problem)) if view.problem else found


def run(machine: "RecordedMachine", asked: InstallRun) -> None:
    """Begin, if it is this very plan, nothing is in its way, and the disk was confirmed."""
    found = plan(machine, asked.request)
    if found.id != asked.plan:
        text = "the disk, or what was asked, is no more what the plan said"
        raise VirtnodeError(Code.CONFLICT, text, "look at it again")
    if found.problems:
        raise VirtnodeError(Code.CONFLICT, "; ".join(found.problems))
    if asked.confirmation.lower().split() != found.confirmation.lower().split():
        text = f"the confirmation is not the end of the serial number of {found.disk.name}"
        raise VirtnodeError(Code.INVALID, text, "look at the disk's label, and type its last characters")
    running = machine.get(INSTALL_PROGRESS)
    if running.state is InstallState.RUNNING:
        raise VirtnodeError(Code.BUSY, f"an installation to {running.disk} is under way")
    machine.notes[NOTE] = (machine.clock(), found)
    machine.put(INSTALL_PROGRESS, InstallProgress(InstallState.RUNNING, found.disk.name, 0, found.steps[0]))


def progress(machine: "RecordedMachine", request: Nothing) -> InstallProgress:
    """Be further the more time has gone by."""
    before = machine.get(INSTALL_PROGRESS)
    if before.state is InstallState.RUNNING and NOTE in machine.notes:
        started, found = machine.notes[NOTE]
        machine.put(INSTALL_PROGRESS, advance(found, int((machine.clock() - started) * 100 / SECONDS)))
        _mark(machine, found)
    return machine.get(INSTALL_PROGRESS)


def advance(found: InstallPlan, percent: int) -> InstallProgress:
    """Say how an installation stands that should have come this far."""
    disk = found.disk
    if WORN in disk.model.lower() and percent >= FAILS_AT:
        step = found.steps[FAILS_AT * len(found.steps) // 100]
        error = f"/dev/{disk.name} cannot be written: Input/output error"
        hint = "nothing was started from this disk since; find the reason, and install again"
        return InstallProgress(InstallState.FAILED, disk.name, FAILS_AT, step, error, hint)
    if percent >= 100:
        return InstallProgress(InstallState.SUCCEEDED, disk.name, 100, "installed", hint=DONE_HINT)
    step = found.steps[percent * len(found.steps) // 100]
    return InstallProgress(InstallState.RUNNING, disk.name, percent, step)


def _mark(machine: "RecordedMachine", found: InstallPlan) -> None:
    """Let the disk show what became of it."""
    state = machine.get(INSTALL_PROGRESS).state
    if state is InstallState.RUNNING:
        return
    system, name = machine.get(SYSTEM), found.disk.name
    done = state is InstallState.SUCCEEDED
    machine.set_status(installed_to=name if done else "")
    after = dataclasses.replace(
        found.disk,
        holds=(f"{name}: gpt partition table", *(f'{name}: "{region.name}"' for region in found.regions)),
        installed=system.product if done else "",
        build=system.build_id if done else "",
        unfinished=not done,
        treasures=("virtnode",),
        systems=(),
    )
    view = machine.get(INSTALL_DISKS)
    disks = tuple(after if disk.name == name else disk for disk in view.disks)
    machine.put(INSTALL_DISKS, dataclasses.replace(view, disks=disks))


ANSWERS: Answers = {INSTALL_PLAN: plan, INSTALL_RUN: run, INSTALL_PROGRESS: progress}
