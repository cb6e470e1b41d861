"""The record of writes, and what a loss of power leaves of it."""

import random
from pathlib import Path

from bench.power_cuts import (
    ENTRY,
    FLUSH,
    HEAD,
    LOG_MAGIC,
    SECTOR,
    Cut,
    cuts_table,
    lay_disk,
    pick_writes,
    read_writes,
)


def make_log(path: Path, entries: list[tuple[int, bytes, int]]) -> Path:
    """Write a record as QEMU does: each entry's place in sectors, its bytes, its flags."""
    rows = [HEAD.pack(LOG_MAGIC, 1, len(entries), SECTOR).ljust(SECTOR, b"\0")]
    for place, data, flags in entries:
        rows += [ENTRY.pack(place, len(data) // SECTOR, flags, 0).ljust(SECTOR, b"\0"), data]
    path.write_bytes(b"".join(rows))
    return path


def sector(letter: str) -> bytes:
    """Fill a sector."""
    return letter.encode() * SECTOR


def test_what_was_flushed_is_there_and_the_rest_by_chance(tmp_path: Path) -> None:
    """The first write always, what came after the flush sometimes, what came later never."""
    entries = [(0, sector("a"), 0), (0, b"", FLUSH), (1, sector("b"), 0), (2, sector("c"), 0)]
    log = make_log(tmp_path / "log", entries)
    base = tmp_path / "base"
    base.write_bytes(bytes(4 * SECTOR))
    writes = read_writes(log)
    assert [write.offset for write in writes] == [0, 0, SECTOR, 2 * SECTOR]
    seen = set()
    for seed in range(20):
        lay_disk(base, log, pick_writes(writes, 3, random.Random(seed)), tmp_path / "disk")
        disk = (tmp_path / "disk").read_bytes()
        assert disk[:SECTOR] == sector("a")
        assert disk[2 * SECTOR :] == bytes(2 * SECTOR)
        seen.add(disk[SECTOR : 2 * SECTOR])
    assert seen == {sector("b"), bytes(SECTOR)}


def test_a_row_for_each_phase_counts_what_started() -> None:
    """A machine that did not start, or lost its state, is in a column of its own."""
    cuts = [Cut("update", 1, "disk", True), Cut("update", 2, "", False), Cut("install", 1, "medium", True)]
    rows = cuts_table(cuts).splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells == [["update", "2", "1", "0", "1", "1"], ["install", "1", "0", "1", "0", "0"]]
