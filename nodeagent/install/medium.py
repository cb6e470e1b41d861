"""What this system runs from: the squashfs of its root, its disks, and where boot files are."""

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from nodeagent.facts.sources import read_text
from nodelib.errors import Code, VirtnodeError

LIVE = "/run/initramfs/live"
"""Where the initramfs leaves the medium mounted."""
MOUNTS = "proc/self/mountinfo"
CD_SECTOR = 2048
CATALOG_PLACE = 17 * CD_SECTOR
EFI_PLATFORM = 0xEF
LONGEST_CATALOG = 2048


@dataclass(frozen=True)
class Medium:
    """Where this system came from; `folder` is an ISO's files, `url` a PXE server's folder."""

    root_image: Path | None
    """The device or file that holds the squashfs."""
    devices: tuple[str, ...] = ()
    """Names of block devices that it runs from."""
    folder: Path | None = None
    device: Path | None = None
    """The ISO's own device."""
    url: str = ""


def find_medium(root: Path) -> Medium:
    """Find out what the system below `root` runs from."""
    mounts = _read_mounts(read_text(root / MOUNTS))
    images = [source for _, kind, source in mounts if kind == "squashfs"]
    lives = [source for point, _, source in mounts if point == LIVE]
    backing = [
        text
        for source in images
        if (text := read_text(root / f"sys/block/{Path(source).name}/loop/backing_file")).startswith("/dev/")
    ]
    devices = [Path(source).name for source in (*images, *lives, *backing) if source.startswith("/dev/")]
    image = _below(root, images[0]) if images else None
    if lives:
        return Medium(image, tuple(devices), _below(root, LIVE), _whole_disk(root, lives[0]))
    address = re.search(r"(?:^|\s)root=live:(https?://\S+)/[^/\s]+", read_text(root / "proc/cmdline"))
    return Medium(image, tuple(devices), url=address[1] if address else "")


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _whole_disk(root: Path, source: str) -> Path:
    """Return the device that a medium is all of: a stick's ISO is in a partition of it, too."""
    block = root / "sys/class/block" / Path(source).name
    if (block / "partition").exists():
        return root / "dev" / block.resolve().parent.name
    return _below(root, source)


def _read_mounts(text: str) -> list[tuple[str, str, str]]:
    """Read mountinfo: mount point, kind of file system, source."""
    found = []
    for line in text.splitlines():
        place, _, kind = line.partition(" - ")
        if len(place.split()) > 4 and len(kind.split()) > 1:
            found.append((place.split()[4], kind.split()[0], kind.split()[1]))
    return found


def efi_image_offset(disk: int) -> int:
    """Return the byte of an ISO's EFI image, from its El Torito catalog; raises VirtnodeError (not-found)."""
    record = os.pread(disk, CD_SECTOR, CATALOG_PLACE)
    if record[:30] != b"\0CD001\x01EL TORITO SPECIFICATION":
        raise VirtnodeError(Code.NOT_FOUND, "the medium has no boot catalog")
    (sector,) = struct.unpack_from("<I", record, 0x47)
    catalog = os.pread(disk, LONGEST_CATALOG, sector * CD_SECTOR)
    place = 64
    while place + 32 <= len(catalog) and catalog[place] in (0x90, 0x91):
        platform, count = struct.unpack_from("<BH", catalog, place + 1)
        if platform == EFI_PLATFORM and count:
            (start,) = struct.unpack_from("<I", catalog, place + 32 + 8)
            return int(start) * CD_SECTOR
        place += 32 * (1 + count)
    raise VirtnodeError(Code.NOT_FOUND, "the medium's boot catalog names no EFI image")
