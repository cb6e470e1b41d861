"""Firmware is found by the descriptions that Debian and Fedora ship."""

import json
from pathlib import Path

import pytest

from image.firmware import Firmware, find_firmware, prepare_firmware
from nodelib.errors import Code, VirtnodeError


def describe(root: Path, name: str, code: str, features: list[str], **mapping: object) -> None:
    """Write a description of firmware with flash images below `root`, and the images."""
    folder = root / "usr/share/qemu/firmware"
    folder.mkdir(parents=True, exist_ok=True)
    variables = code.replace("CODE", "VARS")
    image_format = Path(code).suffix.lstrip(".").replace("fd", "raw")
    for image in (code, variables):
        (root / image).parent.mkdir(parents=True, exist_ok=True)
        (root / image).write_text(image)
    description = {
        "interface-types": ["uefi"],
        "mapping": {
            "device": "flash",
            "executable": {"filename": f"/{code}", "format": image_format},
            "nvram-template": {"filename": f"/{variables}", "format": image_format},
            **mapping,
        },
        "targets": [{"architecture": "x86_64", "machines": ["pc-i440fx-*", "pc-q35-*"]}],
        "features": features,
    }
    (folder / name).write_text(json.dumps(description))


ENROLLED = ["enrolled-keys", "requires-smm", "secure-boot"]


def test_debian_s_images_are_found(tmp_path: Path) -> None:
    """Plain UEFI and Secure Boot are told apart by their features."""
    describe(tmp_path, "40-enrolled.json", "usr/share/OVMF/OVMF_CODE_4M.ms.fd", ENROLLED)
    describe(tmp_path, "50-secure.json", "usr/share/OVMF/OVMF_CODE_4M.secboot.fd", ENROLLED[1:])
    describe(tmp_path, "60-plain.json", "usr/share/OVMF/OVMF_CODE_4M.fd", ["acpi-s3"])
    assert find_firmware(Firmware.SECURE_BOOT, root=tmp_path).code.name == "OVMF_CODE_4M.ms.fd"
    assert find_firmware(Firmware.UEFI, root=tmp_path).code.name == "OVMF_CODE_4M.fd"


def test_fedora_s_images_may_be_qcow2_and_stateless(tmp_path: Path) -> None:
    """The format goes with the image, and firmware without variables is passed over."""
    describe(tmp_path, "10-stateless.json", "usr/share/edk2/ovmf/OVMF.stateless.fd", [], mode="stateless")
    describe(tmp_path, "20-memory.json", "usr/share/edk2/ovmf/OVMF.amdsev.fd", ["amd-sev"], device="memory")
    describe(tmp_path, "30-enrolled.json", "usr/share/edk2/ovmf/OVMF_CODE_4M.secboot.qcow2", ENROLLED)
    describe(tmp_path, "31-plain.json", "usr/share/edk2/ovmf/OVMF_CODE_4M.qcow2", ["amd-sev"])
    assert find_firmware(Firmware.SECURE_BOOT, root=tmp_path).format == "qcow2"
    assert find_firmware(Firmware.UEFI, root=tmp_path).code.name == "OVMF_CODE_4M.qcow2"


def test_administrator_hides_a_description_with_an_empty_file(tmp_path: Path) -> None:
    """A file of the same name in /etc comes first, even when it is empty."""
    describe(tmp_path, "10-first.json", "usr/share/OVMF/FIRST_CODE.fd", [])
    describe(tmp_path, "20-second.json", "usr/share/OVMF/SECOND_CODE.fd", [])
    hiding = tmp_path / "etc/qemu/firmware/10-first.json"
    hiding.parent.mkdir(parents=True)
    hiding.touch()
    assert find_firmware(Firmware.UEFI, root=tmp_path).code.name == "SECOND_CODE.fd"


def test_each_machine_has_variables_of_its_own(tmp_path: Path) -> None:
    """What a machine writes to its variables leaves the host's template as it was."""
    describe(tmp_path, "60-plain.json", "usr/share/OVMF/OVMF_CODE.fd", [])
    (tmp_path / "machine").mkdir()
    files = prepare_firmware(Firmware.UEFI, tmp_path / "machine", root=tmp_path)
    assert files is not None
    assert files.variables == tmp_path / "machine/variables.raw"
    assert files.variables.read_text() == "usr/share/OVMF/OVMF_VARS.fd"


def test_bios_needs_no_files(tmp_path: Path) -> None:
    """QEMU brings its own BIOS."""
    assert prepare_firmware(Firmware.BIOS, tmp_path, root=tmp_path) is None


def test_missing_firmware_says_what_to_install(tmp_path: Path) -> None:
    """One clear error, with the packages' names."""
    with pytest.raises(VirtnodeError, match="no secure-boot firmware") as caught:
        find_firmware(Firmware.SECURE_BOOT, root=tmp_path)
    assert caught.value.code is Code.UNAVAILABLE
    assert "edk2-ovmf" in caught.value.hint
