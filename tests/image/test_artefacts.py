"""inspect: every kind of artefact is recognised and read from its own content."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from image.artefacts import describe_artefact, print_artefact
from image.boot_methods import BootMethods
from image.medium import Kind
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from tests.image.small_media import (
    KERNEL_VERSION,
    make_disk,
    make_iso,
    make_pxe,
    make_root,
    write_small_manifest,
)


def make_zst(folder: Path) -> Path:
    """Compress a disk image with zstd."""
    run(["zstd", "-q", "--rm", make_disk(folder)])
    return folder / "node.raw.zst"


def make_qcow2(folder: Path) -> Path:
    """Convert a disk image to qcow2."""
    run(["qemu-img", "convert", "-c", "-O", "qcow2", make_disk(folder), folder / "node.qcow2"])
    return folder / "node.qcow2"


DISK_BOOT = BootMethods(bios_disk=True, uefi_disk=True, shim=True)
ISO_BOOT = BootMethods(bios_cd=True, uefi_cd=True, bios_disk=True, uefi_disk=True, shim=True)


@pytest.mark.parametrize(
    ("make", "kind", "boot"),
    [
        (make_iso, Kind.ISO, ISO_BOOT),
        (make_disk, Kind.DISK, DISK_BOOT),
        (make_zst, Kind.DISK, DISK_BOOT),
        (make_qcow2, Kind.DISK, DISK_BOOT),
        (make_pxe, Kind.PXE, BootMethods(network=True, shim=True)),
    ],
)
def test_medium_describes_itself(
    tmp_path: Path, make: Callable[[Path], Path], kind: Kind, boot: BootMethods
) -> None:
    """Each kind of medium yields the same product, kernel and menu, and its own ways to boot."""
    description = describe_artefact(make(tmp_path))
    assert description.kind is kind
    assert description.boot == boot
    assert (description.product, description.version) == ("virtnode", "0.1.0")
    assert (description.base, description.plan) == ("debian trixie", "ab12")
    assert description.kernel == KERNEL_VERSION
    assert (description.kernel_bytes, description.initramfs_bytes) == (64 * 1024, 5000)
    assert description.compressor == "xz"
    assert description.packages is None
    assert [(entry.title, entry.arguments) for entry in description.menu] == [
        ("virtnode", "root=live:LABEL=X rd.live.image quiet"),
        ("virtnode on ${port}", "root=live:LABEL=X rd.live.image console=ttyS0"),
    ]


def test_bare_squashfs_is_enough(tmp_path: Path) -> None:
    """A squashfs alone tells its product, and that it boots nothing."""
    description = describe_artefact(make_root(tmp_path))
    assert description.kind is Kind.SQUASHFS
    assert description.plan == "ab12"
    assert description.kernel == ""
    assert description.boot == BootMethods()


def test_output_folder_means_its_medium(tmp_path: Path) -> None:
    """A build's folder stands for its network boot files, or, once it has one, for its ISO."""
    make_pxe(tmp_path)
    write_small_manifest(tmp_path / "manifest.json", packages=3)
    description = describe_artefact(tmp_path)
    assert (description.kind, description.packages) == (Kind.PXE, 3)
    make_iso(tmp_path)
    assert describe_artefact(tmp_path).kind is Kind.ISO


def test_description_prints_plain_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Away from a terminal no line is folded or coloured; JSON has every field."""
    disk = make_disk(tmp_path)
    print_artefact(describe_artefact(disk), as_json=False)
    text = capsys.readouterr().out
    assert "BIOS from disk or USB, UEFI from disk or USB, Secure Boot's shim" in text
    assert "virtnode-a" in text
    assert "\x1b" not in text
    print_artefact(describe_artefact(disk), as_json=True)
    described = json.loads(capsys.readouterr().out)
    fields = {field.name for field in dataclasses.fields(describe_artefact(disk))}
    assert set(described) == fields


def truncate(path: Path, size: int) -> Path:
    """Cut a file off."""
    with path.open("r+b") as file:
        file.truncate(size)
    return path


def make_foreign_disk(folder: Path) -> Path:
    """Make a disk that has partitions, and none of ours."""
    disk = make_disk(folder)
    run(["sfdisk", "--quiet", "--part-label", disk, "3", "other"])
    return disk


BAD: dict[str, tuple[Callable[[Path], Path], Code]] = {
    "missing": (lambda folder: folder / "none.iso", Code.NOT_FOUND),
    "empty folder": (lambda folder: folder, Code.NOT_FOUND),
    "empty file": (lambda folder: truncate(make_root(folder), 0), Code.INVALID),
    "text": (lambda folder: Path(__file__), Code.INVALID),
    "short squashfs": (lambda folder: truncate(make_root(folder), 600), Code.INVALID),
    "short ISO": (lambda folder: truncate(make_iso(folder), 100_000), Code.INVALID),
    "short disk": (lambda folder: truncate(make_disk(folder), 4 * 2**20 + 100), Code.INVALID),
    "short zst": (lambda folder: truncate(make_zst(folder), 2000), Code.INVALID),
    "short qcow2": (lambda folder: truncate(make_qcow2(folder), 600), Code.INVALID),
    "foreign disk": (make_foreign_disk, Code.INVALID),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_a_hint(tmp_path: Path, name: str) -> None:
    """What is no artefact, or half of one, is named in one line, with what to do."""
    make, code = BAD[name]
    with pytest.raises(VirtnodeError) as caught:
        describe_artefact(make(tmp_path))
    assert caught.value.code is code
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_several_artefacts_are_not_guessed_at(tmp_path: Path) -> None:
    """A folder with two ISOs is refused with both names."""
    for name in ("a.iso", "b.iso"):
        (tmp_path / name).touch()
    with pytest.raises(VirtnodeError, match=r"a\.iso, b\.iso") as caught:
        describe_artefact(tmp_path)
    assert caught.value.code is Code.CONFLICT
