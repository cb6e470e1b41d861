"""FAT file systems, read back with mtools."""

import os
from pathlib import Path

import pytest

from image.media.fat import make_fat
from nodelib.errors import VirtnodeError
from nodelib.run import run
from tests.image.payloads import EPOCH


def make_files(folder: Path) -> dict[str, Path]:
    """Write three files for two folders."""
    folder.mkdir()
    names = {"EFI/BOOT/BOOTX64.EFI": b"shim" * 9999, "EFI/BOOT/grub.cfg": b"set x\n", "top.txt": b""}
    files = {}
    for number, (name, content) in enumerate(names.items()):
        files[name] = folder / str(number)
        files[name].write_bytes(content)
    return files


def test_files_come_back(tmp_path: Path) -> None:
    """Every file is where it was asked for, with its content, in folders made for it."""
    files = make_files(tmp_path / "files")
    image = tmp_path / "efi.img"
    make_fat(image, files, label="VIRTNODE-EF", epoch=EPOCH)
    for name, source in files.items():
        out = tmp_path / "out"
        run(["mcopy", "-n", "-o", "-i", image, f"::{name}", out])
        assert out.read_bytes() == source.read_bytes()
    assert run(["mlabel", "-s", "-i", image, "::"]).stdout.strip() == "Volume label is VIRTNODE-EF"


def test_every_time_is_the_builds(tmp_path: Path) -> None:
    """Files and folders show the epoch, in UTC."""
    image = tmp_path / "efi.img"
    make_fat(image, make_files(tmp_path / "files"), label="L", epoch=EPOCH)
    listing = run(["mdir", "-/", "-i", image, "::"]).stdout
    dated = [line for line in listing.splitlines() if "-11-14" in line or "-20" in line]
    assert len(dated) >= 7
    assert all("2023-11-14  22:13" in line for line in dated)


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    """The time of the source files and the present leave no trace."""
    images = []
    for number in (1, 2):
        files = make_files(tmp_path / f"files{number}")
        for path in files.values():
            os.utime(path, (number, number))
        images.append(tmp_path / f"{number}.img")
        make_fat(images[-1], files, label="L", epoch=EPOCH, size=4 * 2**20)
    assert images[0].read_bytes() == images[1].read_bytes()


def test_sources_stay_as_they_are(tmp_path: Path) -> None:
    """A source may lie in the cache: its time belongs to it."""
    files = make_files(tmp_path / "files")
    before = {path: path.stat().st_mtime_ns for path in files.values()}
    make_fat(tmp_path / "efi.img", files, label="L", epoch=1)
    assert {path: path.stat().st_mtime_ns for path in files.values()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"files", "efi.img"}


@pytest.mark.parametrize("epoch", [0, 315_532_800, 2**32 - 1])
def test_any_time_that_a_build_may_have_is_accepted(tmp_path: Path, epoch: int) -> None:
    """FAT begins in 1980; earlier ones are no reason to fail."""
    make_fat(tmp_path / "efi.img", make_files(tmp_path / "files"), label="L", epoch=epoch)


def test_too_small_a_size_is_an_error(tmp_path: Path) -> None:
    """A file system that cannot hold the files is refused and not cut short."""
    files = make_files(tmp_path / "files")
    with pytest.raises(VirtnodeError, match="ended with status 1"):
        make_fat(tmp_path / "efi.img", files, label="L", epoch=EPOCH, size=20 * 1024)
