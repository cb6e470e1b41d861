"""Where this node was started from, and the places for images on its disk."""

import re
from collections.abc import Sequence
from pathlib import Path

from nodeagent.facts.sources import read_link_name, read_text
from nodelib.bus_system import Slot
from nodelib.facts import Disk

BY_PARTLABEL = "dev/disk/by-partlabel"
PREFIX = "virtnode-"
SLOTS = ("a", "b")
LIVE = "root=live:"
LIVE_MOUNT = "/run/initramfs/live"
OS_RELEASE = "usr/lib/os-release"


def read_slots(root: Path) -> tuple[Slot, ...]:
    """List the slots that are on a disk of this machine; only the booted one's version is known."""
    booted = _live_root(root)
    slots = []
    for name in SLOTS:
        label = f"{PREFIX}{name}"
        device = read_link_name(root / BY_PARTLABEL / label)
        if device:
            is_booted = booted == f"PARTLABEL={label}"
            slots.append(Slot(name, read_version(root) if is_booted else "", is_booted, f"/dev/{device}"))
    return tuple(slots)


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
    if live.startswith(f"PARTLABEL={PREFIX}"):
        slot = f"slot {live.removeprefix(f'PARTLABEL={PREFIX}')}"
        device = device or read_link_name(root / BY_PARTLABEL / live.partition("=")[2])
        disk = disk or _disk_of(device, disks)
        return f"{slot} of the disk {disk.name}" if disk else slot
    if live.startswith(("http:", "https:", "tftp:", "nfs:")):
        return "the network"
    if device.startswith("sr"):
        return "the CD"
    if disk is not None:
        return f"a USB stick ({disk.name})" if disk.bus == "usb" else f"the disk {disk.name}"
    return "a CD or a USB stick" if live.startswith(("CDLABEL=", "LABEL=")) else ""


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
