"""Where this node was started from, and the places for images on its disk."""

import re
from collections.abc import Sequence
from pathlib import Path

from nodeagent.facts.sources import read_link_name, read_text
from nodeagent.install.medium import find_medium
from nodeagent.update.record import UpdateRecord, load_record
from nodelib.bus_system import Slot
from nodelib.bus_update import UpdateState
from nodelib.facts import Disk
from nodelib.install_rules import SMALLEST_DISK

BY_PARTUUID = "dev/disk/by-partuuid"
BY_PARTLABEL = "dev/disk/by-partlabel"
PREFIX = "virtnode-"
SLOTS = ("a", "b")
LIVE = "root=live:"
LIVE_MOUNT = "/run/initramfs/live"
OS_RELEASE = "usr/lib/os-release"


def read_slots(root: Path) -> tuple[Slot, ...]:
    """List the slots of the disk that this system came from, else of any; a version may be unknown."""
    booted = booted_partition(root)
    slots = []
    for name in SLOTS:
        device = _sibling(root, booted, f"{PREFIX}{name}") or read_link_name(
            root / BY_PARTLABEL / f"{PREFIX}{name}"
        )
        if device:
            is_booted = device == booted
            version = read_version(root) if is_booted else other_version(load_record(root), name)
            slots.append(Slot(name, version, is_booted, f"/dev/{device}"))
    return tuple(slots)


def booted_partition(root: Path) -> str:
    """Return the name of the partition that the kernel arguments call the root; empty where it is none."""
    kind, _, value = _live_root(root).partition("=")
    folder = {"PARTUUID": BY_PARTUUID, "PARTLABEL": BY_PARTLABEL}.get(kind)
    return read_link_name(root / folder / value) if folder else ""


def other_version(record: UpdateRecord, slot: str) -> str:
    """Return the version of what a slot that does not run holds, as far as updates tell."""
    if record.slot == slot:
        return "" if record.state is UpdateState.FAILED else record.image.version
    return record.previous.version


def _sibling(root: Path, partition: str, name: str) -> str:
    """Find a partition by its name on the disk of another one: of two disks with slots the right one."""
    if not partition:
        return ""
    folder = (root / "sys/class/block" / partition).resolve().parent
    for uevent in sorted(folder.glob("*/uevent")):
        if f"PARTNAME={name}" in read_text(uevent).splitlines():
            return uevent.parent.name
    return ""


def read_version(root: Path) -> str:
    """Return the version of the image that runs."""
    lines = (line.partition("=") for line in read_text(root / OS_RELEASE).splitlines())
    fields = {name: value.strip().strip('"') for name, _, value in lines}
    return fields.get("IMAGE_VERSION", "") or fields.get("VERSION_ID", "")


def describe_boot(root: Path, disks: Sequence[Disk]) -> str:
    """Say in a person's words what the node was started from; empty where nothing tells."""
    live = _live_root(root)
    device = _mounted_device(root)
    disk = _disk_of(device, disks)
    booted = next((slot for slot in read_slots(root) if slot.booted), None)
    if booted is not None or live.startswith(f"PARTLABEL={PREFIX}"):
        slot = f"slot {booted.name if booted else live.removeprefix(f'PARTLABEL={PREFIX}')}"
        device = device or booted_partition(root)
        disk = disk or _disk_of(device, disks)
        return f"{slot} of the disk {disk.name}" if disk else slot
    if live.startswith(("http:", "https:", "tftp:", "nfs:")):
        return "the network"
    if device.startswith("sr"):
        return "the CD"
    if disk is not None:
        return f"a USB stick ({disk.name})" if disk.bus == "usb" else f"the disk {disk.name}"
    return "a CD or a USB stick" if live.startswith(("CDLABEL=", "LABEL=")) else ""


def has_disk_to_install_to(root: Path, disks: Sequence[Disk]) -> bool:
    """Tell whether there is a disk of some size that the node does not run from; more is told by the plan."""
    own = {disk.name for device in find_medium(root).devices if (disk := _disk_of(device, disks))}
    return any(disk.size_bytes >= SMALLEST_DISK and disk.name not in own for disk in disks)


def _live_root(root: Path) -> str:
    words = read_text(root / "proc/cmdline").split()
    return next((word.removeprefix(LIVE) for word in reversed(words) if word.startswith(LIVE)), "")


def _mounted_device(root: Path) -> str:
    for line in read_text(root / "proc/mounts").splitlines():
        device, place, *_ = [*line.split(), "", ""]
        if place == LIVE_MOUNT:
            return device.removeprefix("/dev/")
    return ""


def _disk_of(device: str, disks: Sequence[Disk]) -> Disk | None:
    """Find the disk of a partition: sda3, nvme0n1p3 or mmcblk0p3."""
    for disk in disks:
        if device == disk.name or re.fullmatch(rf"{re.escape(disk.name)}p?[0-9]+", device):
            return disk
    return None
