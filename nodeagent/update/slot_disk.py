"""The disk with two slots that this system was started from: which one runs, and where the other one is."""

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from nodeagent.facts.sources import names_in, read_link_name, read_text
from nodeagent.install.disk_writer import opened
from nodeagent.install.fat_editor import FatEditor
from nodeagent.install.layout import Layout, read_layout
from nodeagent.install.marker import read_marker
from nodeagent.state_disk import ARGUMENT as STATE_ARGUMENT
from nodeagent.state_disk import mirrored_volume
from nodelib.errors import Code, VirtnodeError
from nodelib.places import Place, at
from nodelib.slot_menu import SLOTS, TRIAL_ARGUMENT, SlotConfig, read_slot_config
from nodelib.slots import ESP, MEBIBYTE

logger = logging.getLogger(__name__)

SLOT_PREFIX = "virtnode-"
LIVE = "root=live:"
NO_SLOTS = "this system was not started from a disk with two slots"
NO_SLOTS_HINT = f"{at(Place.INSTALL)}; a medium is replaced by a newer one"
MENU = "grub/grub.cfg"
MISSING = "the second disk of this node is missing"


@dataclass(frozen=True)
class SlotDisk:
    """The disk, as its table says, and the slot that runs."""

    device: Path
    layout: Layout
    booted: str
    """a or b."""
    twin: "SlotDisk | None" = None
    """The second disk of a node that has one and can start from it."""
    twin_problem: str = ""
    """Why there should be a second disk, and is none that the node could start from."""

    @property
    def copies(self) -> "tuple[SlotDisk, ...]":
        """Every disk that holds this node's slots; the one that it was started from is the last."""
        return (self,) if self.twin is None else (self.twin, self)

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
            return _with_twin(root, SlotDisk(device, layout, slot))
    raise VirtnodeError(Code.CONFLICT, NO_SLOTS, NO_SLOTS_HINT)


def _with_twin(root: Path, disk: SlotDisk) -> SlotDisk:
    """Find the second disk, if the state is one that two disks have."""
    state = mirrored_volume(root)
    if not state:
        return disk
    problem = MISSING
    for device in _disks_with_boot_partition(root):
        if device.name == disk.device.name:
            continue
        try:
            other = SlotDisk(device, read_layout(device), disk.booted)
            with other.boot_partition() as esp:
                configs = {slot: read_config(esp, slot) for slot in SLOTS}
        except (VirtnodeError, OSError) as error:
            logger.debug("%s is not this node's second disk: %s", device.name, error)
            continue
        if not any(one and f"{STATE_ARGUMENT}={state}" in one.arguments for one in configs.values()):
            continue
        marker = read_marker(device, other.place(ESP)[0])
        if marker is None or not marker.finished:
            problem = f"{device.name}, its second disk, was never written to its end"
        elif configs[disk.booted] is None:
            problem = f"{device.name}, its second disk, has nothing in slot {disk.booted}"
        else:
            return replace(disk, twin=other)
    return replace(disk, twin_problem=problem)


def _disks_with_boot_partition(root: Path) -> Iterator[Path]:
    blocks = root / "sys/class/block"
    for name in names_in(blocks):
        if f"PARTNAME={ESP}" in read_text(blocks / name / "uevent").splitlines():
            yield root / "dev" / (blocks / name).resolve().parent.name


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
