"""Every disk as an installation sees it: what is on it, who uses it, what would be lost."""

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nodeagent.facts.disks import NO_DISKS
from nodeagent.facts.sources import Command, names_in, number_of, read_link_name, read_table, tables, text_of
from nodeagent.install.marker import read_marker
from nodeagent.install.medium import Medium
from nodeagent.install.members import name_member
from nodeagent.install.systems import name_system
from nodelib.bus_install import InstallDisk
from nodelib.install_rules import BOOT_MEDIUM, READ_ONLY, SMALLEST_DISK
from nodelib.slots import BEGUN, BIOS, DATA, ESP, SLOT_A, SLOT_B, STATE, UNFINISHED

COLUMNS = (
    "NAME,TYPE,SIZE,LOG-SEC,MODEL,SERIAL,ROTA,TRAN,RO,"
    "PTTYPE,FSTYPE,LABEL,PARTLABEL,PARTTYPE,START,MOUNTPOINTS"
)
DISKS_COMMAND = ("lsblk", "--json", "--bytes", "--output", COLUMNS)
GROUPS_COMMAND = ("pvs", "--reportformat", "json", "-o", "pv_name,vg_name,vg_tags")
LINKS = ("dev/disk/by-path", "dev/disk/by-id")
TAIL = 4
"""Letters of the serial number that a person types."""
DOMAIN_TAG = "RHAT_storage_domain"
"""What oVirt tags the volume group of a storage domain with."""
LAYOUT = (BIOS, ESP, SLOT_A, SLOT_B, STATE, DATA, UNFINISHED, BEGUN)
SPARE_BYTES = 16 * 2**20
HARVESTER = ("HARV_", "HCI")
EXT_SUPERBLOCK, EXT_MAGIC = 1024, 0xEF53


@dataclass(frozen=True)
class Part:
    """A device below a disk, or the disk itself: a line of lsblk."""

    name: str
    kind: str
    size: int
    start: int
    table: str
    filesystem: str
    label: str
    name_in_table: str
    type: str
    mounts: tuple[str, ...]
    depth: int


@dataclass(frozen=True)
class Groups:
    """Volume groups: the group that each device belongs to, and which are storage domains."""

    of_device: Mapping[str, str]
    domains: frozenset[str] = frozenset()


def collect_install_disks(root: Path, command: Command, medium: Medium) -> tuple[InstallDisk, ...]:
    """Describe every disk; nothing is written, and what cannot be read is not known."""
    groups = _read_groups(command)
    by_path, by_id = (_links(root / folder) for folder in LINKS)
    found = []
    for device in tables(read_table(command(DISKS_COMMAND)).get("blockdevices")):
        name = text_of(device, "name")
        if text_of(device, "type") == "disk" and number_of(device, "size") and not name.startswith(NO_DISKS):
            parts = tuple(_parts(device, 0))
            paths = [f"/{LINKS[0]}/{link}" for link in by_path.get(name, ())]
            found.append(
                _describe(root, device, parts, medium, groups, (paths or [""])[0], tuple(by_id.get(name, ())))
            )
    return tuple(found)


def _describe(
    root: Path,
    device: dict[str, object],
    parts: Sequence[Part],
    medium: Medium,
    groups: Groups,
    path: str,
    ids: tuple[str, ...],
) -> InstallDisk:
    name, serial = text_of(device, "name"), text_of(device, "serial")
    marker = _find_marker(root, name, parts)
    ours = marker is not None
    return InstallDisk(
        name=name,
        path=path,
        ids=ids,
        model=text_of(device, "model"),
        serial=serial,
        size_bytes=number_of(device, "size"),
        rotational=device.get("rota") in (True, 1, "1"),
        bus=text_of(device, "tran"),
        holds=tuple(_contents(parts, groups)),
        systems=tuple(dict.fromkeys(filter(None, (name_system(_words(part, groups)) for part in parts)))),
        last_mounted=max((_last_mounted(root / "dev" / part.name) for part in parts), default=0.0),
        refusals=tuple(_refusals(device, parts, medium, groups)),
        treasures=tuple(dict.fromkeys(_treasures(parts, groups, ours=ours))),
        contents=tuple(_plain_contents(parts, groups, ours=ours)),
        installed=marker.product if marker and marker.finished else "",
        build=marker.build if marker else "",
        unfinished=marker is not None and not marker.finished,
        begun=marker is not None and marker.begun,
        confirmation=serial[-TAIL:] or name,
        sector_bytes=number_of(device, "log-sec"),
        mirror=_mirror(parts, groups) if ours else "",
    )


def _parts(device: dict[str, object], depth: int) -> Iterator[Part]:
    mounts = device.get("mountpoints")
    yield Part(
        name=text_of(device, "name"),
        kind=text_of(device, "type"),
        size=number_of(device, "size"),
        start=number_of(device, "start"),
        table=text_of(device, "pttype"),
        filesystem=text_of(device, "fstype"),
        label=text_of(device, "label"),
        name_in_table=text_of(device, "partlabel"),
        type=text_of(device, "parttype").upper(),
        mounts=tuple(str(mount) for mount in mounts if mount) if isinstance(mounts, list) else (),
        depth=depth,
    )
    for child in tables(device.get("children")):
        yield from _parts(child, depth + 1)


