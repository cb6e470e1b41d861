"""The disk with two slots that this system was started from: which one runs, and where the other one is."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nodeagent.facts.sources import read_link_name, read_text
from nodeagent.install.disk_writer import opened
from nodeagent.install.fat_editor import FatEditor
from nodeagent.install.layout import Layout, read_layout
from nodelib.errors import Code, VirtnodeError
from nodelib.slot_menu import SLOTS, TRIAL_ARGUMENT, SlotConfig, read_slot_config
from nodelib.slots import ESP, MEBIBYTE

SLOT_PREFIX = "virtnode-"
LIVE = "root=live:"
NO_SLOTS = "this system was not started from a disk with two slots"
NO_SLOTS_HINT = "virtnodectl install puts it on one; a medium is replaced by a newer one"
MENU = "grub/grub.cfg"


@dataclass(frozen=True)
class SlotDisk:
    """The disk, as its table says, and the slot that runs."""

    device: Path
    layout: Layout
    booted: str
    """a or b."""

    @property
    def idle(self) -> str:
        """The other slot."""
        return SLOTS[1 - SLOTS.index(self.booted)]

    def place(self, name: str) -> tuple[int, int]:
        """Return the first byte of a partition on the disk, and its bytes."""
        region = next(region for region in self.layout[0] if region.name == name)
        return region.start * MEBIBYTE, region.size * MEBIBYTE

    def slot_place(self, slot: str) -> tuple[int, int]:
        """Return where a slot's image is."""
        return self.place(f"{SLOT_PREFIX}{slot}")

    def identifier(self, slot: str) -> str:
        """Return the identifier of a slot's partition, as kernel arguments say it."""
        return self.layout[1][f"{SLOT_PREFIX}{slot}"].lower()

    @contextlib.contextmanager
    def boot_partition(self) -> Iterator[FatEditor]:
        """Open the boot partition, for reading and for changes."""
        start, size = self.place(ESP)
        with opened(self.device) as disk:
            # It may have been changed through another name of the same place since it was read last.
            os.posix_fadvise(disk, start, size, os.POSIX_FADV_DONTNEED)
            yield FatEditor(disk, start)


def find_slot_disk(root: Path) -> SlotDisk:
    """Find the disk that the kernel arguments name; raises VirtnodeError (conflict) where there is none."""
    live = _live_root(read_text(root / "proc/cmdline"))
    kind, _, value = live.partition("=")
    folder = {"PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel"}.get(kind)
    name = read_link_name(root / "dev/disk" / folder / value) if folder else ""
    if not name:
        raise VirtnodeError(Code.CONFLICT, NO_SLOTS, NO_SLOTS_HINT)
    device = root / "dev" / (root / "sys/class/block" / name).resolve().parent.name
    layout = read_layout(device)
    for slot in SLOTS:
        identifier = layout[1].get(f"{SLOT_PREFIX}{slot}", "").lower()
        if not identifier:
            break
        if value.lower() in (identifier, f"{SLOT_PREFIX}{slot}"):
            return SlotDisk(device, layout, slot)
    raise VirtnodeError(Code.CONFLICT, NO_SLOTS, NO_SLOTS_HINT)


def slot_on_trial(root: Path) -> str:
    """Return the slot that the boot menu started for a try; empty where this is no try."""
    words = [word.partition("=") for word in read_text(root / "proc/cmdline").split()]
    return next((value for name, _, value in words if name == TRIAL_ARGUMENT and value in SLOTS), "")


def read_config(esp: FatEditor, slot: str) -> SlotConfig | None:
    """Read what a slot's kernel is told; None for a slot that nothing can be started from."""
    if esp.find(f"{slot}/slot.cfg") is None:
        return None
    return read_slot_config(esp.read_file(f"{slot}/slot.cfg").decode(errors="replace"))


def knows_trials(esp: FatEditor) -> bool:
    """Tell whether the disk's menu counts the tries of a slot and tells its kernel so."""
    try:
        return TRIAL_ARGUMENT.encode() in esp.read_file(MENU)
    except VirtnodeError:
        return False


def is_mounted(root: Path, disk: SlotDisk) -> bool:
    """Tell whether somebody has the boot partition mounted: two writers would spoil it."""
    name = read_link_name(root / "dev/disk/by-partuuid" / disk.layout[1][ESP].lower())
    lines = read_text(root / "proc/self/mountinfo").splitlines()
    return bool(name) and any(f" /dev/{name} " in line.partition(" - ")[2] for line in lines)


def _live_root(cmdline: str) -> str:
    words = (word.removeprefix(LIVE) for word in reversed(cmdline.split()) if word.startswith(LIVE))
    return next(words, "")
