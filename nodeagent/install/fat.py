"""A FAT32 file system written in one go, without mounting it: whole once its first sector is written."""

import hashlib
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from nodelib.errors import Code, VirtnodeError
from nodelib.slots import MEBIBYTE, SECTOR

Content: TypeAlias = bytes | Path
"""A file's content, or where to read it."""

RESERVED_SECTORS = 32
FAT_COPIES = 2
BACKUP_BOOT_SECTOR = 6
MEDIA = 0xF8
LAST_CLUSTER = 0x0FFFFFFF
ENTRY = 32
FOLDER, LABEL, ARCHIVE = 0x10, 0x08, 0x20
LOWER_CASE = 0x18
"""Both halves of a short name are shown in small letters."""
BLOCK = MEBIBYTE
FEWEST_CLUSTERS = 65525
"""With fewer clusters it would be read as FAT16."""


@dataclass
class Folder:
    """A folder to write: names in order; a value is a folder, or a file's content."""

    entries: dict[str, "Folder | Content"] = field(default_factory=dict)
    cluster: int = 0


@dataclass(frozen=True)
class Geometry:
    """How a file system of a size is divided."""

    sectors: int
    cluster_sectors: int
    fat_sectors: int

    @property
    def data_sector(self) -> int:
        """The first sector of cluster 2."""
        return RESERVED_SECTORS + FAT_COPIES * self.fat_sectors

    @property
    def clusters(self) -> int:
        """How many clusters hold data."""
        return (self.sectors - self.data_sector) // self.cluster_sectors

    @property
    def cluster_bytes(self) -> int:
        """Bytes of a cluster."""
        return self.cluster_sectors * SECTOR

    def place(self, cluster: int) -> int:
        """Return a cluster's byte within the file system."""
        return (self.data_sector + (cluster - 2) * self.cluster_sectors) * SECTOR


