"""FAT32 as we write it, read by other people's tools, and FAT as they write it, read by us."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.install.fat import FatWriter, plan_geometry, used_bytes
from nodeagent.install.fat_reader import FatReader
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from nodelib.slots import MEBIBYTE

FILES = {
    "EFI/BOOT/BOOTX64.EFI": b"x" * 5000,
    "a/vmlinuz": os.urandom(3 * MEBIBYTE + 1),
    "grub/grubenv": b"#" * 1024,
    "empty": b"",
    **{f"many/file{number:02}": bytes([number]) for number in range(40)},
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[int]:
    """Open a file in place of a disk."""
    descriptor = os.open(tmp_path / "disk", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def write(disk: int, mebibytes: int) -> None:
    """Write the files to a file system at the second MiB."""
    os.truncate(disk, (mebibytes + 1) * MEBIBYTE)
    writer = FatWriter(disk, MEBIBYTE, mebibytes * MEBIBYTE, label="VIRTNODE-SP", serial=0xCAFE0001)
    writer.write(FILES, lambda count: None)
    writer.finish()


@pytest.mark.parametrize("mebibytes", [64, 127, 128, 200, 256, 512, 1024])
def test_others_read_what_we_write(disk: int, tmp_path: Path, mebibytes: int) -> None:
    """At every size fsck finds nothing, and mtools the files."""
    write(disk, mebibytes)
    image = tmp_path / "fat"
    run(["dd", f"if={tmp_path / 'disk'}", f"of={image}", "bs=1M", "skip=1", "conv=sparse", "status=none"])
    run(["fsck.vfat", "-n", image])
    listed = run(["mdir", "-/", "-b", "-i", image]).stdout.split()
    assert {f"::/{name}" for name in FILES} <= set(listed)
    copy = tmp_path / "vmlinuz"
    run(["mcopy", "-n", "-i", image, "::a/vmlinuz", copy])
    assert copy.read_bytes() == FILES["a/vmlinuz"]
    found = run(["blkid", "-p", image]).stdout
    assert ' LABEL="VIRTNODE-SP"' in found
    assert "CAFE-0001" in found


def test_we_read_what_we_write(disk: int) -> None:
    """Names in letters of either size, files of any length, and folders of several clusters."""
    write(disk, 64)
    reader = FatReader(disk, MEBIBYTE)
    assert [reader.read_file(name.lower()) for name in FILES] == list(FILES.values())
    assert len(reader.names("many")) == 40
    assert reader.names("nothing") == ()
    with pytest.raises(VirtnodeError) as caught:
        reader.read_file("a/nothing")
    assert caught.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(("kibibytes", "width"), [(1440, 12), (32 * 1024, 16), (600 * 1024, 32)])
def test_we_read_what_others_write(tmp_path: Path, kibibytes: int, width: int) -> None:
    """FAT of every width, with long names in between."""
    image, source = tmp_path / "fat", tmp_path / "source"
    source.write_bytes(os.urandom(70_000))
    run(["mkfs.vfat", "-F", str(width), "-C", image, str(kibibytes)])
    run(["mmd", "-i", image, "::EFI", "::EFI/BOOT"])
    run(["mcopy", "-i", image, source, "::EFI/BOOT/a rather long name.txt"])
    run(["mcopy", "-i", image, source, "::EFI/BOOT/grubx64.efi"])
    with image.open("rb") as file:
        assert FatReader(file.fileno(), 0).read_file("EFI/BOOT/GRUBX64.EFI") == source.read_bytes()


def test_it_is_no_file_system_until_it_is_finished(disk: int) -> None:
    """Nor is an older one that is written over."""
    write(disk, 64)
    writer = FatWriter(disk, MEBIBYTE, 64 * MEBIBYTE, label="X", serial=1)
    writer.write({"file": b"1"}, lambda count: None)
    with pytest.raises(VirtnodeError, match="no FAT"):
        FatReader(disk, MEBIBYTE)
    writer.finish()
    assert FatReader(disk, MEBIBYTE).read_file("file") == b"1"


def test_what_does_not_fit_is_refused(disk: int) -> None:
    """A size that FAT32 does not have, and files that are larger than the file system."""
    with pytest.raises(VirtnodeError, match="too few"):
        plan_geometry(20 * MEBIBYTE)
    os.truncate(disk, 80 * MEBIBYTE)
    writer = FatWriter(disk, 0, 64 * MEBIBYTE, label="X", serial=1)
    with pytest.raises(VirtnodeError, match="too small"):
        writer.write({"large": bytes(65 * MEBIBYTE)}, lambda count: None)
    assert used_bytes(FILES, 64 * MEBIBYTE) >= sum(map(len, FILES.values()))


def test_a_chain_in_circles_ends(disk: int) -> None:
    """A broken file system is an error, not an endless loop."""
    write(disk, 64)
    reader = FatReader(disk, MEBIBYTE)
    kernel = reader.find("a/vmlinuz")
    assert kernel is not None
    os.pwrite(disk, kernel.cluster.to_bytes(4, "little"), MEBIBYTE + 32 * 512 + kernel.cluster * 4)
    with pytest.raises(VirtnodeError, match="circles"):
        reader.read_file("a/vmlinuz")
