"""A FAT file system changed in place: each change takes effect with one sector's write, or not at all."""

import hashlib
import os
import struct
from array import array
from collections.abc import Callable, Iterable, Sequence

from nodeagent.install.fat import ARCHIVE, FOLDER, case_bits, entry_row, short_name
from nodeagent.install.fat_reader import DELETED, ENDS, ENTRY, LONG_NAME, Entry, FatReader
from nodelib.errors import Code, VirtnodeError
from nodelib.slots import MEBIBYTE, SECTOR

END_OF_FILE = {16: 0xFFFF, 32: 0x0FFFFFFF}
BAD = {16: 0xFFF7, 32: 0x0FFFFFF7}
INFORMATION = b"RRaA"
OnBytes = Callable[[int], None]


class FatEditor(FatReader):
    """The file system at a place of a disk; what no file or folder holds counts as free.

    A loss of power in the midst of a change leaves the file as it was before, and room that nobody holds.
    """

    def __init__(self, disk: int, offset: int) -> None:
        super().__init__(disk, offset)
        if self._width not in END_OF_FILE:
            raise VirtnodeError(Code.FAILED, "the boot partition is too small a FAT", "install again")

    @property
    def cluster_bytes(self) -> int:
        """Bytes of a cluster: what the smallest file takes."""
        return self._cluster_sectors * SECTOR

    def free_bytes(self, without: Sequence[str] = ()) -> int:
        """Return the room there is, or would be without some files."""
        held = self._held_clusters()
        for path in without:
            entry = self.find(path)
            if entry is not None:
                held.difference_update(self._chain(self._read_table(0), entry.cluster))
        return (self._clusters - len(held)) * self.cluster_bytes

    def make_folder(self, path: str) -> None:
        """Make a folder, unless it is there."""
        if self.find(path) is not None:
            return
        parent, _, name = path.rpartition("/")
        above = self._folder_cluster(parent)
        chain = self._allocate(1)
        rows = entry_row(b".".ljust(11), FOLDER, chain[0], 0)
        # The root is called 0 by the folders in it.
        rows += entry_row(b"..".ljust(11), FOLDER, above or 0, 0)
        self._write_cluster(chain[0], rows.ljust(self.cluster_bytes, b"\0"))
        self._link(chain)
        self._put_row(above, entry_row(short_name(name), FOLDER, chain[0], 0, case_bits(name)))
        self._count_free()

    def write_file(self, path: str, size: int, blocks: Iterable[bytes], on_bytes: OnBytes) -> str:
        """Write a file, or replace one, and return the SHA-256 of what the disk has of it afterwards.

        Raises VirtnodeError (failed) where there is no room, or where the blocks are not `size` bytes.
        """
        parent, _, name = path.rpartition("/")
        folder = self._folder_cluster(parent)
        chain = self._allocate(-(-size // self.cluster_bytes))
        digest = self._write_data(chain, size, blocks, on_bytes)
        self._link(chain)
        present = self.find(path)
        row = entry_row(short_name(name), ARCHIVE, chain[0] if chain else 0, size, case_bits(name))
        if present is None:
            self._put_row(folder, row)
        else:
            # The old line's place has the new file's line from one sector's write to the next.
            self._put(present.place, row)
            self._link(())
        self._count_free()
        return digest

    def remove_file(self, path: str) -> None:
        """Remove a file, if it is there; its room is free from then on."""
        entry = self.find(path)
        if entry is None:
            return
        parent = path.rpartition("/")[0]
        for place in self._places_of_line(self._folder_cluster(parent), entry):
            self._put(place, bytes([DELETED]))
        self._link(())
        self._count_free()

    def overwrite(self, path: str, data: bytes) -> None:
        """Replace a file's bytes where they are, in one write if they lie together; its size stays."""
        entry = self.find(path)
        if entry is None or entry.is_folder or entry.size != len(data):
            raise VirtnodeError(Code.FAILED, f"{path} is not on the boot partition as it should be")
        places = [place for place, _ in self._chunks(entry.cluster)]
        if places == list(range(places[0], places[0] + len(places) * self.cluster_bytes, self.cluster_bytes)):
            self._put(self._offset + places[0], data)
            return
        for number, place in enumerate(places):
            part = data[number * self.cluster_bytes : (number + 1) * self.cluster_bytes]
            self._put(self._offset + place, part)

    def _write_data(self, chain: Sequence[int], size: int, blocks: Iterable[bytes], on_bytes: OnBytes) -> str:
        digest, left, waiting, number = hashlib.sha256(), size, b"", 0
        for block in blocks:
            left -= len(block)
            if left < 0:
                break
            digest.update(block)
            waiting += block
            whole = len(waiting) // self.cluster_bytes
            self._write_clusters(chain[number : number + whole], waiting)
            number, waiting = number + whole, waiting[whole * self.cluster_bytes :]
            on_bytes(len(block))
        if left:
            raise VirtnodeError(Code.FAILED, "a file is not as long as it was said to be")
        if waiting:
            self._write_clusters(chain[number:], waiting.ljust(self.cluster_bytes, b"\0"))
        os.fsync(self._disk)
        if self._read_digest(chain, size) != digest.hexdigest():
            raise VirtnodeError(
                Code.FAILED, "the boot partition does not give back what was written", "replace the disk"
            )
        return digest.hexdigest()

    def _read_digest(self, chain: Sequence[int], size: int) -> str:
        """Return the SHA-256 of what the disk itself has, not of what is still in memory."""
        digest = hashlib.sha256()
        for first, count in runs_of(chain):
            place, length = self._place(first), min(count * self.cluster_bytes, size)
            os.posix_fadvise(self._disk, place, length, os.POSIX_FADV_DONTNEED)
            for at in range(0, length, MEBIBYTE):
                digest.update(os.pread(self._disk, min(MEBIBYTE, length - at), place + at))
            size -= length
        return digest.hexdigest()

    def _write_clusters(self, chain: Sequence[int], data: bytes) -> None:
        done = 0
        for first, count in runs_of(chain):
            length = count * self.cluster_bytes
            os.pwrite(self._disk, data[done : done + length], self._place(first))
            done += length

    def _write_cluster(self, cluster: int, data: bytes) -> None:
        self._put(self._place(cluster), data)

    def _place(self, cluster: int) -> int:
        return self._offset + (self._data_sector + (cluster - 2) * self._cluster_sectors) * SECTOR

    def _put(self, place: int, data: bytes) -> None:
        os.pwrite(self._disk, data, place)
        os.fsync(self._disk)

    def _folder_cluster(self, path: str) -> int | None:
        """Return a folder's first cluster, None for the root; raises VirtnodeError where there is none."""
        if not path:
            return None
        entry = self.find(path)
        if entry is None or not entry.is_folder:
            raise VirtnodeError(Code.FAILED, f"the boot partition has no folder {path}")
        return entry.cluster

    def _put_row(self, folder: int | None, row: bytes) -> None:
        """Write a line to the first place of a folder that has none."""
        rows = list(self._rows(folder))
        for number, (place, found) in enumerate(rows):
            if found[0] not in (0, DELETED):
                continue
            following = rows[number + 1] if number + 1 < len(rows) else None
            if found[0] == 0 and following is not None and following[1][0]:
                # What comes after the last line was never cleared; nobody looks there yet.
                self._put(following[0], bytes(ENTRY))
            self._put(place, row)
            return
        raise VirtnodeError(Code.FAILED, "a folder of the boot partition is full", "remove what is not ours")

    def _places_of_line(self, folder: int | None, entry: Entry) -> list[int]:
        """List the places of a file's line, and of the lines before it that hold its long name."""
        long: list[int] = []
        for place, row in self._rows(folder):
            if place == entry.place:
                return [place, *long]
            is_long = row[0] != DELETED and row[11] & LONG_NAME == LONG_NAME
            long = [*long, place] if is_long else []
        return [entry.place]

    def _read_table(self, copy: int) -> "array[int]":
        start = self._offset + (self._reserved + copy * self._fat_sectors) * SECTOR
        table = array("I" if self._width == 32 else "H")
        table.frombytes(os.pread(self._disk, self._fat_sectors * SECTOR, start))
        return table

    def _chain(self, table: "array[int]", cluster: int) -> list[int]:
        chain: list[int] = []
        while 2 <= cluster < ENDS[self._width]:
            chain.append(cluster)
            if cluster >= len(table) or len(chain) > self._clusters:
                raise VirtnodeError(
                    Code.FAILED, "the boot partition is damaged", "install again, with --keep"
                )
            cluster = table[cluster] & END_OF_FILE[self._width]
        return chain

    def _held_clusters(self) -> set[int]:
        """Walk all folders and files; what is not among these clusters is free, whatever the table says."""
        table = self._read_table(0)
        held = set(self._chain(table, self._root_cluster)) if self._width == 32 else set()
        folders: list[int | None] = [None]
        while folders:
            for entry in self._entries(folders.pop()):
                if entry.name in (".", "..") or entry.cluster in held:
                    continue
                held.update(self._chain(table, entry.cluster))
                if entry.is_folder:
                    folders.append(entry.cluster)
        return held

    def _allocate(self, count: int) -> list[int]:
        held, table, bad = self._held_clusters(), self._read_table(0), BAD[self._width]
        places = range(2, self._clusters + 2)
        free = (cluster for cluster in places if cluster not in held and table[cluster] != bad)
        chain = [cluster for _, cluster in zip(range(count), free, strict=False)]
        if len(chain) < count:
            raise VirtnodeError(
                Code.FAILED, "the boot partition is full", "remove from it what is not the node's own"
            )
        return chain

    def _link(self, chain: Sequence[int]) -> None:
        """Write the table: `chain` is one file, and what nobody holds is free."""
        held, table = self._held_clusters(), self._read_table(0)
        for cluster in range(2, self._clusters + 2):
            if table[cluster] not in (0, BAD[self._width]) and cluster not in held:
                table[cluster] = 0
        for number, cluster in enumerate(chain):
            is_last = number + 1 == len(chain)
            table[cluster] = END_OF_FILE[self._width] if is_last else chain[number + 1]
        fresh = table.tobytes()
        for copy in range(self._fat_copies):
            present = self._read_table(copy).tobytes()
            start = self._offset + (self._reserved + copy * self._fat_sectors) * SECTOR
            for at in range(0, len(fresh), SECTOR):
                if fresh[at : at + SECTOR] != present[at : at + SECTOR]:
                    os.pwrite(self._disk, fresh[at : at + SECTOR], start + at)
            os.fsync(self._disk)

    def _count_free(self) -> None:
        """Tell the file system's own note how much is free; a wrong one only puzzles who reads it."""
        if self._width != 32:
            return
        (sector,) = struct.unpack("<H", os.pread(self._disk, 2, self._offset + 48))
        place = self._offset + sector * SECTOR
        if os.pread(self._disk, 4, place) == INFORMATION:
            free = self._read_table(0)[2 : self._clusters + 2].count(0)
            self._put(place + 488, struct.pack("<II", free, 0xFFFFFFFF))


def runs_of(chain: Sequence[int]) -> list[tuple[int, int]]:
    """Sum up clusters that follow one another: the first, and how many."""
    runs: list[tuple[int, int]] = []
    for cluster in chain:
        if runs and cluster == runs[-1][0] + runs[-1][1]:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((cluster, 1))
    return runs
