"""KVM is chosen when it proves itself, and only then."""

from pathlib import Path

import pytest

from image.accelerator import (
    PROOFS,
    choose_accelerator,
    emulator,
    find_version,
    proof_command,
    prove_kvm,
)
from image.boot_sector import EXIT_STATUS, boot_sector
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run


def fake_qemu(folder: Path, behaviour: str) -> str:
    """Write a QEMU that knows its version and, asked for more, behaves as told."""
    program = folder / "qemu-system-x86_64"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "QEMU emulator version 7.2.22 (Vendor 1:7.2)" && exit 0\n'
        f"{behaviour}\n"
    )
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("behaviour", "name"),
    [(f"exit {EXIT_STATUS}", "kvm"), ("exit 0", "tcg"), ("kill -ABRT $$", "tcg")],
    ids=["the sector ran", "QEMU ended by itself", "QEMU aborted"],
)
def test_choice_follows_the_proof(tmp_path: Path, behaviour: str, name: str) -> None:
    """Only the status that the boot sector asks for is a proof."""
    assert choose_accelerator(fake_qemu(tmp_path, behaviour), kvm=tmp_path).name == name


def test_kvm_that_loses_a_machine_now_and_then_is_not_chosen(tmp_path: Path) -> None:
    """What ran a moment ago is tried again."""
    runs = tmp_path / "runs"
    count = f'echo >>"{runs}"; [ "$(wc -l <"{runs}")" -lt {PROOFS} ] && exit {EXIT_STATUS}; exit 1'
    assert choose_accelerator(fake_qemu(tmp_path, count), kvm=tmp_path).name == "tcg"
    assert len(runs.read_text().splitlines()) == PROOFS


def test_host_without_kvm_is_not_asked_for_a_proof(tmp_path: Path) -> None:
    """Without the device there is nothing to try."""
    program = fake_qemu(tmp_path, f"touch {tmp_path}/asked")
    assert choose_accelerator(program, kvm=tmp_path / "kvm").name == "tcg"
    assert not (tmp_path / "asked").exists()


def test_hanging_kvm_is_no_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that does not get through its BIOS in time is given up."""
    monkeypatch.setattr("image.accelerator.PROOF_SECONDS", 0.2)
    assert not prove_kvm(fake_qemu(tmp_path, "exec tail -f /dev/null"))


def test_version_is_read_from_the_program(tmp_path: Path) -> None:
    """Major and minor are enough to know what is broken."""
    assert find_version(fake_qemu(tmp_path, "exit 1")) == (7, 2)


def test_missing_qemu_says_what_to_install() -> None:
    """One clear error, with the package's name."""
    with pytest.raises(VirtnodeError, match="is not installed") as caught:
        choose_accelerator("qemu-that-is-not-there")
    assert caught.value.code is Code.UNAVAILABLE
    assert "qemu-system-x86" in caught.value.hint


def test_boot_sector_is_bootable() -> None:
    """A BIOS starts a sector by its last two bytes."""
    sector = boot_sector()
    assert len(sector) == 512
    assert sector.endswith(b"\x55\xaa")


@pytest.mark.integration
def test_boot_sector_gets_through(tmp_path: Path) -> None:
    """A processor that works ends it with the status that is the proof."""
    disk = tmp_path / "sector"
    disk.write_bytes(boot_sector())
    assert run(proof_command(emulator(find_version()), disk), check=False, timeout=60).status == EXIT_STATUS
