"""why-size: which packages, drivers and files an artefact's bytes go to, as they are compressed on it."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from image.file_owners import OWNERSHIP_NAME, Ownership, read_ownership
from image.initramfs_reader import read_initramfs
from image.medium import ESP_TYPE, Kind, Medium, find_beside, open_medium
from image.squashfs_reader import read_squashfs
from image.squashfs_usage import FileUsage, SquashfsUsage, measure_squashfs, split_by_weight
from image.tables import make_console, make_table, megabytes, percent

UNLISTED = "(in no list)"
"""Owner of a file that the list of owners does not know: the list is of another image."""
TABLES = "(names and indexes)"
"""What the squashfs needs beside its files' content."""

_MODULES = "/usr/lib/modules/"
_DIRECTORY_DEPTH = 3


@dataclass(frozen=True)
class SizeRow:
    """One line of a table; `compressed` bytes are on the artefact, `size` bytes when unpacked."""

    name: str
    compressed: int
    size: int
    files: int


@dataclass(frozen=True)
class SizeReport:
    """Where an artefact's bytes are, each table sorted by compressed bytes, the largest first."""

    artefact: str
    bytes: int
    """Of the whole medium: a disk image's when unpacked."""
    squashfs_bytes: int
    has_owners: bool
    """False: `packages` are directories, because no list of owners lies beside the artefact."""
    packages: tuple[SizeRow, ...]
    drivers: tuple[SizeRow, ...]
    files: tuple[SizeRow, ...]
    medium: tuple[SizeRow, ...]
    initramfs: tuple[SizeRow, ...]
    """By folder, compressed bytes estimated: an initramfs is compressed as one. Empty when unreadable."""


def measure_sizes(path: Path) -> SizeReport:
    """Measure an artefact: the root exactly, from its own tables; only the initramfs is estimated."""
    with open_medium(path) as medium:
        image = read_squashfs(medium.squashfs.source, medium.squashfs.offset)
        usage = measure_squashfs(image)
        list_path = find_beside(medium.path, OWNERSHIP_NAME)
        ownership = read_ownership(list_path) if list_path else None
        owner_of = _directory_of if ownership is None else _owner_in(ownership)
        rows = _group(usage.files, owner_of)
        modules = [file for file in usage.files if _is_module(file)]
        return SizeReport(
            artefact=str(medium.path),
            bytes=_medium_bytes(medium),
            squashfs_bytes=image.superblock.bytes_used,
            has_owners=ownership is not None,
            packages=_sorted([*rows, SizeRow(TABLES, usage.tables, 0, 0)]),
            drivers=_sorted(_group(modules, _driver_group(ownership))),
            files=_sorted(SizeRow(file.path, file.compressed, file.size, 1) for file in usage.files),
            medium=_sorted(_rows_of_medium(medium, usage)),
            initramfs=_sorted(_group(_measure_initramfs(medium), _directory_or_module)),
        )


def print_sizes(artefact: Path, *, limit: int, as_json: bool, console: Console | None = None) -> None:
    """Print the `limit` largest rows of each table, with share and cumulative share; JSON has all rows."""
    report = measure_sizes(artefact)
    if as_json:
        print(json.dumps(dataclasses.asdict(report), indent=2, sort_keys=True))
        return
    console = console or make_console()
    console.print(
        f"{report.artefact}: {megabytes(report.bytes)}, of which {megabytes(report.squashfs_bytes)} root"
    )
    what = "packages" if report.has_owners else "directories"
    sections = (
        ("the medium", report.medium, report.bytes),
        (f"{what} of the root", report.packages, report.squashfs_bytes),
        ("driver groups (their bytes are in the table above too)", report.drivers, report.squashfs_bytes),
        ("files", report.files, report.squashfs_bytes),
        ("the initramfs (estimated)", report.initramfs, sum(row.compressed for row in report.initramfs)),
    )
    for title, rows, whole in sections:
        if rows:
            console.print()
            console.print(_table(title, rows[:limit], whole))
            _print_remainder(rows[limit:], console)
    if advice := _advise(report):
        console.print(f"\n{advice}")


def _owner_in(ownership: Ownership) -> Callable[[str], str]:
    return lambda path: ownership.owners.get(path, UNLISTED)


def _driver_group(ownership: Ownership | None) -> Callable[[str], str]:
    """Name a module's group by the build's list, or by its folder in the kernel's own tree."""
    groups = ownership.drivers if ownership else {}

    def group_of(path: str) -> str:
        folders = path.removeprefix(_MODULES).split("/")[2:-1]
        return groups.get(path) or "/".join(folders[:_DIRECTORY_DEPTH]) or UNLISTED

    return group_of


