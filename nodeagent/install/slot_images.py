"""What the slots of an installed disk hold, compared with a system's image without reading all of it."""

import os
from pathlib import Path

from nodeagent.install.fat_reader import FatReader
from nodeagent.install.layout import read_layout
from nodeagent.install.squashfs import squashfs_ends
from nodelib.errors import VirtnodeError
from nodelib.slot_menu import SLOTS
from nodelib.slots import ESP, MEBIBYTE, SLOT_A, SLOT_B, Region


def has_image(device: Path, image: Path | None) -> bool:
    """Tell whether a slot of a disk that could be started has this very image; an update brings it there."""
    if image is None:
        return False
    try:
        regions = {region.name: region for region in read_layout(device)[0]}
        with image.open("rb", buffering=0) as file:
            # It may be a device, which has no size of its own to ask for.
            wanted = squashfs_ends(file.fileno(), 0, file.seek(0, os.SEEK_END))
        with device.open("rb", buffering=0) as file:
            disk = file.fileno()
            esp = FatReader(disk, regions[ESP].start * MEBIBYTE)
            return bool(wanted) and any(
                esp.find(f"{slot}/slot.cfg") is not None and _ends(disk, regions[name]) == wanted
                for slot, name in zip(SLOTS, (SLOT_A, SLOT_B), strict=True)
                if name in regions
            )
    except (VirtnodeError, OSError):
        return False


def _ends(disk: int, region: Region) -> bytes:
    return squashfs_ends(disk, region.start * MEBIBYTE, region.size * MEBIBYTE)
