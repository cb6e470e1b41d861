"""What the self-check judges: facts that were found out, so that the judgement needs no machine."""

import os
from dataclasses import dataclass
from pathlib import Path

from nodeagent.facts.sources import Command, names_in, read_list, read_text, text_of
from nodeagent.health import FAILED_COMMAND
from nodeagent.state_disk import MOUNT_POINT, State, is_stateless, read_state
from nodelib.facts import Facts
from nodelib.ladder import Ladder

TRACKING_COMMAND = ("chronyc", "-n", "-c", "tracking")
WRITABLE = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "exfat"))
"""File systems that are not read-only by nature."""
LIVE_MEDIUM = "/run/initramfs"
"""Below it the image itself is mounted, and never written."""


@dataclass(frozen=True)
class Known:
    """What the agent knows already."""

    facts: Facts
    libvirt_known: bool = True
    """libvirt has answered, or failed to, at least once."""
    ladder: Ladder = ()
    engine: str = ""
    state: str = ""
    """The engine's last word about this node."""
    skew: float | None = None
    """Seconds that the engine's clock is before ours."""
    certificate_ends: float | None = None
    now: float = 0.0
    built_at: float = 0.0


@dataclass(frozen=True)
class Room:
    """A file system's size and what is free of it."""

    total_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Tracking:
    """What chrony says of the time; `offset` is in seconds."""

    synchronised: bool
    offset: float = 0.0
    source: str = ""


@dataclass(frozen=True)
class Evidence:
    """All of it."""

    known: Known
    clock_chip: bool
    state: State
    stateless: bool
    room: Room | None = None
    """Of the state disk; None without one."""
    read_only: tuple[str, ...] = ()
    """Where file systems are mounted that should be writable and are not."""
    tracking: Tracking | None = None
    """None where chrony does not answer."""
    failed_units: tuple[str, ...] | None = ()
    """None where systemd does not answer."""


def collect_evidence(root: Path, known: Known, command: Command) -> Evidence:
    """Find out the rest; takes seconds at most, and never fails."""
    state = read_state(root)
    units = command(FAILED_COMMAND)
    return Evidence(
        known=known,
        clock_chip=bool(names_in(root / "sys/class/rtc")),
        state=state,
        stateless=is_stateless(read_text(root / "proc/cmdline")),
        room=measure_room(root / MOUNT_POINT) if state.kind == "disk" else None,
        read_only=read_only_mounts(read_text(root / "proc/self/mounts")),
        tracking=read_tracking(command(TRACKING_COMMAND)),
        failed_units=tuple(text_of(unit, "unit") for unit in read_list(units)) if units.strip() else None,
    )


def measure_room(folder: Path) -> Room | None:
    """Measure the file system that a folder is on; None where it cannot be."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return Room(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


def read_only_mounts(mounts: str) -> tuple[str, ...]:
    """List where a file system that can be written is mounted read-only, as after an error of its disk."""
    found = []
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 4:
            continue
        place, kind, options = fields[1:4]
        if kind in WRITABLE and "ro" in options.split(",") and not place.startswith(LIVE_MEDIUM):
            found.append(place)
    return tuple(found)


def read_tracking(text: str) -> Tracking | None:
    """Read a line of `chronyc -c tracking`; None where it is none."""
    fields = text.strip().split(",")
    if len(fields) < 14:
        return None
    try:
        offset = float(fields[4])
    except ValueError:
        return None
    return Tracking(fields[13] != "Not synchronised", offset, fields[1])
