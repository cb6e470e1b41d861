"""Artefacts are found and attached by what they are."""

from pathlib import Path

import pytest

from image.attachment import attach, bootable_kind, find_bootable, unpack_disk
from image.firmware import Firmware
from image.medium import Kind
from image.qemu import Bus, Drive, UserNetwork
from nodelib.errors import InvalidInput, VirtnodeError
from nodelib.run import run
from tests.image.trees import make_tree

OUT = {
    "virtnode-1-x86_64.iso": "",
    "virtnode-1-x86_64.raw.zst": "",
    "virtnode-1-x86_64.qcow2": "",
    "pxe/boot.ipxe": "#!ipxe\nset base http://${next-server}\n",
    "SHA256SUMS": "",
}


def test_build_s_folder_holds_each_kind_once(tmp_path: Path) -> None:
    """Of two disk images the one that needs no unpacking is taken."""
    out = make_tree(tmp_path, OUT)
    assert find_bootable(out) == {
        Kind.ISO: out / "virtnode-1-x86_64.iso",
        Kind.DISK: out / "virtnode-1-x86_64.qcow2",
        Kind.PXE: out / "pxe",
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("virtnode-1-x86_64.iso", Kind.ISO),
        ("virtnode-1-x86_64.raw.zst", Kind.DISK),
        ("virtnode-1-x86_64.qcow2", Kind.DISK),
        ("pxe", Kind.PXE),
        ("SHA256SUMS", None),
        ("absent.iso", None),
    ],
)
def test_kind_of_each_artefact(tmp_path: Path, name: str, kind: Kind | None) -> None:
    """Files are told by their names, a folder by its boot script."""
    assert bootable_kind(make_tree(tmp_path, OUT) / name) is kind


def test_two_isos_are_told_and_not_guessed_between(tmp_path: Path) -> None:
    """Which one is meant must be said."""
    make_tree(tmp_path, {"a.iso": "", "b.iso": ""})
    with pytest.raises(InvalidInput) as caught:
        find_bootable(tmp_path)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("name", ["absent", "notes.txt", "empty"])
def test_nothing_to_boot_is_an_error(tmp_path: Path, name: str) -> None:
    """A missing path, another kind of file and an empty folder are each told."""
    make_tree(tmp_path, {"notes.txt": "", "empty/": ""})
    with pytest.raises(VirtnodeError, match=name):
        find_bootable(tmp_path / name)


@pytest.mark.parametrize(("usb", "bus"), [(False, Bus.CDROM), (True, Bus.USB)])
def test_iso_is_a_cd_or_a_stick(tmp_path: Path, usb: bool, bus: Bus) -> None:
    """The same file is both."""
    iso = make_tree(tmp_path, OUT) / "virtnode-1-x86_64.iso"
    with attach(iso, tmp_path, firmware=Firmware.BIOS, usb=usb) as attachment:
        assert attachment.drives == (Drive(iso, bus),)


def test_disk_image_is_a_virtio_disk_of_its_format(tmp_path: Path) -> None:
    """QEMU never guesses a format."""
    disk = make_tree(tmp_path, OUT) / "virtnode-1-x86_64.qcow2"
    with attach(disk, tmp_path, firmware=Firmware.BIOS) as attachment:
        assert attachment.drives == (Drive(disk, Bus.VIRTIO, format="qcow2"),)


@pytest.mark.parametrize(
    ("firmware", "bootfile"), [(Firmware.BIOS, "boot.ipxe"), (Firmware.UEFI, "shimx64.efi")]
)
def test_pxe_folder_is_served_with_its_address_set(tmp_path: Path, firmware: Firmware, bootfile: str) -> None:
    """The machine boots a copy that loads from this host."""
    folder = make_tree(tmp_path / "out", OUT) / "pxe"
    with attach(folder, tmp_path, firmware=firmware) as attachment:
        copy = tmp_path / "pxe"
        assert attachment.network == UserNetwork(tftp=copy, bootfile=bootfile)
        assert "set base http://10.0.2.2:" in (copy / "boot.ipxe").read_text()


def test_compressed_disk_is_unpacked_beside_the_artefact_s_folder(tmp_path: Path) -> None:
    """The artefact stays as it is."""
    disk = tmp_path / "node.raw"
    disk.write_bytes(b"\0" * 4096 + b"data")
    run(["zstd", "--quiet", "--rm", disk])
    (tmp_path / "work").mkdir()
    unpacked = unpack_disk(tmp_path / "node.raw.zst", tmp_path / "work")
    assert unpacked == tmp_path / "work/node.raw"
    assert unpacked.read_bytes() == b"\0" * 4096 + b"data"
    assert (tmp_path / "node.raw.zst").exists()