def _directory_of(path: str) -> str:
    return "/".join(path.split("/")[:-1][: _DIRECTORY_DEPTH + 1]) or "/"


def _directory_or_module(path: str) -> str:
    """Name a file's folder; for a module its folder in the kernel's tree, whatever the kernel's version."""
    path = path if path.startswith("/usr/") else f"/usr{path}"
    return _driver_group(None)(path) if path.startswith(_MODULES) else _directory_of(path)


def _measure_initramfs(medium: Medium) -> list[FileUsage]:
    """Divide the initramfs's bytes among its files by how well each compresses alone."""
    stored = next((file for file in medium.files if _part_of_medium(file.path) == "initramfs"), None)
    files = read_initramfs(stored.read()) if stored else ()
    parts = split_by_weight(stored.size if stored else 0, [file.weight for file in files])
    return [FileUsage(file.path, file.size, part) for file, part in zip(files, parts, strict=True)]


def _is_module(file: FileUsage) -> bool:
    return file.path.startswith(_MODULES) and ".ko" in file.path.rpartition("/")[2]


def _group(files: Iterable[FileUsage], name_of: Callable[[str], str]) -> list[SizeRow]:
    members: dict[str, list[FileUsage]] = defaultdict(list)
    for file in files:
        members[name_of(file.path)].append(file)
    return [
        SizeRow(name, sum(file.compressed for file in group), sum(file.size for file in group), len(group))
        for name, group in members.items()
    ]


def _sorted(rows: Iterable[SizeRow]) -> tuple[SizeRow, ...]:
    return tuple(sorted(rows, key=lambda row: (-row.compressed, row.name)))


def _medium_bytes(medium: Medium) -> int:
    return medium.raw.stat().st_size if medium.kind is Kind.DISK else medium.bytes


def _rows_of_medium(medium: Medium, usage: SquashfsUsage) -> Iterator[SizeRow]:
    """Yield the parts of the medium: root, kernel, initramfs, boot loaders, and what is none of them."""
    groups: dict[str, list[int]] = defaultdict(list)
    for file in medium.files:
        if file != medium.squashfs:
            groups[_part_of_medium(file.path)].append(file.size)
    groups["root (squashfs)"].append(medium.squashfs.size)
    if medium.kind is Kind.ISO:
        groups["boot loaders"] += _partitions_outside_files(medium)
    known = sum(sum(sizes) for sizes in groups.values())
    for name, sizes in groups.items():
        unpacked = sum(file.size for file in usage.files) if name.startswith("root") else sum(sizes)
        yield SizeRow(name, sum(sizes), unpacked, len(sizes))
    if spare := _medium_bytes(medium) - known:
        yield SizeRow("layout and empty space", spare, spare, 0)


def _part_of_medium(path: str) -> str:
    name = path.rpartition("/")[2]
    if name.startswith(("vmlinuz", "linux")):
        return "kernel"
    if name.startswith(("initrd", "initramfs")):
        return "initramfs"
    return "boot loaders"


def _partitions_outside_files(medium: Medium) -> list[int]:
    """Size the EFI system partition of an ISO when it is appended, and not also a file of the ISO."""
    starts = {file.offset for file in medium.files}
    return [
        partition.bytes
        for partition in medium.partitions
        if partition.type == ESP_TYPE and partition.start not in starts
    ]


def _table(title: str, rows: Iterable[SizeRow], whole: int) -> Table:
    table = make_table("name", ">on medium", ">share", ">cumulative", ">unpacked", ">files", title=title)
    seen = 0
    for row in rows:
        seen += row.compressed
        shares = percent(row.compressed, whole), percent(seen, whole)
        unpacked = megabytes(row.size) if row.size else "-"
        table.add_row(row.name, megabytes(row.compressed), *shares, unpacked, str(row.files or "-"))
    return table


def _print_remainder(rows: tuple[SizeRow, ...], console: Console) -> None:
    if rows:
        console.print(f"and {len(rows)} more: {megabytes(sum(row.compressed for row in rows))}")


def _advise(report: SizeReport) -> str:
    """Say what to do when the sizes by package are missing, or are those of another image."""
    if not report.has_owners:
        return f"for sizes by package, put the build's {OWNERSHIP_NAME} beside the artefact"
    unlisted = sum(row.compressed for row in report.packages if row.name == UNLISTED)
    if unlisted * 20 > report.squashfs_bytes:
        share = percent(unlisted, report.squashfs_bytes)
        return f"{share} of the root is in no list: the {OWNERSHIP_NAME} beside it may be of another image"
    return ""
