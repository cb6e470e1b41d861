"""What an installation would do to a disk: decided without touching it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nodelib.bus_install import InstallDisk, InstallPlan, InstallRegion, InstallRequest
from nodelib.codec import to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.install_rules import ASK, AUTO, choose_disk, describe_disk, match_disks
from nodelib.slots import DATA, ESP, MEBIBYTE, SLOT_A, SLOT_B, STATE, Region, lay_out

CONTENTS, ALL = "contents", "all"
"""What `wipe` calls partitions and file systems, and everything."""
SHOWN_CONTENTS = {
    "bios": "GRUB for BIOS",
    ESP: "shim, GRUB, kernel, initramfs",
    SLOT_A: "this system",
    SLOT_B: "empty, for the next system",
    STATE: "what this node is told and keeps",
    DATA: "LVM volume group for guests' disks",
}
THIN_POOL = "guests"
"""What the thin pool is called; guests' disks are cut from it."""
DATA_WORDS = ("lvm", "none")
LAST_STEPS = (
    "write the boot partition: kernel, initramfs, boot loaders",
    "write the boot loader for BIOS",
    "mark the installation as finished",
)
STATE_MOUNT = "/var/lib/virtnode"
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

    def as_unattended(self) -> "Wanted":
        """Return the same, where nobody is there to confirm anything."""
        return replace(self, unattended=True)


def read_wanted(
    request: InstallRequest, answer: Answer, boot_rule: str, image_bytes: int, build: str
) -> Wanted:
    """Lay a request over the kernel argument, and that over the configuration."""
    argument = "" if boot_rule in (ASK, AUTO) else boot_rule
    return Wanted(
        rule=request.rule or argument or answer.rule,
        keep=request.keep or answer.keep,
        wipe=request.wipe or answer.wipe,
        sizes=replace(answer, data=request.data or answer.data, thin=request.thin or answer.thin),
        image_bytes=image_bytes,
        build=build,
    )


def find_disk(wanted: Wanted, disks: tuple[InstallDisk, ...]) -> InstallDisk:
    """Choose the disk; raises VirtnodeError if the rule means no one disk."""
    if not wanted.rule:
        raise VirtnodeError(
            Code.INVALID, "no disk is named", "name a device or a rule: virtnodectl install plan smallest"
        )
    return choose_disk(wanted.rule, disks)


def find_data_disks(
    wanted: Wanted, disks: Sequence[InstallDisk], target: InstallDisk
) -> tuple[InstallDisk, ...]:
    """Find the disks that join the volume group; raises VirtnodeError if a rule means none but `target`.

    What is kept is left alone, and so are they then.
    """
    rules = data_rules(wanted.sizes)
    others = [disk for disk in disks if disk.name != target.name]
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
) -> InstallPlan:
    """Say what would happen to a disk, and to those that join its volume group.

    `present` is the layout that is there, for a disk that is kept.
    """
    regions = present if wanted.keep and present else plan_regions(disk, wanted.sizes)
    digest = hashlib.sha256(f"{to_json(disk)}{[to_json(one) for one in data]}{wanted}".encode())
    return InstallPlan(
        id=digest.hexdigest()[:16],
        disk=disk,
        keep=wanted.keep,
        regions=tuple(
            InstallRegion(region.name, region.size * MEBIBYTE, _content(region.name, keep=wanted.keep))
            for region in regions
        ),
        erased=(*_erased(disk, keep=wanted.keep), *_erased_data(data)),
        steps=(
            *step_titles(disk, keep=wanted.keep),
            *(() if wanted.keep else data_titles(wanted, regions, data)),
            *LAST_STEPS,
        ),
        warnings=(*_warnings(disk, wanted), *_data_warnings(data)),
        problems=(*_problems(disk, wanted, regions), *_data_problems(disk, wanted, regions, data)),
        may_keep=bool(disk.installed or disk.unfinished),
        data=data,
        thin=wanted.sizes.thin and not wanted.keep,
    )


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


def step_titles(disk: InstallDisk, *, keep: bool) -> tuple[str, ...]:
    """List what is done first, in order, as a person reads it."""
    begin = (
        (f"mark {disk.name} as unfinished: it does not start until all is done",)
        if keep
        else (
            f"erase what is on {disk.name}: from here on it does not start",
            "write a new partition table, slot A marked as unfinished",
        )
    )
    middle = ("copy this system to slot A", "read slot A back and compare it")
    return (*begin, *middle, *(() if keep else ("make the state partition",)))


def data_titles(wanted: Wanted, regions: tuple[Region, ...], data: Sequence[InstallDisk]) -> tuple[str, ...]:
    """List what is done for guests' disks."""
    erase = (f"erase what is on {', '.join(one.name for one in data)}",) if data else ()
    group = ("make the volume group",) if data or has_region(regions, DATA) else ()
    pool = (f"make its thin pool {THIN_POOL}",) if group and wanted.sizes.thin else ()
    return (*erase, *group, *pool)