def plan_geometry(size: int) -> Geometry:
    """Divide `size` bytes; raises VirtnodeError (invalid) below 40 MiB, where FAT32 is not allowed."""
    sectors = size // SECTOR
    cluster_sectors = next(
        (count for limit, count in ((128, 1), (256, 2), (1024, 4)) if size < limit * MEBIBYTE), 8
    )
    clusters = (sectors - RESERVED_SECTORS) // cluster_sectors
    fat_sectors = -(-(clusters + 2) * 4 // SECTOR)
    geometry = Geometry(sectors, cluster_sectors, fat_sectors)
    if geometry.clusters < FEWEST_CLUSTERS:
        raise VirtnodeError(Code.INVALID, f"{size // MEBIBYTE} MiB are too few for a boot partition")
    return geometry


def make_folders(files: Mapping[str, Content]) -> Folder:
    """Sort files, named by their path, into folders."""
    root = Folder()
    for path, content in files.items():
        *parents, name = path.split("/")
        folder = root
        for parent in parents:
            short_name(parent)
            inner = folder.entries.setdefault(parent, Folder())
            assert isinstance(inner, Folder)
            folder = inner
        short_name(name)
        folder.entries[name] = content
    return root


def short_name(name: str) -> bytes:
    """Return a name as FAT keeps it: eight letters and three; others are a mistake of ours."""
    stem, _, ending = name.upper().partition(".")
    assert name.isascii(), name
    assert 1 <= len(stem) <= 8, name
    assert len(ending) <= 3, name
    return stem.ljust(8).encode() + ending.ljust(3).encode()


def content_size(content: Content) -> int:
    """Return a content's bytes."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def used_bytes(files: Mapping[str, Content], size: int) -> int:
    """Return what files take of a file system of `size` bytes."""
    cluster = plan_geometry(size).cluster_bytes
    folders = {str(parent) for path in files for parent in Path(path).parents}
    return sum(-(-content_size(one) // cluster) * cluster for one in files.values()) + len(folders) * cluster


class FatWriter:
    """Writes a file system to a place of a disk."""

    def __init__(self, disk: int, offset: int, size: int, *, label: str, serial: int) -> None:
        self._disk = disk
        self._offset = offset
        self._geometry = plan_geometry(size)
        self._label = label
        self._serial = serial
        self._table: list[int] = [0x0FFFFF00 | MEDIA, LAST_CLUSTER]

    def write(self, files: Mapping[str, Content], on_bytes: Callable[[int], None]) -> dict[str, str]:
        """Write all but the first sector; return each file's SHA-256. `on_bytes` hears how far it is.

        What was there is no file system any more from the first write on.
        """
        self._put(0, bytes(SECTOR))
        self._put(BACKUP_BOOT_SECTOR * SECTOR, bytes(SECTOR))
        os.fsync(self._disk)
        root = make_folders(files)
        sums: dict[str, str] = {}
        self._allocate_folders(root)
        self._write_folder(root, None, "", sums, on_bytes)
        self._write_table()
        self._put(SECTOR, self._information())
        self._put((BACKUP_BOOT_SECTOR + 1) * SECTOR, self._information())
        os.fsync(self._disk)
        return sums

    def finish(self) -> None:
        """Write the first sector, and its copy: now it is a file system."""
        self._put(BACKUP_BOOT_SECTOR * SECTOR, self._boot_sector())
        os.fsync(self._disk)
        self._put(0, self._boot_sector())
        os.fsync(self._disk)

    def _put(self, place: int, data: bytes) -> None:
        os.pwrite(self._disk, data, self._offset + place)

    def _take(self, clusters: int) -> int:
        """Give out clusters that follow one another, and return the first."""
        first = len(self._table)
        self._table += [*range(first + 1, first + clusters), LAST_CLUSTER]
        if len(self._table) - 2 > self._geometry.clusters:
            raise VirtnodeError(
                Code.INVALID,
                "the boot partition is too small for kernel, initramfs and boot loaders",
                "choose a larger size for esp",
            )
        return first

    def _allocate_folders(self, folder: Folder) -> None:
        """Lay folders before all files, the root first: it begins at cluster 2."""
        entries = len(folder.entries) + 3
        folder.cluster = self._take(-(-entries * ENTRY // self._geometry.cluster_bytes))
        for inner in folder.entries.values():
            if isinstance(inner, Folder):
                self._allocate_folders(inner)

    def _write_folder(
        self,
        folder: Folder,
        parent: Folder | None,
        path: str,
        sums: dict[str, str],
        on_bytes: Callable[[int], None],
    ) -> None:
        rows = [entry_row(self._label.encode().ljust(11), LABEL, 0, 0)] if parent is None else []
        if parent is not None:
            # The root is called 0 by the folders in it.
            above = 0 if parent.cluster == 2 else parent.cluster
            rows += [
                entry_row(b".".ljust(11), FOLDER, folder.cluster, 0),
                entry_row(b"..".ljust(11), FOLDER, above, 0),
            ]
        for name, inner in folder.entries.items():
            if isinstance(inner, Folder):
                self._write_folder(inner, folder, f"{path}{name}/", sums, on_bytes)
                rows.append(entry_row(short_name(name), FOLDER, inner.cluster, 0, case_bits(name)))
            else:
                size = content_size(inner)
                first = self._take(-(-size // self._geometry.cluster_bytes)) if size else 0
                sums[f"{path}{name}"] = self._write_file(inner, first, on_bytes)
                rows.append(entry_row(short_name(name), ARCHIVE, first, size, case_bits(name)))
        data = b"".join(rows)
        cluster = self._geometry.cluster_bytes
        self._put(
            self._geometry.place(folder.cluster),
            data.ljust(-(-(len(data) + ENTRY) // cluster) * cluster, b"\0"),
        )

    def _write_file(self, content: Content, first: int, on_bytes: Callable[[int], None]) -> str:
        place = self._geometry.place(first)
        digest = hashlib.sha256()
        for block in read_blocks(content):
            self._put(place, block)
            digest.update(block)
            place += len(block)
            on_bytes(len(block))
        return digest.hexdigest()

    def _write_table(self) -> None:
        size = self._geometry.fat_sectors * SECTOR
        table = struct.pack(f"<{len(self._table)}I", *self._table).ljust(size, b"\0")
        for copy in range(FAT_COPIES):
            self._put(RESERVED_SECTORS * SECTOR + copy * size, table)

    def _boot_sector(self) -> bytes:
        geometry = self._geometry
        first = struct.pack(
            "<3s8sHBHBHHBHHHII",
            b"\xeb\x58\x90", b"virtnode", SECTOR, geometry.cluster_sectors, RESERVED_SECTORS, FAT_COPIES,
            0, 0, MEDIA, 0, 32, 64, self._offset // SECTOR, geometry.sectors,
        )  # fmt: skip
        rest = struct.pack(
            "<IHHIHH12sBBBI11s8s",
            geometry.fat_sectors, 0, 0, 2, 1, BACKUP_BOOT_SECTOR, b"",
            0x80, 0, 0x29, self._serial, self._label.encode().ljust(11), b"FAT32   ",
        )  # fmt: skip
        # Whoever starts this sector is told to go on with the next disk: it is no boot loader.
        return (first + rest + b"\xcd\x18").ljust(SECTOR - 2, b"\0") + b"\x55\xaa"

    def _information(self) -> bytes:
        free = self._geometry.clusters - (len(self._table) - 2)
        counts = struct.pack("<4sII12sI", b"rrAa", free, len(self._table), b"", 0xAA550000)
        return b"RRaA" + bytes(480) + counts


def read_blocks(content: Content) -> Iterator[bytes]:
    """Read a content block by block."""
    if isinstance(content, bytes):
        yield from (content[place : place + BLOCK] for place in range(0, len(content), BLOCK))
        return
    with content.open("rb") as file:
        yield from iter(lambda: file.read(BLOCK), b"")


def total_bytes(contents: Iterable[Content]) -> int:
    """Add contents up."""
    return sum(content_size(content) for content in contents)


def case_bits(name: str) -> int:
    """Return how the letters of a short name are shown."""
    return LOWER_CASE if name == name.lower() else 0


def entry_row(name: bytes, attributes: int, cluster: int, size: int, case: int = 0) -> bytes:
    """Write a folder's line; dates are all 1 January 2020, for a node's clock may be anywhere."""
    date = (40 << 9) | (1 << 5) | 1
    return struct.pack(
        "<11sBBBHHHHHHHI",
        name, attributes, case, 0, 0, date, date, cluster >> 16, 0, date, cluster & 0xFFFF, size,
    )  # fmt: skip
