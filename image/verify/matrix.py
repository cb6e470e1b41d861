"""Which media are verified, and how each is booted: the matrix as data."""

from dataclasses import dataclass

from image.firmware import Firmware
from image.medium import Kind


@dataclass(frozen=True)
class Case:
    """One row: a medium in a machine; memory in MiB."""

    name: str
    artefact: Kind
    firmware: Firmware = Firmware.BIOS
    usb: bool = False
    cpus: int = 1
    """Emulated processors that rewrite code for one another may lose the machine: one row has two."""
    memory: int = 2048
    guest: bool = False
    """Whether the node runs a KVM guest as well."""
    attempts: int = 3
    """How often it may be tried when the machine is lost, for the emulator's sake; a bad verdict is final."""


CASES = (
    Case("iso-cd-bios", Kind.ISO, cpus=2),
    Case("iso-cd-uefi", Kind.ISO, Firmware.UEFI),
    Case("iso-cd-secureboot", Kind.ISO, Firmware.SECURE_BOOT),
    Case("iso-usb-bios", Kind.ISO, usb=True),
    Case("iso-usb-uefi", Kind.ISO, Firmware.UEFI, usb=True),
    Case("pxe-bios", Kind.PXE),
    Case("pxe-uefi", Kind.PXE, Firmware.UEFI),
    Case("disk-bios", Kind.DISK),
    Case("disk-uefi", Kind.DISK, Firmware.UEFI),
    Case("pxe-1gib", Kind.PXE, memory=1024),
    # One nested guest in ten takes its emulated node along; with one processor hardly any does.
    Case("guest", Kind.ISO, guest=True),
)

CASE_NAMES = tuple(case.name for case in CASES)
