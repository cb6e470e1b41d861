"""What it takes to give a node its second disk back: decided without touching it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from nodelib.bus_install import InstallDisk, InstallPlan, InstallRegion
from nodelib.codec import to_json
from nodelib.install_others import NOTHING, room_problems, warnings_of_others, wipe_problems
from nodelib.install_planning import SHOWN_CONTENTS, TABLE_END, Wanted
from nodelib.install_rules import describe_disk
from nodelib.slots import DATA, MEBIBYTE, SLOT_A, SLOT_B, STATE, STATE_SUFFIX, Region

MOUNTED = " is mounted at "


@dataclass(frozen=True)
class RunningNode:
    """The node that is to be mirrored again: the disk that it runs from, and what it holds."""

    disk: str
    regions: tuple[Region, ...]
    group: str
    """The volume group of its state."""
    missing: str
    """Why it has no second disk that could start it; empty where it has one."""
    twin: str = ""
    """The disk that is the second one and can start it."""


def make_repair_plan(wanted: Wanted, disk: InstallDisk, node: RunningNode) -> InstallPlan:
    """Say what would happen to the disk that is to be the second one, or is it and fell behind."""
    name = describe_disk(disk)
    returns = is_returning(disk, node)
    digest = hashlib.sha256(f"{to_json(disk)}{node}{wanted}".encode())
    return InstallPlan(
        id=digest.hexdigest()[:16],
        disk=disk,
        regions=tuple(
            InstallRegion(one.name, one.size * MEBIBYTE, _content(one.name, node)) for one in node.regions
        ),
        erased=tuple(_erased(disk, returns=returns)),
        steps=tuple(_steps(disk, node, returns=returns)),
        warnings=tuple(warnings_of_others([disk])) if not returns else (),
        problems=tuple(_problems(wanted, disk, node, name, returns=returns)),
        confirmation=disk.confirmation,
        repair=True,
    )


def is_returning(disk: InstallDisk, node: RunningNode) -> bool:
    """Tell whether a disk has this node's state already: what LVM has on it stays."""
    return bool(disk.mirror) and disk.mirror == node.group


def _problems(
    wanted: Wanted, disk: InstallDisk, node: RunningNode, name: str, *, returns: bool
) -> Iterator[str]:
    if disk.name == node.disk:
        yield f"{name}: the node runs from it; name the other disk"
        return
    for refusal in disk.refusals:
        # Of a disk that returns nothing is written that is in use: its volumes are LVM's to bring up.
        if not (returns and MOUNTED in refusal):
            yield f"{name}: {refusal}"
    if returns:
        return
    if node.twin:
        yield f"{node.twin} is the second disk, and in order: take it out before another takes its place"
    last = node.regions[-1].start + node.regions[-1].size + TABLE_END
    yield from wipe_problems(disk, wanted, name)
    yield from room_problems(disk, name, last)


def _erased(disk: InstallDisk, *, returns: bool) -> Iterator[str]:
    if returns:
        yield "both slots and the boot partition; its copies of state and volumes are brought up to date"
    else:
        yield from disk.holds or (NOTHING,)


def _steps(disk: InstallDisk, node: RunningNode, *, returns: bool) -> Iterator[str]:
    if returns:
        yield f"mark {disk.name} as unfinished: it does not start until all is done"
    else:
        yield f"erase what is on {disk.name}: from here on it does not start"
        yield f"write a partition table as {node.disk} has it"
    yield f"copy both slots of {node.disk}, read them back and compare them"
    yield "write the boot partition and the boot loader for BIOS"
    what = "state and guests' volumes" if any(one.name == DATA for one in node.regions) else "the state"
    yield f"have LVM copy {what}, and wait for the state"
    yield "mark the disk as finished"


def _content(name: str, node: RunningNode) -> str:
    shown = {
        SLOT_A: f"slot A of {node.disk}",
        SLOT_B: f"slot B of {node.disk}",
        STATE: f"a copy of {node.group}",
        DATA: f"a part of {node.group.removesuffix(STATE_SUFFIX)}",
    }
    return shown.get(name, SHOWN_CONTENTS.get(name, ""))
