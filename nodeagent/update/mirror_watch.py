"""What somebody should know of a node's second disk: that it is missing, or not what the first one is."""

import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nodeagent.disk_claim import DiskClaim
from nodeagent.facts.sources import Command
from nodeagent.state_disk import mirrored_volume
from nodeagent.update.mirror import differing_slots
from nodeagent.update.slot_disk import SlotDisk, find_slot_disk
from nodelib.bus import Notice
from nodelib.errors import VirtnodeError
from nodelib.places import Place, at
from nodelib.slots import STATE_SUFFIX

logger = logging.getLogger(__name__)

STATUS_COMMAND = ("dmsetup", "status", "--target", "raid")
STATUS_LINE = re.compile(r"(\S+): \d+ \d+ raid raid1 \d+ ([\w-]+) (\d+)/(\d+)")
"""dmsetup's line of a mirror: its name, a letter for each copy, and how far they are equal."""
LOST, BEHIND = {"D", "-"}, "a"
"""A copy that failed, or has no disk at all; and one that is not equal yet."""
STATE_VOLUME_END = "--state-state"
REPAIR = f"put a disk in, and make it the second one: {at(Place.REPAIR)}"
AGAIN = f"make it what this disk is: {at(Place.REPAIR)}"


@dataclass(frozen=True)
class Copies:
    """A volume that is on two disks, as the kernel tells."""

    name: str
    is_lost: bool
    percent: int
    """How much of it either disk has."""


class MirrorWatch:
    """Looks after the second disk, now and then; every method may be called from every thread."""

    def __init__(self, root: Path, command: Command, claim: DiskClaim) -> None:
        self._root = root
        self._command = command
        self._claim = claim
        self._lock = threading.Lock()
        self._notices: tuple[Notice, ...] = ()

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What was found at the last look; nothing for a node of one disk."""
        with self._lock:
            return self._notices

    def look(self) -> None:
        """Look at disks and volumes; nothing is asked of a node of one disk.

        While an update or a repair writes, the disks differ as they should, and what was found stays.
        """
        if self._claim.holder:
            return
        try:
            volume = mirrored_volume(self._root)
            found = tuple(self._find(volume)) if volume else ()
        except (VirtnodeError, OSError) as error:
            logger.error("the second disk cannot be looked after: %s", error)
            return
        with self._lock:
            before, self._notices = self._notices, found
        for notice in found:
            if notice not in before:
                logger.warning("%s", notice.text)

    def _find(self, volume: str) -> Iterator[Notice]:
        disk = find_slot_disk(self._root)
        if disk.twin_problem:
            yield Notice(disk.twin_problem, REPAIR)
        yield from _different(disk)
        group = volume.partition("/")[0].removesuffix(STATE_SUFFIX)
        for copies in read_copies(self._command(STATUS_COMMAND), group):
            if copies.is_lost:
                yield Notice(f"{copies.name} is on one disk alone", REPAIR if disk.twin_problem else AGAIN)
            elif copies.percent < 100:
                text = f"{copies.name} is being copied to the other disk: {copies.percent} %"
                yield Notice(text, "take no disk out until it is done")


def _different(disk: SlotDisk) -> Iterator[Notice]:
    slots = differing_slots(disk)
    if slots and disk.twin is not None:
        name = disk.twin.device.name
        yield Notice(f"{name}, the second disk, has something else in slot {' and '.join(slots)}", AGAIN)


def read_copies(text: str, group: str) -> tuple[Copies, ...]:
    """Read what dmsetup says of the mirrors of a node whose volume group is `group`."""
    # A hyphen within a name is doubled there, and a single one ends the group's.
    prefix = group.replace("-", "--")
    found = []
    for name, letters, done, total in STATUS_LINE.findall(text):
        if name == f"{prefix}{STATE_VOLUME_END}":
            shown = "the state"
        elif name.startswith(f"{prefix}-") and not name.startswith(f"{prefix}--"):
            shown = f"the volume {name.removeprefix(f'{prefix}-').replace('--', '-')}"
        else:
            continue
        percent = 100 * int(done) // max(1, int(total))
        is_behind = BEHIND in letters
        found.append(Copies(shown, bool(LOST & set(letters)), min(percent, 99) if is_behind else percent))
    return tuple(found)
