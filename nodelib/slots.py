"""The layout of a disk that starts a node: boot loader, two slots, state, data."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MEBIBYTE = 1024 * 1024
SECTOR = 512

BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
EFI_SYSTEM = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX_ROOT = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
LINUX_DATA = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
LINUX_LVM = "E6D6D379-F507-44C2-A23C-238F2A3DF928"

BIOS, ESP, SLOT_A, SLOT_B, STATE, DATA = (
    "bios",
    "esp",
    "virtnode-a",
    "virtnode-b",
    "virtnode-state",
    "virtnode-data",
)
"""Names of the partitions."""
UNFINISHED, BEGUN = "virtnode-unfinished", "virtnode-begun"
"""What slot A is called while a disk is being installed, over a node that is kept or from nothing.

No node starts from it; below `BEGUN` there is nothing yet that anybody could miss.
"""
ESP_LABEL = "VIRTNODE-SP"
STATE_LABEL = "virtnode-state"
STATE_SUFFIX = "-state"
"""What the name of a mirrored state's volume group has, and that of the same node's guests has not."""
THIN_POOL = "guests"
"""What the thin pool is called; guests' disks are cut from it."""

BOOT_CODE = 440
"""Bytes of a disk's first sector that are the boot loader's; the partition table's own entries follow."""
BOOT_IMAGE_KERNEL_SECTOR = 0x5C
"""Where boot.img keeps the sector of GRUB's core image (64 bits), as its source boot.S says."""
BOOT_IMAGE_DRIVE_CHECK = 0x66
"""Two bytes of boot.img; no-ops there make it trust the drive number the BIOS gives."""
CORE_IMAGE_BLOCK_LIST = 0x1F4
"""Where the core image's first sector keeps the sector of its second (64 bits), as diskboot.S says."""


@dataclass(frozen=True)
class Region:
    """One partition of the layout; start and size in MiB."""

    name: str
    type: str
    start: int
    size: int


def lay_out(sizes: Mapping[str, int], *, mirrored: bool = False) -> tuple[Region, ...]:
    """Lay out partitions one after the other, from the first MiB on; `sizes` in MiB, by name.

    Both slots have the size of slot A. A size of 0 leaves a partition out. A state that is mirrored is LVM's.
    """
    wanted = (
        (BIOS, BIOS_BOOT, 1),
        (ESP, EFI_SYSTEM, sizes[ESP]),
        (SLOT_A, LINUX_ROOT, sizes[SLOT_A]),
        (SLOT_B, LINUX_ROOT, sizes[SLOT_A]),
        (STATE, LINUX_LVM if mirrored else LINUX_DATA, sizes[STATE]),
        (DATA, LINUX_LVM, sizes.get(DATA, 0)),
    )
    regions: list[Region] = []
    start = 1
    for name, kind, size in wanted:
        if size:
            regions.append(Region(name, kind, start, size))
            start += size
    return tuple(regions)


def table_script(
    regions: Sequence[Region], disk_identifier: str, identifiers: Mapping[str, str], names: Mapping[str, str]
) -> str:
    """Write sfdisk's script for a GPT; `names` says which partitions are called otherwise for now."""
    lines = ["label: gpt", f"label-id: {disk_identifier}", "unit: sectors"]
    lines += [
        f"start={region.start * 2048}, size={region.size * 2048}, type={region.type}, "
        f'name="{names.get(region.name, region.name)}", uuid={identifiers[region.name]}'
        for region in regions
    ]
    return "\n".join(lines) + "\n"


def bios_sectors(boot_image: bytes, core_image: bytes, sector: int) -> tuple[bytes, bytes]:
    """Return boot.img and the core image made to find each other when the latter lies at `sector`."""
    first = bytearray(boot_image)
    struct.pack_into("<Q", first, BOOT_IMAGE_KERNEL_SECTOR, sector)
    first[BOOT_IMAGE_DRIVE_CHECK : BOOT_IMAGE_DRIVE_CHECK + 2] = b"\x90\x90"
    core = bytearray(core_image)
    struct.pack_into("<Q", core, CORE_IMAGE_BLOCK_LIST, sector + 1)
    return bytes(first), bytes(core)
