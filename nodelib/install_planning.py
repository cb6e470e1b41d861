"""What an installation would do to a disk: decided without touching it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nodelib.bus_install import InstallDisk, InstallPlan, InstallRegion, InstallRequest
from nodelib.codec import to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.install_others import (
    NODE,
    NOTHING,
    data_problems,
    erased_others,
    has_node,
    lost_nodes,
    mirror_erased,
    mirror_problems,
    mirror_warnings,
    refusals,
    room_problems,
    warnings_of_others,
    wipe_problems,
)
from nodelib.install_rules import ASK, AUTO, choose_disk, describe_disk, match_disks
from nodelib.slots import DATA, ESP, MEBIBYTE, SLOT_A, SLOT_B, STATE, STATE_SUFFIX, THIN_POOL, Region, lay_out

SHOWN_CONTENTS = {
    "bios": "GRUB for BIOS",
    ESP: "shim, GRUB, kernel, initramfs",
    SLOT_A: "this system",
    SLOT_B: "empty, for the next system",
    STATE: "what this node is told and keeps",
    DATA: "LVM volume group for guests' disks",
}
DATA_WORDS = ("lvm", "none")
LAST_STEPS = (
    "write the boot partition: kernel, initramfs, boot loaders",
    "write the boot loader for BIOS",
    "mark the installation as finished",
)
NOTHING_KEPT = "no node is installed here that could be kept: it is installed as from nothing"
UNSTARTED = "an earlier system starts no more"
"""Of slot B of a node that is kept: its kernel went with the boot partition."""
LOST_ARGUMENTS = "the node's own kernel arguments cannot be read any more: it gets those of this medium"
TABLE_END = 2
"""MiB that stay free at the end of a disk, for the partition table's second copy."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """[install] of a `node.toml`: what is asked before anybody sees the machine; sizes in MiB."""

    rule: str = ""
    keep: bool = False
    wipe: tuple[str, ...] = ()
    esp: int = 256
    slot: int = 1024
    state: int = 1024
    data: str | tuple[str, ...] = "lvm"
    """`none`, `lvm`, or rules of the other disks that the volume group gets besides."""
    thin: bool = False
    mirror: str = ""
    """A rule for a second disk that gets the same; empty for none."""
    after: str = "reboot"
    webhook: str = ""


@dataclass(frozen=True)
class Wanted:
    """What was asked, by whoever asked: the request over the configuration."""

    rule: str
    keep: bool
    wipe: tuple[str, ...]
    sizes: Answer
    image_bytes: int = 0
    """Size of the squashfs; 0 where it is not known."""
    build: str = ""
    unattended: bool = False
    keep_asked: bool = True
    """Whoever asks said so of this very disk; what a configuration keeps is only what is there."""
    kept_nothing: bool = False
    """A configuration keeps nodes, and there is none on the disk."""

    def as_unattended(self) -> "Wanted":
        """Return the same, where nobody is there to confirm anything."""
        return replace(self, unattended=True)

    def for_disk(self, disk: InstallDisk) -> "Wanted":
        """Return the same for a disk: a configuration that keeps nodes installs where there is none."""
        if not self.keep or self.keep_asked or has_node(disk):
            return self
        return replace(self, keep=False, kept_nothing=True)


def read_wanted(
    request: InstallRequest, answer: Answer, boot_rule: str, image_bytes: int, build: str
) -> Wanted:
    """Lay a request over the kernel argument, and that over the configuration."""
    argument = "" if boot_rule in (ASK, AUTO) else boot_rule
    return Wanted(
        rule=request.rule or argument or answer.rule,
        keep=request.keep or answer.keep,
        wipe=request.wipe or answer.wipe,
        sizes=replace(
            answer,
            data=request.data or answer.data,
            thin=request.thin or answer.thin,
            mirror=request.mirror or answer.mirror,
        ),
        image_bytes=image_bytes,
        build=build,
        keep_asked=request.keep,
    )


def find_disk(wanted: Wanted, disks: tuple[InstallDisk, ...]) -> InstallDisk:
    """Choose the disk; raises VirtnodeError if the rule means no one disk."""
    if not wanted.rule:
        raise VirtnodeError(
            Code.INVALID, "no disk is named", "name a device or a rule: virtnodectl install plan smallest"
        )
    return choose_disk(wanted.rule, disks)


