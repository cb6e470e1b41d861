"""The firmware a virtual machine starts with, found by the descriptions that distributions ship for QEMU."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from nodelib.errors import Code, VirtnodeError


class Firmware(StrEnum):
    """What starts the boot loader."""

    BIOS = "bios"
    UEFI = "uefi"
    SECURE_BOOT = "secure-boot"


@dataclass(frozen=True)
class FirmwareFiles:
    """UEFI as two flash images: its code, and the variables that one machine may write."""

    code: Path
    variables: Path
    format: str


DIRECTORIES = (Path("etc/qemu/firmware"), Path("usr/share/qemu/firmware"))
"""Where descriptions are, the administrator's first: https://www.qemu.org/docs/master/interop/firmware.html"""

UNWANTED = {"amd-sev-snp", "intel-tdx"}
"""Features of firmware that only confidential guests can start."""


def find_firmware(kind: Firmware, *, root: Path = Path("/")) -> FirmwareFiles:
    """Find UEFI for x86-64 with flash images; for Secure Boot, one with Microsoft's keys enrolled.

    Raises VirtnodeError (unavailable) when the host has none.
    """
    for description in _load_descriptions(root):
        files = _flash_files(description, root)
        if files and _serves(description, kind):
            return files
    raise VirtnodeError(
        Code.UNAVAILABLE,
        f"no {kind.value} firmware for QEMU is installed",
        "install the package ovmf (Debian) or edk2-ovmf (Fedora)",
    )


def prepare_firmware(kind: Firmware, folder: Path, *, root: Path = Path("/")) -> FirmwareFiles | None:
    """Give a machine its firmware, with variables of its own copied to `folder`; None for BIOS."""
    if kind is Firmware.BIOS:
        return None
    found = find_firmware(kind, root=root)
    own = folder / f"variables.{found.format}"
    shutil.copyfile(found.variables, own)
    return FirmwareFiles(code=found.code, variables=own, format=found.format)


def _load_descriptions(root: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the descriptions by name, their order of preference; the administrator's hide the others."""
    files = {file.name: file for folder in reversed(DIRECTORIES) for file in (root / folder).glob("*.json")}
    for name in sorted(files):
        text = files[name].read_text()
        if text.strip():  # an empty file hides the description of the same name
            yield json.loads(text)


def _flash_files(description: Mapping[str, Any], root: Path) -> FirmwareFiles | None:
    mapping = description["mapping"]
    if mapping["device"] != "flash" or mapping.get("mode", "split") != "split":
        return None
    code, variables = mapping["executable"], mapping["nvram-template"]
    return FirmwareFiles(
        code=root / code["filename"].lstrip("/"),
        variables=root / variables["filename"].lstrip("/"),
        format=code["format"],
    )


def _serves(description: Mapping[str, Any], kind: Firmware) -> bool:
    features = set(description["features"])
    boards = [
        board
        for target in description["targets"]
        if target["architecture"] == "x86_64"
        for board in target["machines"]
    ]
    if "uefi" not in description["interface-types"] or not any(
        board.startswith("pc-q35") for board in boards
    ):
        return False
    if kind is Firmware.SECURE_BOOT:
        return {"secure-boot", "enrolled-keys", "requires-smm"} <= features
    return not features & (UNWANTED | {"secure-boot", "enrolled-keys", "requires-smm"})
