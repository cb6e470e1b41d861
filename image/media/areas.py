"""What `customize` writes into a finished medium, as a build leaves it: files of fixed size, menus."""

from collections.abc import Mapping

from nodelib.config_area import AREA_FILE, ConfigArea, pack_area
from nodelib.slot_menu import ARGUMENTS_FILE, ARGUMENTS_VARIABLE

ARGUMENTS_SIZE = 4096
"""Bytes of the file that GRUB reads kernel arguments from."""
ARGUMENTS_MARK = "# virtnode-arguments 1: of fixed size, for virtnode-image customize writes it in place.\n"
ARGUMENTS_ROOM = 1024
"""Letters of the kernel arguments that can be added; the kernel takes 2047 in all."""
ISO_ARGUMENTS = "boot/grub/custom.cfg"
DISK_ARGUMENTS = ARGUMENTS_FILE
PXE_ARCHIVE = "config.img"
"""The archive in a PXE folder that brings the config area along, as one more initramfs."""
MENU_VARIABLE = ARGUMENTS_VARIABLE

_CPIO_NAMES = ("virtnode", AREA_FILE, "TRAILER!!!")


def pack_arguments(arguments: str) -> bytes:
    """Write the file of kernel arguments, always ARGUMENTS_SIZE bytes; empty lines fill it up."""
    text = f"{ARGUMENTS_MARK}set {MENU_VARIABLE}='{arguments}'\n"
    return text.encode().ljust(ARGUMENTS_SIZE, b"\n")


def read_arguments(data: bytes) -> str:
    """Read the arguments back."""
    lines = data.decode(errors="replace").splitlines()
    found = [line for line in lines if line.startswith(f"set {MENU_VARIABLE}=")]
    return found[0].partition("=")[2].strip("'") if found else ""


def pack_archive(area: ConfigArea, epoch: int) -> bytes:
    """Make the archive of a PXE folder; the kernel unpacks it into the initramfs."""
    contents: Mapping[str, bytes] = {AREA_FILE: pack_area(area)}
    data = b""
    for number, name in enumerate(_CPIO_NAMES, start=1):
        content = contents.get(name, b"")
        mode = 0o100600 if content else 0o040700 if name == "virtnode" else 0
        fields = (number if mode else 0, mode, 0, 0, 1, epoch if mode else 0, len(content), 0, 0, 0, 0)
        header = "070701" + "".join(f"{field & 0xFFFFFFFF:08X}" for field in (*fields, len(name) + 1, 0))
        data += _padded(header.encode() + name.encode() + b"\0", 4) + _padded(content, 4)
    return _padded(data, 512)


def _padded(data: bytes, step: int) -> bytes:
    return data + bytes(-len(data) % step)