def find_mirror(wanted: Wanted, disks: Sequence[InstallDisk], target: InstallDisk) -> InstallDisk | None:
    """Find the second disk; raises VirtnodeError if the rule means no one disk beside `target`.

    A node that is kept has the one that it has: that which shares its state.
    """
    others = tuple(disk for disk in disks if disk.name != target.name)
    if wanted.keep:
        return next((disk for disk in others if target.mirror and disk.mirror == target.mirror), None)
    return choose_disk(wanted.sizes.mirror, others) if wanted.sizes.mirror else None


def find_data_disks(
    wanted: Wanted, disks: Sequence[InstallDisk], target: InstallDisk, mirror: InstallDisk | None = None
) -> tuple[InstallDisk, ...]:
    """Find the disks that join the volume group; raises VirtnodeError if a rule means none but `target`.

    What is kept is left alone, and so are they then.
    """
    rules = data_rules(wanted.sizes)
    own = {target.name, *((mirror.name,) if mirror else ())}
    others = [disk for disk in disks if disk.name not in own]
    if wanted.keep:
        return ()
    found = {disk.name: disk for rule in rules for disk in match_disks(rule, others)}
    return tuple(found.values())


def data_rules(answer: Answer) -> tuple[str, ...]:
    """Return the rules of data disks; raises VirtnodeError (invalid) for a word that means nothing."""
    if isinstance(answer.data, tuple):
        return answer.data
    if answer.data not in DATA_WORDS:
        raise VirtnodeError(
            Code.INVALID, f"install.data: {answer.data}", "write lvm, none, or a list of rules for disks"
        )
    return ()


def make_plan(
    wanted: Wanted,
    disk: InstallDisk,
    present: tuple[Region, ...] = (),
    data: tuple[InstallDisk, ...] = (),
    mirror: InstallDisk | None = None,
) -> InstallPlan:
    """Say what would happen to a disk, to its mirror, and to those that join its volume group.

    `present` is the layout that is there, for a disk that is kept.
    """
    smaller = disk if mirror is None or disk.size_bytes <= mirror.size_bytes else mirror
    regions = present if wanted.keep and present else plan_regions(smaller, wanted.sizes)
    last = regions[-1].start + regions[-1].size + TABLE_END
    members = (*((disk,) if has_region(regions, DATA) else ()), *data)
    others = [*data, *((mirror,) if mirror else ())]
    digest = hashlib.sha256(f"{to_json(disk)}{[to_json(one) for one in others]}{wanted}".encode())
    return InstallPlan(
        id=digest.hexdigest()[:16],
        disk=disk,
        keep=wanted.keep,
        regions=tuple(
            InstallRegion(region.name, region.size * MEBIBYTE, _content(region.name, wanted, mirror))
            for region in regions
        ),
        erased=(*_erased(disk, keep=wanted.keep), *mirror_erased(mirror, wanted), *erased_others(data)),
        steps=(
            *step_titles(disk, keep=wanted.keep, mirror=mirror),
            *(() if wanted.keep else data_titles(wanted, regions, data, mirrored=mirror is not None)),
            *LAST_STEPS,
        ),
        warnings=(
            *_warnings(disk, wanted),
            *mirror_warnings(disk, mirror, wanted),
            *warnings_of_others(data),
        ),
        problems=(
            *_problems(disk, wanted, regions, last),
            *mirror_problems(disk, mirror, wanted, last),
            *data_problems(wanted, members, data, mirrored=mirror is not None),
            *lost_nodes(wanted, others),
        ),
        may_keep=has_node(disk),
        data=data,
        thin=wanted.sizes.thin and not wanted.keep,
        mirror=mirror,
        confirmation=" ".join(one.confirmation for one in (disk, mirror) if one is not None),
    )


def with_arguments(plan: InstallPlan, arguments: Sequence[str] | None) -> InstallPlan:
    """Say in a plan that keeps a node which kernel arguments it will have; None where its own are lost."""
    if arguments is None:
        return replace(plan, warnings=(*plan.warnings, LOST_ARGUMENTS))
    steps = [*plan.steps]
    steps[steps.index(LAST_STEPS[0])] = f"{LAST_STEPS[0]}; kernel arguments: {' '.join(arguments) or 'none'}"
    digest = hashlib.sha256(f"{plan.id}{arguments}".encode())
    return replace(plan, id=digest.hexdigest()[:16], steps=tuple(steps))