def _contents(parts: Sequence[Part], groups: Groups) -> Iterator[str]:
    """Say what is on a disk, a line a device that holds something."""
    for part in parts:
        words = [part.name]
        if part.depth == 0 and part.table:
            words.append(f"{part.table} partition table")
        if part.kind == "part" and part.name_in_table:
            words.append(f'"{part.name_in_table}"')
        if part.filesystem:
            words.append(f'{part.filesystem} "{part.label}"' if part.label else part.filesystem)
        if group := groups.of_device.get(part.name):
            words.append(f"storage domain {group}" if group in groups.domains else f"volume group {group}")
        words += [f"mounted at {mount}" for mount in part.mounts]
        if len(words) > 1:
            yield f"{words[0]}: {', '.join(words[1:])}"


def _refusals(
    device: dict[str, object], parts: Sequence[Part], medium: Medium, groups: Groups
) -> Iterator[str]:
    """Say why nobody may install here, whatever they confirm."""
    names = {part.name for part in parts}
    if names & set(medium.devices):
        yield BOOT_MEDIUM
    if device.get("ro") in (True, 1, "1"):
        yield READ_ONLY
    if number_of(device, "size") < SMALLEST_DISK:
        yield f"it has less than {SMALLEST_DISK / 1e9:g} GB"
    for part in parts:
        for mount in part.mounts:
            yield "swap is on it" if mount == "[SWAP]" else f"{part.name} is mounted at {mount}"
        if part.depth and part.kind not in ("part", "lvm"):
            yield f"{part.name} ({part.kind}) is made of it"


def _treasures(parts: Sequence[Part], groups: Groups, *, ours: bool) -> Iterator[str]:
    """Name what a person must spell out before it is destroyed; our own data's volume group as well."""
    for part in parts:
        if ours and part.name_in_table == STATE and part.name in groups.of_device:
            # Of a state that is mirrored, too, a person has read that it goes.
            yield "virtnode"
        elif group := groups.of_device.get(part.name):
            yield group
        elif part.filesystem == "LVM2_member":
            yield "lvm"
        elif member := name_member(part.filesystem, part.type):
            yield member
        if part.label.startswith(HARVESTER):
            yield "harvester"
    if ours and not any(groups.of_device.get(part.name) for part in parts):
        yield "virtnode"


def _plain_contents(parts: Sequence[Part], groups: Groups, *, ours: bool) -> Iterator[str]:
    """Name the devices whose content no treasure's name covers; whoever names that allows not this."""
    covered = -1
    for number, part in enumerate(parts):
        if 0 <= covered < part.depth:
            continue
        covered = part.depth if _is_precious(part, groups) else -1
        if covered >= 0 or (ours and part.name_in_table in LAYOUT):
            continue
        if part.kind == "part":
            # Between others there are small ones that a table needs, and nobody's data is in.
            is_filled = bool(part.filesystem) or part.size > SPARE_BYTES
        else:
            has_parts = len(parts) > number + 1
            is_filled = bool(part.filesystem) or (bool(part.table) and not has_parts)
        if is_filled:
            yield part.name


def _is_precious(part: Part, groups: Groups) -> bool:
    if part.name in groups.of_device or part.filesystem == "LVM2_member":
        return True
    return bool(name_member(part.filesystem, part.type)) or part.label.startswith(HARVESTER)


def _mirror(parts: Sequence[Part], groups: Groups) -> str:
    """Name the volume group that the state is in; empty where it is a partition of its own."""
    return next((groups.of_device.get(part.name, "") for part in parts if part.name_in_table == STATE), "")


def _words(part: Part, groups: Groups) -> tuple[str, ...]:
    return (part.filesystem, part.label, part.name_in_table, part.type, groups.of_device.get(part.name, ""))


def _find_marker(root: Path, name: str, parts: Sequence[Part]) -> "Marked | None":
    """Read the marker of a node's installation; None for a disk without our layout."""
    named = {part.name_in_table: part for part in parts if part.kind == "part"}
    if STATE not in named or not {SLOT_A, UNFINISHED, BEGUN} & set(named):
        return None
    esp = named.get(ESP)
    marker = read_marker(root / "dev" / name, esp.start * 512) if esp else None
    finished = marker is not None and marker.finished and SLOT_A in named
    return Marked(marker.product if marker else "", marker.build if marker else "", finished, BEGUN in named)


@dataclass(frozen=True)
class Marked:
    """What a disk with our layout says of itself."""

    product: str
    build: str
    finished: bool
    begun: bool


def _last_mounted(path: Path) -> float:
    """Read from an ext file system when it was mounted last; 0 for anything else."""
    try:
        disk = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return 0.0
    try:
        block = os.pread(disk, 128, EXT_SUPERBLOCK)
    except OSError:
        return 0.0
    finally:
        os.close(disk)
    if len(block) < 128 or struct.unpack_from("<H", block, 0x38)[0] != EXT_MAGIC:
        return 0.0
    return float(struct.unpack_from("<I", block, 0x2C)[0])


def _read_groups(command: Command) -> Groups:
    rows = [
        row
        for report in tables(read_table(command(GROUPS_COMMAND)).get("report"))
        for row in tables(report.get("pv"))
        if text_of(row, "vg_name")
    ]
    domains = {text_of(row, "vg_name") for row in rows if DOMAIN_TAG in text_of(row, "vg_tags")}
    return Groups(
        {Path(text_of(row, "pv_name")).name: text_of(row, "vg_name") for row in rows}, frozenset(domains)
    )


def _links(folder: Path) -> dict[str, list[str]]:
    """Map each device to its names in a folder of links."""
    found: dict[str, list[str]] = {}
    for name in names_in(folder):
        found.setdefault(read_link_name(folder / name), []).append(name)
    return found
