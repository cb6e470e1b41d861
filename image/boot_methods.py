"""Which firmware can boot a medium, and through what: found on the medium itself."""

import re
import struct
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from image.medium import ESP_TYPE, ISO_BLOCK, SECTOR, Kind, Medium, StoredFile, copy_fat_files
from nodelib.errors import VirtnodeError
from nodelib.run import run

BIOS_BOOT_TYPE = "21686148-6449-6E6F-744E-656564454649"

_EL_TORITO_IMAGE = re.compile(r"El Torito boot img\s*:\s*\d+\s+(BIOS|UEFI)\s+y\s.*\s(\d+)\s+(\d+)\s*")
_EFI_PROGRAM = re.compile(r".*/(?:boot|shim)\w+\.efi(?:\.signed)?", re.IGNORECASE)
_SHIM_MARK = b"\nshim,"
"""A line of the SBAT section of shim; GRUB's own has no such line."""

_VERSION_POINTER = 0x20E
_SETUP_START = 0x200


@dataclass(frozen=True)
class BootMethods:
    """Ways to start a medium; False when it has no such way."""

    bios_cd: bool = False
    """El Torito for BIOS."""
    uefi_cd: bool = False
    """El Torito for UEFI."""
    bios_disk: bool = False
    """Boot code in the first sector, for a disk or USB stick."""
    uefi_disk: bool = False
    """An EFI system partition, for a disk or USB stick."""
    network: bool = False
    """Kernel, initramfs and root as files to serve."""
    shim: bool = False
    """Shim is the first program that UEFI starts, as Secure Boot needs."""


def find_boot_methods(medium: Medium) -> BootMethods:
    """Look at a medium's boot records, partitions and EFI programs."""
    if medium.kind in (Kind.SQUASHFS, Kind.UPDATE):
        return BootMethods()
    if medium.kind is Kind.PXE:
        return BootMethods(network=True, shim=_has_shim(medium.files))
    has_code = any(_first_bytes(medium.raw, 440))
    has_esp = any(partition.type == ESP_TYPE for partition in medium.partitions)
    if medium.kind is Kind.DISK:
        is_bios = has_code and any(partition.type == BIOS_BOOT_TYPE for partition in medium.partitions)
        return BootMethods(bios_disk=is_bios, uefi_disk=has_esp, shim=_has_shim(medium.files))
    images = _el_torito_images(medium.raw)
    return BootMethods(
        bios_cd="BIOS" in images,
        uefi_cd="UEFI" in images,
        bios_disk=has_code,
        uefi_disk=has_esp,
        shim="UEFI" in images and _fat_has_shim(medium.raw, images["UEFI"]),
    )


def kernel_version(kernel: StoredFile) -> str:
    """Read a bzImage's version from its header; empty when it is no kernel for x86."""
    header = kernel.read(64 * 1024)
    if header[0x202:0x206] != b"HdrS":
        return ""
    start = _SETUP_START + struct.unpack_from("<H", header, _VERSION_POINTER)[0]
    return header[start : start + 200].split(b"\0")[0].decode(errors="replace").split(" ")[0]


def _el_torito_images(iso: Path) -> dict[str, int]:
    """Give the position in bytes of the boot image for each platform."""
    report = run(["xorriso", "-indev", iso, "-report_el_torito", "plain"], check=False).stdout
    matches = (_EL_TORITO_IMAGE.fullmatch(line) for line in report.splitlines())
    return {match[1]: int(match[3]) * ISO_BLOCK for match in matches if match}


def _fat_has_shim(raw: Path, offset: int) -> bool:
    """Look for shim in the FAT image of an ISO; there is none in what is no FAT image."""
    with tempfile.TemporaryDirectory(prefix="virtnode-") as directory:
        try:
            return _has_shim(copy_fat_files(raw, offset, Path(directory)))
        except VirtnodeError:
            return False


def _has_shim(files: Iterable[StoredFile]) -> bool:
    return any(_SHIM_MARK in file.read() for file in files if _EFI_PROGRAM.fullmatch(file.path))


def _first_bytes(raw: Path, size: int) -> bytes:
    with raw.open("rb") as file:
        return file.read(min(size, SECTOR))
