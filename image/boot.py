"""`virtnode-image boot`: try a medium in a virtual machine, on the terminal one sits at."""

import logging
import subprocess
import tempfile
from pathlib import Path

from image.accelerator import Accelerator, choose_accelerator
from image.attachment import attach, find_bootable
from image.firmware import Firmware, prepare_firmware
from image.medium import Kind
from image.qemu import Display, Machine, Terminal, qemu_command
from nodelib.errors import Code, InvalidInput, VirtnodeError

logger = logging.getLogger(__name__)


def boot_artefact(
    path: Path,
    *,
    window: bool = False,
    uefi: bool = False,
    secure_boot: bool = False,
    pxe: bool = False,
    usb: bool = False,
    memory: int = 2048,
    accelerator: Accelerator | None = None,
) -> None:
    """Boot an ISO, a disk image or a `pxe` folder in the foreground, and return when the machine ends.

    `path` may be a build's folder: its ISO is taken, or its `pxe` folder with `pxe`. `memory` is in MiB.
    The medium is never written to. Raises VirtnodeError when QEMU or the firmware is missing or QEMU fails.
    """
    medium = choose_medium(path, pxe=pxe, usb=usb)
    firmware = Firmware.SECURE_BOOT if secure_boot else Firmware.UEFI if uefi else Firmware.BIOS
    accelerator = accelerator or choose_accelerator()
    with tempfile.TemporaryDirectory(prefix="virtnode-boot-") as name:
        folder = Path(name)
        firmware_files = prepare_firmware(firmware, folder)
        with attach(medium, folder, firmware=firmware, usb=usb) as attachment:
            machine = Machine(
                firmware=firmware,
                memory=memory,
                drives=attachment.drives,
                network=attachment.network,
                serial=Terminal(),
                display=Display.GTK if window else Display.NONE,
            )
            logger.info("booting %s (%s, %s); Ctrl-A X ends the machine", medium, firmware, accelerator.name)
            status = subprocess.call(qemu_command(machine, accelerator=accelerator, firmware=firmware_files))
    if status != 0:
        raise VirtnodeError(Code.FAILED, f"QEMU ended with status {status}")


def choose_medium(path: Path, *, pxe: bool, usb: bool) -> Path:
    """Choose what to boot: the `pxe` folder if asked for, else the ISO, else the disk image.

    Raises InvalidInput when a `pxe` folder is to be a USB stick.
    """
    found = find_bootable(path)
    order = (Kind.PXE,) if pxe else (Kind.ISO, Kind.DISK, Kind.PXE)
    for kind in order:
        if kind in found:
            if usb and kind is Kind.PXE:
                raise InvalidInput([f"{found[kind]}: a pxe folder cannot be a USB stick"])
            return found[kind]
    raise VirtnodeError(Code.NOT_FOUND, f"{path} holds no pxe folder")
