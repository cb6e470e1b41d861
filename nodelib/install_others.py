"""The other disks of an installation: the mirror, those for guests; and what stands against each."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nodelib.bus_install import InstallDisk
from nodelib.install_rules import describe_disk
from nodelib.slots import MEBIBYTE

if TYPE_CHECKING:
    from nodelib.install_planning import Wanted

NODE = "virtnode"
"""What `wipe` calls a node that is installed; its volume group begins so, too."""
CONTENTS, ALL = "contents", "all"
"""What `wipe` calls partitions and file systems, and everything."""
STATE_MOUNT = "/var/lib/virtnode"
NOTHING = "nothing: no content was found on it"


def has_node(disk: InstallDisk) -> bool:
    """Tell whether there are state and data of a node that could be kept."""
    return bool(disk.installed) or (disk.unfinished and not disk.begun)


def is_leftover(disk: InstallDisk, treasure: str) -> bool:
    """Tell whether it is only what an installation from nothing made before it was interrupted."""
    return disk.begun and (treasure in (NODE, "lvm") or treasure.startswith(f"{NODE}-"))


def refusals(disk: InstallDisk, name: str, *, keep: bool) -> Iterator[str]:
    """Say why nobody may install to a disk; state that is kept may be in use."""
    for refusal in disk.refusals:
        if not (keep and f" is mounted at {STATE_MOUNT}" in refusal):
            yield f"{name}: {refusal}{_advice(refusal)}"


def wipe_problems(disk: InstallDisk, wanted: "Wanted", name: str) -> Iterator[str]:
    """Say what of a disk nobody allowed to destroy."""
    if ALL in wanted.wipe:
        return
    for treasure in disk.treasures:
        if is_leftover(disk, treasure) or (treasure == NODE and not wanted.unattended):
            # Of a node that is there a person has read what goes, and types the serial number.
            continue
        if treasure not in wanted.wipe:
            yield f"{name}: {treasure} would be destroyed; only --wipe {treasure} allows that"
    # What an older system recorded of a machine does not say which devices.
    is_plain = disk.contents or (disk.holds and not disk.treasures)
    if wanted.unattended and is_plain and CONTENTS not in wanted.wipe:
        where = f" ({', '.join(disk.contents)})" if disk.contents else ""
        yield f"{name}: it is not empty{where}; unattended, only wipe = [{CONTENTS!r}] allows that"


def room_problems(disk: InstallDisk, name: str, mebibytes: int) -> Iterator[str]:
    """Say if a disk is too small for a layout that ends at `mebibytes`."""
    if disk.size_bytes // MEBIBYTE < mebibytes:
        yield f"{name}: {mebibytes} MiB are needed for these sizes"


def erased_others(disks: Sequence[InstallDisk]) -> Iterator[str]:
    """Say what is lost on disks other than the first."""
    for one in disks:
        for line in one.holds or (NOTHING,):
            yield f"{describe_disk(one)}: {line}"


def warnings_of_others(disks: Sequence[InstallDisk]) -> Iterator[str]:
    """Say what somebody should look at twice about disks other than the first."""
    for one in disks:
        name = describe_disk(one)
        for system in one.systems:
            yield f"{name}: it looks like one of {system}"
        if one.unfinished:
            yield f"{name}: an installation to it began and never ended"
        if not one.serial:
            yield f"{name}: look twice that it is the one you mean"
        if one.installed:
            yield f"{name}: {one.installed} is installed there, and goes"


def data_problems(
    wanted: "Wanted", members: Sequence[InstallDisk], data: Sequence[InstallDisk], *, mirrored: bool
) -> Iterator[str]:
    """Say what stands against the disks of the volume group, and against the group itself.

    `members` are all disks that the group has a part of, `data` those that it gets whole.
    """
    if wanted.keep:
        return
    for one in data:
        name = describe_disk(one)
        yield from (f"{name}: {refusal}" for refusal in one.refusals)
        yield from wipe_problems(one, wanted, name)
    if len({one.sector_bytes for one in members} - {0}) > 1:
        sizes = ", ".join(f"{one.name} {one.sector_bytes}" for one in members)
        yield f"one volume group cannot have sectors of different sizes: {sizes} bytes"
    if wanted.sizes.thin and not members:
        yield "there is no volume group for a thin pool: install.data says none, or no GiB is left for it"
    if wanted.sizes.thin and mirrored and data:
        yield "a thin pool is mirrored on two disks alone: leave out data disks, pool, or mirror"


def lost_nodes(wanted: "Wanted", others: Sequence[InstallDisk]) -> Iterator[str]:
    """Say which nodes a configuration that keeps them would destroy, for it means another disk."""
    for one in others:
        if wanted.kept_nothing and has_node(one):
            yield f"{describe_disk(one)}: a node is installed there, and install.keep is true"


def mirror_erased(mirror: InstallDisk | None, wanted: "Wanted") -> Iterator[str]:
    """Say what is lost on the second disk."""
    if mirror is None:
        return
    if wanted.keep:
        yield f"{describe_disk(mirror)}: the same; its copy of the state stays"
    else:
        yield from erased_others([mirror])


def mirror_warnings(disk: InstallDisk, mirror: InstallDisk | None, wanted: "Wanted") -> Iterator[str]:
    """Say what somebody should look at twice about a disk that has a mirror, or gets one."""
    if wanted.keep:
        if disk.mirror and mirror is None:
            yield "its second disk is not there: this one alone is written, and the mirror must be repaired"
        return
    if disk.mirror and (mirror is None or mirror.mirror != disk.mirror):
        yield "the state on it is mirrored: another disk may have a copy, which stays"
    if mirror is not None:
        yield from warnings_of_others([mirror])


def mirror_problems(
    disk: InstallDisk, mirror: InstallDisk | None, wanted: "Wanted", mebibytes: int
) -> Iterator[str]:
    """Say what stands against the second disk; the layout ends at `mebibytes`."""
    if wanted.keep and wanted.sizes.mirror and not disk.mirror:
        name = describe_disk(disk)
        yield f"{name}: its state is not mirrored, and cannot become so while it is kept"
    if mirror is None:
        return
    name = describe_disk(mirror)
    yield from refusals(mirror, name, keep=wanted.keep)
    if wanted.keep:
        return
    yield from wipe_problems(mirror, wanted, name)
    yield from room_problems(mirror, name, mebibytes)
    if len({disk.sector_bytes, mirror.sector_bytes} - {0}) > 1:
        yield f"{name}: its sectors are not of the size that {disk.name} has"


def _advice(refusal: str) -> str:
    if refusal.endswith(STATE_MOUNT):
        return "; start the medium with its entry Install, which leaves the state alone"
    return ""
