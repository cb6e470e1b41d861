"""A disk that is being written: zeros, tables, copies that are compared, each on the disk when it returns."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from nodelib.slots import BOOT_CODE, MEBIBYTE, SECTOR

NEXT_DEVICE = b"\xcd\x18\xeb\xfc"
"""Boot code for BIOS that asks for the next device, and again if there is none."""
OnBytes = Callable[[int], None]


@contextlib.contextmanager
def opened(device: Path) -> Iterator[int]:
    """Open a disk for reading and writing; raises VirtnodeError (failed) if it cannot be."""
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise VirtnodeError(Code.FAILED, f"{device} cannot be written: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def disk_size(descriptor: int) -> int:
    """Return the bytes of a disk or file."""
    return os.lseek(descriptor, 0, os.SEEK_END)


def erase(descriptor: int, places: Sequence[tuple[int, int]]) -> None:
    """Take the ability to start from a disk, and whatever makes these places look like something.

    The table goes first, for it says where all else is. A place is its first byte and its size.
    """
    size = disk_size(descriptor)
    for start, length in ((0, size), *places):
        for begin in (start, max(start, start + length - MEBIBYTE)):
            zeros = min(MEBIBYTE, start + length - begin, size - begin)
            if zeros > 0:
                os.pwrite(descriptor, bytes(zeros), begin)
        os.fsync(descriptor)


def close_bios(descriptor: int) -> None:
    """Replace a disk's boot code by one that goes on to the next device; one sector changes."""
    write_boot_code(descriptor, NEXT_DEVICE)


def write_boot_code(descriptor: int, code: bytes) -> None:
    """Replace a disk's boot code, and leave the partition table's entries in the same sector."""
    sector = code[:BOOT_CODE].ljust(BOOT_CODE, b"\0") + os.pread(descriptor, SECTOR, 0)[BOOT_CODE:]
    os.pwrite(descriptor, sector, 0)
    os.fsync(descriptor)


def write_table(device: Path, script: str) -> None:
    """Write a partition table; what the kernel has in use of the disk, it learns of at the next start."""
    # The lock keeps udev from looking into partitions while the kernel is told of them.
    argv = ["sfdisk", "--quiet", "--lock=yes", "--wipe=never", "--wipe-partitions=never", str(device)]
    run(argv, stdin=script)


def rename_partition(device: Path, number: int, name: str) -> None:
    """Give a partition another name."""
    argv: list[str | Path] = [
        "sfdisk",
        "--quiet",
        "--no-reread",
        "--no-tell-kernel",
        "--part-label",
        device,
        str(number),
        name,
    ]
    run(argv)


def read_table_places(device: Path) -> tuple[tuple[int, int], ...]:
    """Return first byte and size of each partition that a disk has; none where there is no table."""
    found = run(["sfdisk", "--json", device], check=False)
    if found.status != 0 or not found.stdout.strip():
        return ()
    table = json.loads(found.stdout)["partitiontable"]
    sector = int(table.get("sectorsize", SECTOR))
    return tuple((part["start"] * sector, part["size"] * sector) for part in table.get("partitions", ()))


def copy_image(source: Path, size: int, descriptor: int, offset: int, on_bytes: OnBytes) -> str:
    """Copy `size` bytes, with zeros after a shorter source; return the SHA-256 of what was written."""
    digest = hashlib.sha256()
    with source.open("rb", buffering=0) as file:
        left = size
        while left:
            block = file.read(min(MEBIBYTE, left)) or bytes(min(MEBIBYTE, left))
            os.pwrite(descriptor, block, offset + size - left)
            digest.update(block)
            left -= len(block)
            on_bytes(len(block))
    os.fsync(descriptor)
    return digest.hexdigest()


def read_back(descriptor: int, offset: int, size: int, on_bytes: OnBytes) -> str:
    """Return the SHA-256 of what the disk itself has, not of what is still in memory."""
    os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_DONTNEED)
    digest = hashlib.sha256()
    for place in range(0, size, MEBIBYTE):
        block = os.pread(descriptor, min(MEBIBYTE, size - place), offset + place)
        digest.update(block)
        on_bytes(len(block))
    return digest.hexdigest()
