"""A node's second disk, kept as the first: what the menu of each remembers, and what the slots hold."""

import logging
import os
from collections.abc import Callable
from dataclasses import replace

from nodeagent.install.disk_writer import opened
from nodeagent.install.fat_editor import FatEditor
from nodeagent.install.squashfs import HEAD, squashfs_ends, used_bytes
from nodeagent.update.environment import Environment, load_environment, store_environment
from nodeagent.update.slot_disk import LIVE, SlotDisk, read_config
from nodelib.errors import VirtnodeError
from nodelib.slot_menu import SLOTS
from nodelib.update_bundle import INITRAMFS, KERNEL

logger = logging.getLogger(__name__)

Change = Callable[[Environment], Environment]


def change_menu(disk: SlotDisk, slot: str, change: Change) -> None:
    """Change what the menu remembers; that of the second disk first, if that has the same in `slot`.

    A second disk that fails holds nobody up: the first decides, and the other is brought up to it later.
    """
    if disk.twin is not None:
        try:
            if is_same_slot(disk, disk.twin, slot):
                _change(disk.twin, change)
        except (VirtnodeError, OSError) as error:
            logger.error("the menu of %s cannot be changed: %s", disk.twin.device.name, error)
    _change(disk, change)


def settle_twin(disk: SlotDisk) -> None:
    """Have the menu of the second disk remember what this start's menu does, where both start the same."""
    twin = disk.twin
    if twin is None:
        return
    try:
        if differing_slots(disk):
            return
        own, other = _load(disk), _load(twin)
        if own != replace(other, others=own.others):
            logger.info("the menu of %s is brought up to that of %s", twin.device.name, disk.device.name)
            _change(twin, lambda environment: replace(own, others=environment.others))
    except (VirtnodeError, OSError) as error:
        logger.error("the menu of %s cannot be brought up: %s", twin.device.name, error)


def differing_slots(disk: SlotDisk) -> tuple[str, ...]:
    """Name the slots of which the second disk holds something else; none where there is no second disk."""
    twin = disk.twin
    return () if twin is None else tuple(slot for slot in SLOTS if not is_same_slot(disk, twin, slot))


def is_same_slot(first: SlotDisk, second: SlotDisk, slot: str) -> bool:
    """Tell whether two disks start the same from a slot, or nothing at all."""
    return _outline(first, slot) == _outline(second, slot)


def image_bytes(disk: SlotDisk, slot: str) -> int:
    """Return the bytes of a slot's image; 0 for a slot that nothing is started from."""
    with disk.boot_partition() as esp:
        if read_config(esp, slot) is None:
            return 0
    start, room = disk.slot_place(slot)
    with opened(disk.device) as device:
        head = os.pread(device, HEAD, start)
    return min(used_bytes(head), room)


def _outline(disk: SlotDisk, slot: str) -> tuple[object, ...]:
    """Sum up what a slot starts; nothing where it starts nothing."""
    with disk.boot_partition() as esp:
        config = read_config(esp, slot)
        if config is None:
            return ()
        words = tuple(word for word in config.arguments if not word.startswith(LIVE))
        sizes = tuple(_size(esp, f"{slot}/{name}") for name in (KERNEL, INITRAMFS))
    return (config.title, words, sizes, _ends_of_image(disk, slot))


def _size(esp: FatEditor, path: str) -> int:
    entry = esp.find(path)
    return entry.size if entry is not None else -1


def _ends_of_image(disk: SlotDisk, slot: str) -> bytes:
    """Read the beginning and the end of a slot's squashfs, as the disk has it."""
    start, room = disk.slot_place(slot)
    with opened(disk.device) as device:
        os.posix_fadvise(device, start, room, os.POSIX_FADV_DONTNEED)
        return squashfs_ends(device, start, room)


def _load(disk: SlotDisk) -> Environment:
    with disk.boot_partition() as esp:
        return load_environment(esp)


def _change(disk: SlotDisk, change: Change) -> None:
    with disk.boot_partition() as esp:
        store_environment(esp, change(load_environment(esp)))
