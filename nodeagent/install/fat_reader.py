"""FAT file systems read without mounting them: boot loaders on a medium, the marker of an installation."""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from nodelib.errors import Code, VirtnodeError
from nodelib.slots import SECTOR

ENTRY = 32
FOLDER, LABEL, LONG_NAME = 0x10, 0x08, 0x0F
DELETED = 0xE5
ENDS = {12: 0xFF8, 16: 0xFFF8, 32: 0x0FFFFFF8}
"""From which number on a cluster is the last one of its file, by the width of the table."""
LONGEST = 256 * 1024 * 1024
"""Bytes of the largest file that is read: what claims more is broken."""


@dataclass(frozen=True)
class Entry:
    """A line of a folder."""

    name: str
    is_folder: bool
    cluster: int
    size: int
    place: int
    """The byte on the disk where the line itself stands."""


class FatReader:
    """The FAT file system at a place of a disk; raises VirtnodeError (failed) where there is none."""

    def __init__(self, disk: int, offset: int) -> None:
        self._disk = disk
        self._offset = offset
        boot = os.pread(disk, SECTOR, offset)
        if len(boot) < SECTOR or boot[510:] != b"\x55\xaa" or boot[11:13] != b"\x00\x02" or not boot[13]:
            raise VirtnodeError(Code.FAILED, "there is no FAT file system")
        self._cluster_sectors: int = boot[13]
        (self._reserved,) = struct.unpack_from("<H", boot, 14)
        copies = boot[16]
        root_entries, small_total, _, small_fat = struct.unpack_from("<HHBH", boot, 17)
        (large_total,) = struct.unpack_from("<I", boot, 32)
        (large_fat,) = struct.unpack_from("<I", boot, 36)
        self._fat_copies: int = copies
        self._fat_sectors: int = small_fat or large_fat
        self._root_sector = self._reserved + copies * self._fat_sectors
        self._root_bytes: int = root_entries * ENTRY
        self._data_sector: int = self._root_sector + -(-self._root_bytes // SECTOR)
        clusters = ((small_total or large_total) - self._data_sector) // self._cluster_sectors
        self._width = 12 if clusters < 4085 else 16 if clusters < 65525 else 32
        self._root_cluster = struct.unpack_from("<I", boot, 44)[0] if self._width == 32 else 0
        self._clusters: int = clusters

    def read_file(self, path: str) -> bytes:
        """Read a file, by its short name in letters of any size; raises VirtnodeError (not-found)."""
        entry = self.find(path)
        if entry is None or entry.is_folder or entry.size > LONGEST:
            raise VirtnodeError(Code.NOT_FOUND, f"{path} is not on the boot partition")
        data = b"".join(data for _, data in self._chunks(entry.cluster))
        return data[: entry.size]

    def find(self, path: str) -> Entry | None:
        """Find a file or folder; None where there is none."""
        found: Entry | None = None
        for name in path.split("/"):
            if found is not None and not found.is_folder:
                return None
            entries = self._entries(found.cluster if found else None)
            found = next((entry for entry in entries if entry.name == name.upper()), None)
            if found is None:
                return None
        return found

    def names(self, path: str) -> tuple[str, ...]:
        """Name what a folder holds, in capitals; nothing where there is no such folder. The root is empty."""
        folder = self.find(path) if path else None
        if path and (folder is None or not folder.is_folder):
            return ()
        entries = self._entries(folder.cluster if folder else None)
        return tuple(entry.name for entry in entries if entry.name not in (".", ".."))

    def _entries(self, cluster: int | None) -> Iterator[Entry]:
        for place, row in self._rows(cluster):
            if row[0] == 0:
                return
            if row[0] == DELETED or row[11] & LONG_NAME == LONG_NAME or row[11] & LABEL:
                continue
            high, low, size = struct.unpack_from("<H4xHI", row, 20)
            yield Entry(_name(row), bool(row[11] & FOLDER), high << 16 | low, size, place)

    def _rows(self, cluster: int | None) -> Iterator[tuple[int, bytes]]:
        """Read the lines of a folder, used or not, each with its byte on the disk; None is the root."""
        if cluster is None and self._width != 32:
            place = self._root_sector * SECTOR
            chunks = iter([(place, os.pread(self._disk, self._root_bytes, self._offset + place))])
        else:
            chunks = self._chunks(self._root_cluster if cluster is None else cluster)
        for place, data in chunks:
            for at in range(0, len(data) - ENTRY + 1, ENTRY):
                yield self._offset + place + at, data[at : at + ENTRY]

    def _chunks(self, cluster: int) -> Iterator[tuple[int, bytes]]:
        """Read a chain of clusters, each with its byte within the file system."""
        size, steps = self._cluster_sectors * SECTOR, 0
        while 2 <= cluster < ENDS[self._width]:
            place = (self._data_sector + (cluster - 2) * self._cluster_sectors) * SECTOR
            yield place, os.pread(self._disk, size, self._offset + place)
            cluster = self._next(cluster)
            steps += 1
            if steps > self._clusters:
                raise VirtnodeError(Code.FAILED, "the FAT file system runs in circles")

    def _next(self, cluster: int) -> int:
        start = self._offset + self._reserved * SECTOR
        if self._width == 12:
            (pair,) = struct.unpack("<H", os.pread(self._disk, 2, start + cluster + cluster // 2))
            return int(pair >> 4 if cluster & 1 else pair & 0xFFF)
        if self._width == 16:
            return int(struct.unpack("<H", os.pread(self._disk, 2, start + cluster * 2))[0])
        return int(struct.unpack("<I", os.pread(self._disk, 4, start + cluster * 4))[0]) & 0x0FFFFFFF


def _name(row: bytes) -> str:
    stem = row[:8].decode("ascii", "replace").rstrip()
    ending = row[8:11].decode("ascii", "replace").rstrip()
    return (f"{stem}.{ending}" if ending else stem).upper()
