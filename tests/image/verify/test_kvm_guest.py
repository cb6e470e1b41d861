"""The guest that proves KVM is made from the node's kernel and a busybox."""

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from image.verify.kvm_guest import DOMAIN, CpioEntry, find_busybox, make_cpio, make_guest_disk
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run


def test_cpio_archive_byte_for_byte() -> None:
    """A directory, a file with padding, and the trailer."""
    archive = make_cpio((CpioEntry("d"), CpioEntry("f", b"hello")))
    zero, one = b"00000000", b"00000001"
    rest = zero * 4
    expected = [
        b"070701" + one + b"000041ED" + zero * 2 + one + zero * 2 + rest + b"00000002" + zero + b"d\0",
        b"070701"
        + b"00000002"
        + b"000081ED"
        + zero * 2
        + one
        + zero
        + b"00000005"
        + rest
        + b"00000002"
        + zero,
        b"f\0" + b"hello" + b"\0" * 3,
        b"070701" + zero * 4 + one + zero * 2 + rest + b"0000000B" + zero + b"TRAILER!!!\0" + b"\0" * 3,
    ]
    assert archive == b"".join(expected)
    assert len(archive) % 4 == 0


def test_domain_runs_by_kvm_and_ends_with_its_guest() -> None:
    """A guest that is emulated would prove nothing; one that restarts would never end."""
    domain = ElementTree.fromstring(DOMAIN)
    assert domain.get("type") == "kvm"
    endings = ("on_poweroff", "on_reboot", "on_crash")
    assert [domain.findtext(ending) for ending in endings] == ["destroy"] * 3


def test_missing_busybox_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear error, with the packages' names."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(VirtnodeError, match="busybox is not installed") as caught:
        find_busybox()
    assert caught.value.code is Code.UNAVAILABLE
    assert "busybox-static" in caught.value.hint


@pytest.mark.integration
def test_guest_disk_holds_all_a_guest_needs(tmp_path: Path) -> None:
    """The kernel comes from the ISO; the init is a program that busybox can read."""
    tree = tmp_path / "tree/boot"
    tree.mkdir(parents=True)
    (tree / "vmlinuz").write_text("the node's kernel")
    iso = tmp_path / "node.iso"
    run(["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", iso, tmp_path / "tree"])
    disk = make_guest_disk(iso, tmp_path, word="virtnode-guest-1")
    run(["xorriso", "-osirrox", "on", "-indev", disk, "-extract", "/", tmp_path / "content"])
    assert (tmp_path / "content/kernel").read_text() == "the node's kernel"
    assert (tmp_path / "content/domain.xml").read_text() == DOMAIN
    archive = (tmp_path / "content/initramfs").read_bytes()
    start = archive.index(b"#!/bin/busybox sh\n")
    init = archive[start : archive.index(b"\0", start)]
    assert b'"virtnode-guest-1"' in init
    subprocess.run(["busybox", "sh", "-n"], input=init, check=True)
