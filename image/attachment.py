"""Attaching an artefact to a virtual machine: as a CD, a USB stick, a disk, or by the network."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from image.firmware import Firmware
from image.medium import Kind
from image.netboot import copy_pxe, serve_folder
from image.qemu import HOST_ADDRESS, Bus, Drive, UserNetwork
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.run import run

SUFFIXES = {".iso": Kind.ISO, ".qcow2": Kind.DISK, ".raw": Kind.DISK, ".raw.zst": Kind.DISK}
"""How an artefact's name ends; of several disk images the first kind is the cheapest to boot."""

BOOTFILES = {
    Firmware.BIOS: "boot.ipxe",
    Firmware.UEFI: "shimx64.efi",
    Firmware.SECURE_BOOT: "shimx64.efi",
}
"""What the network card loads first; in a BIOS machine QEMU's card brings iPXE along."""


@dataclass(frozen=True)
class Attachment:
    """An artefact as a machine's parts."""

    drives: tuple[Drive, ...]
    network: UserNetwork


def find_bootable(path: Path) -> dict[Kind, Path]:
    """Find what can be booted: an ISO, a disk image, a `pxe` folder, or a build's folder with any of them.

    Raises VirtnodeError (not-found) when there is none, InvalidInput when a folder holds two of a kind.
    """
    kind = bootable_kind(path)
    if kind:
        return {kind: path}
    if not path.is_dir():
        problem = "is not an ISO, a disk image or a pxe folder" if path.exists() else "does not exist"
        raise VirtnodeError(Code.NOT_FOUND, f"{path} {problem}")
    found: dict[Kind, Path] = {}
    for suffix, kind in SUFFIXES.items():
        files = sorted(path.glob(f"*{suffix}"))
        if len(files) > 1:
            raise InvalidInput([f"{file}: one of {len(files)} files that end in {suffix}" for file in files])
        if files:
            found.setdefault(kind, files[0])
    if bootable_kind(path / "pxe"):
        found[Kind.PXE] = path / "pxe"
    if not found:
        raise VirtnodeError(Code.NOT_FOUND, f"{path} holds no ISO, disk image or pxe folder")
    return found


def bootable_kind(path: Path) -> Kind | None:
    """Tell by its name what a file is, and by its content whether a folder is for the network."""
    if path.is_dir():
        return Kind.PXE if (path / "boot.ipxe").exists() else None
    if not path.exists():
        return None
    return next((kind for suffix, kind in SUFFIXES.items() if path.name.endswith(suffix)), None)


@contextlib.contextmanager
def attach(path: Path, folder: Path, *, firmware: Firmware, usb: bool = False) -> Iterator[Attachment]:
    """Attach an artefact to a machine that is yet to start, and serve it until the machine has ended.

    An ISO is a CD or a USB stick, a disk image a virtio disk or a USB stick; a `pxe` folder is served by
    TFTP and HTTP. What must be unpacked or changed for that goes to `folder`.
    """
    kind = bootable_kind(path)
    if kind is Kind.ISO:
        yield Attachment((Drive(path, Bus.USB if usb else Bus.CDROM),), UserNetwork())
    elif kind is Kind.DISK:
        disk = unpack_disk(path, folder)
        drive = Drive(disk, Bus.USB if usb else Bus.VIRTIO, format=disk.suffix.lstrip("."))
        yield Attachment((drive,), UserNetwork())
    elif kind is Kind.PXE:
        copy = folder / "pxe"
        with serve_folder(copy) as port:
            copy_pxe(path, copy, f"http://{HOST_ADDRESS}:{port}")
            yield Attachment((), UserNetwork(tftp=copy, bootfile=BOOTFILES[firmware]))
    else:
        raise VirtnodeError(Code.NOT_FOUND, f"{path} is not an ISO, a disk image or a pxe folder")


def unpack_disk(path: Path, folder: Path) -> Path:
    """Unpack a compressed disk image to `folder`, with holes where it is empty; others are used in place."""
    if path.suffix != ".zst":
        return path
    disk = folder / path.name.removesuffix(".zst")
    run(["zstd", "--decompress", "--sparse", "--quiet", path, "-o", disk])
    return disk
