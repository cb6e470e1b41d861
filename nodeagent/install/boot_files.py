"""Kernel, initramfs and boot loaders of the medium or its server, checked by the sums that the root keeps."""

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nodeagent.install.fat_reader import FatReader
from nodeagent.install.medium import Medium, efi_image_offset
from nodelib.errors import Code, VirtnodeError

HOME = "usr/lib/virtnode/boot"
"""In the root: GRUB for BIOS, and the sums of all that starts this root."""
SUMS = f"{HOME}/SHA256SUMS"
KERNEL, INITRAMFS, NETWORK_INITRAMFS = "vmlinuz", "initrd.img", "initrd-network.img"
SHIM, GRUB, BOOT_IMAGE, CORE_IMAGE = "shimx64.efi", "grubx64.efi", "boot.img", "core.img"
ON_SERVER = {KERNEL: "vmlinuz", INITRAMFS: "initrd.img", SHIM: "shimx64.efi", GRUB: "install/grubx64.efi"}
"""Where a PXE folder has each."""
FETCH_TIMEOUT = 60.0
LARGEST = 256 * 1024 * 1024


@dataclass(frozen=True)
class BootFiles:
    """What starts a disk."""

    kernel: bytes
    initramfs: bytes
    shim: bytes
    grub: bytes
    boot_image: bytes
    core_image: bytes


def load_boot_files(root: Path, medium: Medium, fetch: Callable[[str], bytes] | None = None) -> BootFiles:
    """Read all of them; raises VirtnodeError where one is not to be had, or is not this root's."""
    sums = read_sums(root)
    if medium.folder is not None and medium.device is not None:
        found = _read_iso(medium.folder, medium.device)
    elif medium.url:
        found = {name: (fetch or fetch_file)(f"{medium.url}/{place}") for name, place in ON_SERVER.items()}
    else:
        raise VirtnodeError(
            Code.UNAVAILABLE,
            "this system was started from a disk, and a disk has no copy to install from",
            "start the machine from the ISO or over the network, and install then",
        )
    found |= {name: _read(root / HOME / name) for name in (BOOT_IMAGE, CORE_IMAGE)}
    check_sums(found, sums)
    return BootFiles(
        found[KERNEL], found[INITRAMFS], found[SHIM], found[GRUB], found[BOOT_IMAGE], found[CORE_IMAGE]
    )


def read_sums(root: Path) -> dict[str, str]:
    """Read the sums that the root keeps; raises VirtnodeError (unavailable) for an image without them."""
    rows = [line.split() for line in _read(root / SUMS).decode().splitlines()]
    return {row[1]: row[0] for row in rows if len(row) == 2}


def check_sums(found: Mapping[str, bytes], sums: Mapping[str, str]) -> None:
    """Raise VirtnodeError (failed) unless every file is what belongs to this root."""
    for name, data in found.items():
        allowed = [sums.get(name)]
        if name == INITRAMFS:
            allowed.append(sums.get(NETWORK_INITRAMFS))
        if hashlib.sha256(data).hexdigest() not in allowed:
            raise VirtnodeError(
                Code.FAILED,
                f"{name} is not the one that belongs to this system",
                "the medium is damaged, or the server's folder is of another build",
            )


def fetch_file(url: str) -> bytes:
    """Fetch a file; raises VirtnodeError (unavailable) with what the server said."""
    try:
        with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT) as answer:
            data: bytes = answer.read(LARGEST + 1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise VirtnodeError(
            Code.UNAVAILABLE,
            f"{url} cannot be fetched: {error}",
            "the server must offer the whole PXE folder of the build",
        ) from error
    if len(data) > LARGEST:
        raise VirtnodeError(Code.FAILED, f"{url} is larger than anything that belongs there")
    return data


def _read_iso(folder: Path, device: Path) -> dict[str, bytes]:
    disk = os.open(device, os.O_RDONLY)
    try:
        efi = FatReader(disk, efi_image_offset(disk))
        loaders = {SHIM: efi.read_file("EFI/BOOT/BOOTX64.EFI"), GRUB: efi.read_file("EFI/BOOT/GRUBX64.EFI")}
    finally:
        os.close(disk)
    return {KERNEL: _read(folder / "boot/vmlinuz"), INITRAMFS: _read(folder / "boot/initrd.img"), **loaders}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise VirtnodeError(
            Code.UNAVAILABLE, f"{path} cannot be read: {error.strerror}", "was this image built without it?"
        ) from error
