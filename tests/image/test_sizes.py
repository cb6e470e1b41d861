"""why-size: the tables add up, with and without a list of owners."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from image.file_owners import Ownership, write_ownership
from image.sizes import UNLISTED, measure_sizes, print_sizes
from tests.image.small_media import KERNEL_VERSION, make_cpio, make_disk, make_iso, make_pxe

NIC = f"/usr/lib/modules/{KERNEL_VERSION}/kernel/drivers/net/ethernet/nic.ko.xz"
DISK = f"/usr/lib/modules/{KERNEL_VERSION}/kernel/drivers/scsi/disk.ko"
OWNERSHIP = Ownership(
    {
        "/usr/bin/tool": "tool",
        "/usr/lib/os-release": "generated",
        NIC: "linux",
        DISK: "linux",
        "/usr/lib/virtnode/agent.py": "virtnode",
    },
    {NIC: "net", DISK: "storage"},
)


@pytest.fixture(scope="module")
def iso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one ISO for the whole module."""
    return make_iso(tmp_path_factory.mktemp("iso"))


@pytest.fixture
def out(tmp_path: Path, iso: Path) -> Path:
    """Make an output folder with the ISO and its list of owners."""
    shutil.copy(iso, tmp_path)
    write_ownership(OWNERSHIP, tmp_path / "ownership.json.xz")
    return tmp_path


def test_tables_add_up_to_the_whole(out: Path) -> None:
    """Packages and tables make up the squashfs, and the parts of the medium make up the medium."""
    report = measure_sizes(out)
    padding = (
        next(row.compressed for row in report.medium if row.name.startswith("root")) - report.squashfs_bytes
    )
    assert sum(row.compressed for row in report.packages) == report.squashfs_bytes
    assert 0 <= padding < 4096
    assert sum(row.compressed for row in report.medium) == report.bytes == (out / "node.iso").stat().st_size
    assert all(row.compressed >= 0 for row in report.medium)


def test_owners_and_driver_groups_are_named(out: Path) -> None:
    """With the list beside the ISO, bytes go to packages and to the build's driver groups."""
    report = measure_sizes(out / "node.iso")
    assert report.has_owners
    assert {row.name: row.files for row in report.packages} == {
        "linux": 2,
        "tool": 1,
        "virtnode": 1,
        "generated": 1,
        "(names and indexes)": 0,
    }
    assert {row.name: row.size for row in report.drivers} == {"net": 12_000, "storage": 10_000}


def test_iso_alone_is_grouped_by_directory(iso: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the list, directories and the kernel's own folders are shown, and how to get packages."""
    report = measure_sizes(iso)
    assert "/usr/bin" in {row.name for row in report.packages}
    assert {row.name for row in report.drivers} == {"drivers/net/ethernet", "drivers/scsi"}
    print_sizes(iso, limit=2, as_json=False)
    text = capsys.readouterr().out
    assert "put the build's ownership.json.xz beside the artefact" in text
    assert "and 3 more" in text


def test_list_of_another_image_is_noticed(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When the list does not know much of the root, the report says so."""
    write_ownership(Ownership({"/usr/bin/else": "else"}), out / "ownership.json.xz")
    print_sizes(out, limit=5, as_json=False)
    text = capsys.readouterr().out
    assert UNLISTED in text
    assert "may be of another image" in text


def test_json_has_every_row(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The limit is for people; JSON has all."""
    print_sizes(out, limit=1, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert len(report["files"]) == 5
    assert report["squashfs_bytes"] == measure_sizes(out).squashfs_bytes


def test_disk_and_network_files_are_measured_too(tmp_path: Path) -> None:
    """A disk image is measured unpacked, a network boot folder by its files."""
    disk = measure_sizes(make_disk(tmp_path))
    assert disk.bytes == 8 * 2**20 == sum(row.compressed for row in disk.medium)
    write_ownership(OWNERSHIP, tmp_path / "ownership.json.xz")
    pxe = measure_sizes(make_pxe(tmp_path))
    assert pxe.has_owners
    assert measure_sizes(tmp_path / "pxe/rootfs.squashfs").packages == pxe.packages
    assert {row.name for row in pxe.medium} == {"root (squashfs)", "kernel", "initramfs", "boot loaders"}
    assert pxe.files == disk.files


def test_initramfs_is_divided_by_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An estimate for each folder adds up to the initramfs, modules by the kernel's folders, and says so."""
    pxe = make_pxe(tmp_path)
    module = "usr/lib/modules/6/kernel/drivers/net/nic.ko"
    archive = make_cpio(tmp_path / "cpio", {"usr/bin/init": b"init" * 900, module: bytes(range(256)) * 9})
    (pxe / "initrd.img").write_bytes(gzip.compress(archive))
    rows = measure_sizes(pxe).initramfs
    assert {row.name for row in rows} == {"/usr/bin", "drivers/net"}
    assert sum(row.compressed for row in rows) == (pxe / "initrd.img").stat().st_size
    print_sizes(pxe, limit=3, as_json=False)
    assert "initramfs (estimated)" in capsys.readouterr().out