def plan_regions(disk: InstallDisk, sizes: Answer) -> tuple[Region, ...]:
    """Lay out a disk; data takes what is left, and nothing if that is less than a GiB."""
    fixed = {ESP: sizes.esp, SLOT_A: sizes.slot, STATE: sizes.state}
    end = lay_out(fixed)[-1]
    left = disk.size_bytes // MEBIBYTE - TABLE_END - end.start - end.size
    data = left if sizes.data != "none" and left >= 1024 else 0
    return lay_out({**fixed, DATA: data})


def has_region(regions: tuple[Region, ...], name: str) -> bool:
    """Tell whether a layout has a partition."""
    return any(region.name == name for region in regions)


def step_titles(disk: InstallDisk, *, keep: bool, mirror: InstallDisk | None = None) -> tuple[str, ...]:
    """List what is done first, in order, as a person reads it."""
    names, those = disk.name, "it does not start"
    if mirror is not None:
        names, those = f"{disk.name} and {mirror.name}", "neither starts"
    begin = (
        (f"mark {names} as unfinished: {those} until all is done",)
        if keep
        else (
            f"erase what is on {names}: from here on {those}",
            "write a new partition table, slot A marked as unfinished",
        )
    )
    middle = ("copy this system to slot A", "read slot A back and compare it")
    place = "make the state partition" if mirror is None else "make the state, mirrored on both disks"
    state = f"{place}, with what this system was told"
    return (*begin, *middle, *(() if keep else (state,)))


def data_titles(
    wanted: Wanted, regions: tuple[Region, ...], data: Sequence[InstallDisk], *, mirrored: bool = False
) -> tuple[str, ...]:
    """List what is done for guests' disks."""
    erase = (f"erase what is on {', '.join(one.name for one in data)}",) if data else ()
    group = ("make the volume group",) if data or has_region(regions, DATA) else ()
    kind = "mirrored thin pool" if mirrored else "thin pool"
    pool = (f"make its {kind} {THIN_POOL}",) if group and wanted.sizes.thin else ()
    return (*erase, *group, *pool)


def _content(name: str, wanted: Wanted, mirror: InstallDisk | None) -> str:
    if wanted.keep and name in (STATE, DATA):
        return "stays as it is"
    if wanted.keep and name == SLOT_B:
        return UNSTARTED
    return SHOWN_CONTENTS[name] + (f", mirrored on {mirror.name}" if mirror and name == STATE else "")


def _erased(disk: InstallDisk, *, keep: bool) -> Iterator[str]:
    if keep:
        yield "the systems of both slots and the boot partition; state and data stay"
    else:
        yield from disk.holds or (NOTHING,)


def _warnings(disk: InstallDisk, wanted: Wanted) -> Iterator[str]:
    for system in disk.systems:
        yield f"this disk looks like one of {system}"
    if disk.unfinished:
        yield "an installation to this disk began and never ended"
    if not disk.serial:
        yield "this disk has no serial number: look twice that it is the one you mean"
    if wanted.kept_nothing:
        yield NOTHING_KEPT
    if not wanted.keep and disk.installed:
        yield f"{disk.installed} is installed here; its state and data go, unless they are kept (--keep)"


def _problems(disk: InstallDisk, wanted: Wanted, regions: tuple[Region, ...], last: int) -> Iterator[str]:
    name = describe_disk(disk)
    yield from refusals(disk, name, keep=wanted.keep)
    if wanted.keep:
        yield from _keep_problems(disk, name)
    else:
        yield from wipe_problems(disk, wanted, name)
        yield from room_problems(disk, name, last)
    slot = next((region.size for region in regions if region.name == SLOT_A), 0)
    if wanted.image_bytes > slot * MEBIBYTE:
        yield f"this system has {wanted.image_bytes // MEBIBYTE} MiB, and a slot {slot} MiB"


def _keep_problems(disk: InstallDisk, name: str) -> Iterator[str]:
    if not has_node(disk):
        yield f"{name}: no node is installed there whose state could be kept"


def state_group(disk_identifier: str) -> str:
    """Name the volume group of a mirrored state; another pair's never has the same name."""
    return f"{data_group(disk_identifier)}{STATE_SUFFIX}"


def data_group(disk_identifier: str) -> str:
    """Name the volume group for data; another disk's never has the same name."""
    return f"{NODE}-{disk_identifier[:8].lower()}"