def _content(name: str, *, keep: bool) -> str:
    return "stays as it is" if keep and name in (STATE, DATA, SLOT_B) else SHOWN_CONTENTS[name]


def _erased(disk: InstallDisk, *, keep: bool) -> Iterator[str]:
    if keep:
        yield "the system in slot A and the boot partition; state and data stay"
    else:
        yield from disk.holds or ("nothing: no content was found on it",)


def _warnings(disk: InstallDisk, wanted: Wanted) -> Iterator[str]:
    for system in disk.systems:
        yield f"this disk looks like one of {system}"
    if disk.unfinished:
        yield "an installation to this disk began and never ended"
    if not disk.serial:
        yield "this disk has no serial number: look twice that it is the one you mean"
    if not wanted.keep and disk.installed:
        yield f"{disk.installed} is installed here; its state and data go, unless they are kept (--keep)"


def _erased_data(data: Sequence[InstallDisk]) -> Iterator[str]:
    for one in data:
        for line in one.holds or ("nothing: no content was found on it",):
            yield f"{describe_disk(one)}: {line}"


def _data_warnings(data: Sequence[InstallDisk]) -> Iterator[str]:
    for one in data:
        name = describe_disk(one)
        for system in one.systems:
            yield f"{name}: it looks like one of {system}"
        if one.unfinished:
            yield f"{name}: an installation to it began and never ended"
        if not one.serial:
            yield f"{name}: look twice that it is the one you mean"
        if one.installed:
            yield f"{name}: {one.installed} is installed there, and goes"


def _data_problems(
    disk: InstallDisk, wanted: Wanted, regions: tuple[Region, ...], data: Sequence[InstallDisk]
) -> Iterator[str]:
    """Say what stands against the disks of the volume group, and against the group itself."""
    if wanted.keep:
        return
    for one in data:
        name = describe_disk(one)
        yield from (f"{name}: {refusal}" for refusal in one.refusals)
        yield from _wipe_problems(one, wanted, name)
    members = (*((disk,) if has_region(regions, DATA) else ()), *data)
    if len({one.sector_bytes for one in members} - {0}) > 1:
        sizes = ", ".join(f"{one.name} {one.sector_bytes}" for one in members)
        yield f"one volume group cannot have sectors of different sizes: {sizes} bytes"
    if wanted.sizes.thin and not members:
        yield "there is no volume group for a thin pool: install.data says none, or no GiB is left for it"


def _problems(disk: InstallDisk, wanted: Wanted, regions: tuple[Region, ...]) -> Iterator[str]:
    name = describe_disk(disk)
    for refusal in disk.refusals:
        if not (wanted.keep and f" is mounted at {STATE_MOUNT}" in refusal):
            yield f"{name}: {refusal}{_advice(refusal)}"
    if wanted.keep:
        yield from _keep_problems(disk, name)
    else:
        yield from _wipe_problems(disk, wanted, name)
        last = regions[-1]
        if disk.size_bytes // MEBIBYTE < last.start + last.size + TABLE_END:
            yield f"{name}: {last.start + last.size + TABLE_END} MiB are needed for these sizes"
    slot = next((region.size for region in regions if region.name == SLOT_A), 0)
    if wanted.image_bytes > slot * MEBIBYTE:
        yield f"this system has {wanted.image_bytes // MEBIBYTE} MiB, and a slot {slot} MiB"


def _advice(refusal: str) -> str:
    if refusal.endswith(STATE_MOUNT):
        return "; start the medium with its entry Install, which leaves the state alone"
    return ""


def _keep_problems(disk: InstallDisk, name: str) -> Iterator[str]:
    if not disk.installed and not disk.unfinished:
        yield f"{name}: no node is installed there whose state could be kept"


def _wipe_problems(disk: InstallDisk, wanted: Wanted, name: str) -> Iterator[str]:
    if ALL in wanted.wipe:
        return
    for treasure in disk.treasures:
        if treasure == "virtnode" and not wanted.unattended:
            # A person has read what goes, and types the serial number.
            continue
        if treasure not in wanted.wipe:
            yield f"{name}: {treasure} would be destroyed; only --wipe {treasure} allows that"
    if wanted.unattended and disk.holds and not disk.treasures and CONTENTS not in wanted.wipe:
        yield f"{name}: it is not empty; unattended, only wipe = [{CONTENTS!r}] allows that"


def data_group(disk_identifier: str) -> str:
    """Name the volume group for data; another disk's never has the same name."""
    return f"virtnode-{disk_identifier[:8].lower()}"
