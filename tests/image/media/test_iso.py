"""The ISO: xorriso's command line, and what xorriso and mtools read back."""

import os
import re
from pathlib import Path

import pytest

from image.media.iso import make_efi_image, make_iso, xorriso_argv
from nodelib.run import run
from tests.image.payloads import LABEL, make_payload, need_grub


def test_the_command_line_makes_a_hybrid(tmp_path: Path) -> None:
    """BIOS by El Torito and boot sector, UEFI by El Torito and an appended partition."""
    payload = make_payload(tmp_path)
    argv = [str(word) for word in xorriso_argv(payload, Path("/tree"), Path("/efi"), Path("/out.iso"))]
    assert argv[:3] == ["xorriso", "-as", "mkisofs"]
    assert argv[argv.index("-volid") + 1] == LABEL
    assert argv[argv.index("-append_partition") + 3] == "/efi"
    assert argv[-3:] == ["-output", "/out.iso", "/tree"]
    for option in ("--grub2-mbr", "--grub2-boot-info", "-appended_part_as_gpt", "-eltorito-alt-boot"):
        assert option in argv


@pytest.fixture
def iso(tmp_path: Path) -> Path:
    """Make an ISO of a tiny payload."""
    need_grub()
    (tmp_path / "out").mkdir()
    (tmp_path / "work").mkdir()
    made = make_iso(make_payload(tmp_path / "payload"), tmp_path / "work", tmp_path / "out")
    assert made == [tmp_path / "out/virtnode-0.1.0-x86_64.iso"]
    return made[0]


def test_it_boots_every_way(iso: Path) -> None:
    """Xorriso finds the boot images, the boot sector and both partition tables."""
    report = run(
        ["xorriso", "-indev", iso, "-report_el_torito", "plain", "-report_system_area", "plain"]
    ).stdout
    volume = run(["xorriso", "-indev", iso, "-pvd_info"])
    assert LABEL in volume.stdout + volume.stderr
    assert re.search(r"El Torito boot img :\s+1\s+BIOS\s+y", report)
    assert re.search(r"El Torito boot img :\s+2\s+UEFI\s+y", report)
    assert "grub2-mbr" in report
    assert re.search(r"GPT type GUID +: +2 +28732ac11ff8d211ba4b00a0c93ec93b", report)


def test_it_holds_the_payload(iso: Path, tmp_path: Path) -> None:
    """Kernel, initramfs, root and menu lie where the menu and dracut look for them."""
    out = tmp_path / "extracted"
    run(["xorriso", "-osirrox", "on", "-indev", iso, "-extract", "/", out])
    payload = tmp_path / "payload"
    assert (out / "boot/vmlinuz").read_bytes() == (payload / "kernel").read_bytes()
    assert (out / "boot/initrd.img").read_bytes() == (payload / "initramfs").read_bytes()
    assert (out / "LiveOS/squashfs.img").read_bytes() == (payload / "rootfs").read_bytes()
    assert f"root=live:CDLABEL={LABEL}" in (out / "boot/grub/grub.cfg").read_text()
    assert (out / ".disk/info").read_text() == "virtnode 0.1.0\n"


def test_the_efi_partition_has_the_signed_chain(tmp_path: Path) -> None:
    """Shim, GRUB and a stub that leads to the ISO's menu."""
    efi = tmp_path / "efi.img"
    payload = make_payload(tmp_path / "payload")
    make_efi_image(payload, tmp_path, efi)
    for name, source in (("BOOTX64.EFI", payload.boot.shim), ("grubx64.efi", payload.boot.grub_removable)):
        run(["mcopy", "-n", "-o", "-i", efi, f"::EFI/BOOT/{name}", tmp_path / "out"])
        assert (tmp_path / "out").read_bytes() == source.read_bytes()
    stub = run(["mtype", "-i", efi, "::EFI/BOOT/grub.cfg"]).stdout
    assert f"--label {LABEL}" in stub
    assert "configfile" in stub


def test_the_same_payload_gives_the_same_bytes(iso: Path, tmp_path: Path) -> None:
    """Neither the folder, nor the order of files, nor the time of building shows."""
    again = tmp_path / "elsewhere"
    (again / "work").mkdir(parents=True)
    (again / "out").mkdir()
    payload = make_payload(again / "payload")
    for path in (payload.kernel, payload.rootfs, payload.boot.shim):
        os.utime(path, (1, 1))
    other = make_iso(payload, again / "work", again / "out")[0]
    assert other.read_bytes() == iso.read_bytes()
