"""The marker of an installation, a folder of the boot partition: `todo` until all is written, then `done`.

The node, the disk's own boot menu and the menu of the medium look for it; renaming it writes one sector.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from nodeagent.install.fat import short_name
from nodeagent.install.fat_reader import Entry, FatReader
from nodelib.codec import decode_lenient, parse_json, to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.slots import SECTOR

HOME = "virtnode"
TODO, DONE = "todo", "done"


@dataclass(frozen=True)
class Marker:
    """What was installed, and whether to its end."""

    product: str = ""
    build: str = ""
    finished: bool = False


def marker_files(marker: Marker) -> dict[str, bytes]:
    """Lay out the marker's file, below `todo`; it is named by the build, so that its medium knows it."""
    return {f"{HOME}/{TODO}/{build_digits(marker.build)}": to_json(marker).encode()}


def build_digits(build: str) -> str:
    """Return what of a build's identifier names media and markers."""
    return build[:8].lower() or "unknown"


def read_marker(disk: Path, offset: int) -> Marker | None:
    """Read the marker of the boot partition at `offset`; None where there is none."""
    try:
        descriptor = os.open(disk, os.O_RDONLY)
    except OSError:
        return None
    try:
        return _read(FatReader(descriptor, offset))
    except (VirtnodeError, OSError):
        return None
    finally:
        os.close(descriptor)


def _read(reader: FatReader) -> Marker | None:
    for folder in (DONE, TODO):
        for name in reader.names(f"{HOME}/{folder}"):
            found = decode_lenient(Marker, parse_json(reader.read_file(f"{HOME}/{folder}/{name}")))
            return Marker(found.product, found.build, folder == DONE)
    # The disk image, written as a whole, never was under way.
    return Marker("virtnode", finished=True) if reader.find("a/vmlinuz") else None


def set_finished(descriptor: int, offset: int, *, finished: bool) -> None:
    """Rename the marker: one sector changes, and with it everything that asks."""
    before, after = (TODO, DONE) if finished else (DONE, TODO)
    reader = FatReader(descriptor, offset)
    entry = reader.find(f"{HOME}/{before}")
    if entry is not None:
        _rename(descriptor, entry, after)
    elif reader.find(f"{HOME}/{after}") is None:
        raise VirtnodeError(Code.FAILED, "the boot partition has no marker")


def _rename(descriptor: int, entry: Entry, name: str) -> None:
    start = entry.place // SECTOR * SECTOR
    sector = bytearray(os.pread(descriptor, SECTOR, start))
    sector[entry.place - start : entry.place - start + 11] = short_name(name)
    os.pwrite(descriptor, bytes(sector), start)
    os.fsync(descriptor)
