"""What the boot partition of a node says of this node alone: kept when the node is installed again."""

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nodeagent.boot_config import DISK_ROOT
from nodeagent.install.command_line import ARGUMENT
from nodeagent.install.fat_reader import FatReader
from nodelib.config_area import AREA_FILE, parse_area
from nodelib.errors import VirtnodeError
from nodelib.slot_menu import (
    ARGUMENTS_FILE,
    ARGUMENTS_VARIABLE,
    SLOTS,
    read_environment,
    read_slot_config,
)
from nodelib.slots import ESP, MEBIBYTE, SLOT_A, Region

logger = logging.getLogger(__name__)

ENVIRONMENT = "grub/grubenv"
ADDED = re.compile(rf"^set {ARGUMENTS_VARIABLE}='([^']*)'$", re.MULTILINE)


@dataclass(frozen=True)
class KeptBoot:
    """What is carried over to the new boot partition."""

    arguments: tuple[str, ...]
    """Of the kernel in the slot that starts, with those that were written into a disk image."""
    area: bytes = b""
    """The configuration that was embedded in a disk image; empty where there is none."""

    @property
    def named_root(self) -> str:
        """How a disk image calls its root, by which the node looks for what is embedded; else empty."""
        return f"{DISK_ROOT}{SLOT_A}" if self.area else ""


def read_kept_boot(device: Path, regions: Sequence[Region]) -> KeptBoot | None:
    """Read it from a disk with this layout; None where an installation left no boot partition."""
    start = next(region.start for region in regions if region.name == ESP) * MEBIBYTE
    try:
        disk = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        logger.warning("%s cannot be read: %s", device, error.strerror)
        return None
    try:
        esp = FatReader(disk, start)
        return KeptBoot((*_slot_arguments(esp), *_added_arguments(esp)), _area(esp))
    except (VirtnodeError, OSError) as error:
        logger.warning("the boot partition of %s cannot be read: %s", device, error)
        return None
    finally:
        os.close(disk)


def _slot_arguments(esp: FatReader) -> tuple[str, ...]:
    """Read what the kernel is told in the slot that starts; of the other one if that has nothing."""
    started = "a"
    if esp.find(ENVIRONMENT) is not None:
        started = read_environment(esp.read_file(ENVIRONMENT)).get("slot", started)
    for slot in sorted(SLOTS, key=lambda slot: slot != started):
        if esp.find(f"{slot}/slot.cfg") is not None:
            return read_slot_config(esp.read_file(f"{slot}/slot.cfg").decode(errors="replace")).arguments
    return ()


def _added_arguments(esp: FatReader) -> tuple[str, ...]:
    if esp.find(ARGUMENTS_FILE) is None:
        return ()
    found = ADDED.search(esp.read_file(ARGUMENTS_FILE).decode(errors="replace"))
    return tuple(ARGUMENT.findall(found[1])) if found else ()


def _area(esp: FatReader) -> bytes:
    if esp.find(AREA_FILE) is None:
        return b""
    data = esp.read_file(AREA_FILE)
    try:
        return b"" if parse_area(data).is_blank else data
    except VirtnodeError:
        # The node tells of a damaged one at each start, and shall go on doing so.
        return data
