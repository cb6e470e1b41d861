"""The machine, its firmware, and the system that runs on it."""

from dataclasses import dataclass
from pathlib import Path

from nodeagent.facts.sources import names_in, read_number, read_text
from nodelib.facts import Firmware, Hardware

DMI = "sys/class/dmi/id"
EFI = "sys/firmware/efi"
SECURE_BOOT = "efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
PLACEHOLDERS = {
    "",
    "0",
    "0123456789",
    "123456789",
    "default string",
    "n/a",
    "none",
    "not applicable",
    "not available",
    "not specified",
    "o.e.m.",
    "system manufacturer",
    "system product name",
    "system serial number",
    "to be filled by o.e.m.",
    "unknown",
}
"""What makers write who forgot to; thousands of machines share it, so it names none."""
NO_UUIDS = {"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"}
PLACEHOLDER_UUID = "03000200-0400-0500-0006-000700080009"


@dataclass(frozen=True)
class System:
    """What runs on the machine."""

    hostname: str
    product: str
    build_id: str
    kernel: str
    boot_id: str
    booted_at: float


def collect_hardware(root: Path) -> Hardware:
    """Read what the firmware's tables call the machine."""
    uuid = read_text(root / DMI / "product_uuid").lower()
    return Hardware(
        manufacturer=_named(root / DMI / "sys_vendor"),
        product=_named(root / DMI / "product_name"),
        serial=_named(root / DMI / "product_serial"),
        uuid="" if uuid in NO_UUIDS or uuid == PLACEHOLDER_UUID else uuid,
    )


def collect_firmware(root: Path) -> Firmware:
    """Read what starts the machine, and whether it checks signatures."""
    uefi = (root / EFI).is_dir()
    return Firmware(
        kind="uefi" if uefi else "bios",
        vendor=_named(root / DMI / "bios_vendor"),
        version=_named(root / DMI / "bios_version"),
        secure_boot=_read_secure_boot(root / EFI / SECURE_BOOT) if uefi else None,
        tpm=_read_tpm(root),
    )


def collect_system(root: Path) -> System:
    """Read the names and versions of the running system."""
    release = read_os_release(root)
    stat = read_text(root / "proc/stat").splitlines()
    booted = next((line.split()[1] for line in stat if line.startswith("btime ")), "0")
    return System(
        hostname=read_text(root / "proc/sys/kernel/hostname"),
        product=release.get("PRETTY_NAME", ""),
        build_id=release.get("BUILD_ID", ""),
        kernel=read_text(root / "proc/sys/kernel/osrelease"),
        boot_id=read_text(root / "proc/sys/kernel/random/boot_id"),
        booted_at=float(booted),
    )


def read_os_release(root: Path) -> dict[str, str]:
    """Read the fields of os-release."""
    lines = read_text(root / "usr/lib/os-release").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name: value.strip("\"'") for name, value in pairs}


def _named(path: Path) -> str:
    text = read_text(path)
    return "" if text.lower() in PLACEHOLDERS else text


def _read_secure_boot(path: Path) -> bool | None:
    try:
        # Four bytes of attributes, then the value.
        return path.read_bytes()[4:] == b"\x01"
    except OSError:
        return None


def _read_tpm(root: Path) -> str:
    for name in names_in(root / "sys/class/tpm"):
        major = read_number(root / "sys/class/tpm" / name / "tpm_version_major")
        if major is not None:
            return "1.2" if major == 1 else f"{major}.0"
    return ""
