"""What the slots of an installed disk hold, compared with a system's image without reading all of it."""

import os
import struct
from pathlib import Path

from nodeagent.install.fat_reader import FatReader
from nodeagent.install.layout import read_layout
from nodeagent.install.medium import SQUASHFS_MAGIC
from nodelib.errors import VirtnodeError
from nodelib.slot_menu import SLOTS
from nodelib.slots import ESP, MEBIBYTE, SLOT_A, SLOT_B

HEAD, TAIL = 96, 64 * 1024
"""Bytes of a squashfs that tell it from every other: its superblock, and the tables at its end."""


def has_image(device: Path, image: Path | None) -> bool:
    """Tell whether a slot of a disk that could be started has this very image; an update brings it there."""
    if image is None:
        return False
    try:
        regions = {region.name: region.start * MEBIBYTE for region in read_layout(device)[0]}
        with image.open("rb", buffering=0) as file:
            wanted = _ends(file.fileno(), 0)
        with device.open("rb", buffering=0) as file:
            disk = file.fileno()
            esp = FatReader(disk, regions[ESP])
            return bool(wanted) and any(
                esp.find(f"{slot}/slot.cfg") is not None and _ends(disk, regions[name]) == wanted
                for slot, name in zip(SLOTS, (SLOT_A, SLOT_B), strict=True)
                if name in regions
            )
    except (VirtnodeError, OSError):
        return False


def _ends(descriptor: int, start: int) -> bytes:
    """Read beginning and end of the squashfs at a place; nothing where there is none."""
    head = os.pread(descriptor, HEAD, start)
    if not head.startswith(SQUASHFS_MAGIC) or len(head) < HEAD:
        return b""
    (used,) = struct.unpack_from("<Q", head, 40)
    size = min(TAIL, used)
    return head + os.pread(descriptor, size, start + used - size)
