"""Our squashfs reader against images that mksquashfs made: every byte is accounted for."""

from pathlib import Path

import pytest

from image.squashfs_reader import read_squashfs
from image.squashfs_tables import decompress_lz4
from image.squashfs_usage import SquashfsUsage, measure_squashfs
from nodelib.errors import Code, VirtnodeError
from tests.image.squashfs_images import make_squashfs, make_tree

SUPERBLOCK_SIZE = 96


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one tree for the whole module."""
    return make_tree(tmp_path_factory.mktemp("tree"))


def measure(image: Path, offset: int = 0) -> SquashfsUsage:
    """Read and measure an image."""
    return measure_squashfs(read_squashfs(image, offset))


@pytest.mark.parametrize(
    "options",
    [
        "-comp gzip",
        "-comp xz -b 1M -Xbcj x86",
        "-comp xz -b 4K",
        "-comp lz4",
        "-comp lz4 -Xhc",
        "-comp zstd",
        "-comp lzma",
        "-comp zstd -noI -noId",
        "-comp xz -noI -noD -noF",
        "-comp gzip -no-fragments",
        "-comp gzip -always-use-fragments -no-exports",
        "-comp gzip -no-duplicates",
    ],
)
def test_every_data_byte_is_some_files(tree: Path, tmp_path: Path, options: str) -> None:
    """The parts of all files add up to exactly what lies between the superblock and the tables."""
    image = make_squashfs(tree, tmp_path / "image", *options.split())
    superblock = read_squashfs(image).superblock
    usage = measure(image)
    data = superblock.inode_table - SUPERBLOCK_SIZE
    compressor_options = data - sum(file.compressed for file in usage.files)
    assert compressor_options in {0, 6, 10}, "mksquashfs stores at most a few bytes of options"
    assert sum(file.compressed for file in usage.files) + usage.tables == superblock.bytes_used
    assert 0 <= image.stat().st_size - superblock.bytes_used < 4096


def test_listing_is_that_of_the_tree(tree: Path, tmp_path: Path) -> None:
    """Paths and sizes are those of the files that were packed, also when the image lies inside a file."""
    image = make_squashfs(tree, tmp_path / "image")
    within = tmp_path / "within"
    within.write_bytes(b"-" * 5000 + image.read_bytes())
    expected = {
        f"/{path.relative_to(tree)}": 0 if path.is_symlink() else path.stat().st_size
        for path in tree.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    files = read_squashfs(within, 5000).files
    assert {file.path: file.size for file in files} == expected
    assert measure(within, 5000) == measure(image)


def test_twins_share_and_links_cost_nothing(tree: Path, tmp_path: Path) -> None:
    """Two equal files pay half each; a hard link and a hole pay nothing."""
    usage = {file.path: file for file in measure(make_squashfs(tree, tmp_path / "image")).files}
    assert abs(usage["/usr/lib/big"].compressed - usage["/usr/lib/twin"].compressed) <= 4
    assert 150_000 <= usage["/usr/lib/big"].compressed < 160_000
    assert usage["/usr/lib/deep/link"].compressed == 0
    assert usage["/usr/lib/hole"].compressed == 0
    assert abs(usage["/usr/lib/small"].compressed - usage["/usr/lib/small-twin"].compressed) <= 1


def test_unreadable_compressor_is_named(tree: Path, tmp_path: Path) -> None:
    """An image with a compressor that we cannot read says which, and what to use."""
    image = make_squashfs(tree, tmp_path / "image", "-comp", "lzo")
    with pytest.raises(VirtnodeError, match="lzo") as caught:
        read_squashfs(image)
    assert "xz" in caught.value.hint


@pytest.mark.parametrize("size", [0, 50, 96, 5000, 400_000])
def test_truncated_image_is_refused(tree: Path, tmp_path: Path, size: int) -> None:
    """An image cut off anywhere gives one line and a hint."""
    image = make_squashfs(tree, tmp_path / "image")
    image.write_bytes(image.read_bytes()[:size])
    with pytest.raises(VirtnodeError) as caught:
        read_squashfs(image)
    assert caught.value.code is Code.INVALID
    assert caught.value.hint


@pytest.mark.parametrize("compressor", ["gzip", "xz", "lz4", "zstd"])
def test_damaged_tables_are_refused(tree: Path, tmp_path: Path, compressor: str) -> None:
    """Tables overwritten with noise end in our own error, whatever the compressor makes of them."""
    image = make_squashfs(tree, tmp_path / "image", "-comp", compressor)
    superblock = read_squashfs(image).superblock
    for start in (superblock.inode_table, superblock.directory_table):
        damaged = bytearray(image.read_bytes())
        damaged[start + 2 : start + 40] = b"\xff" * 38
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(VirtnodeError):
            read_squashfs(tmp_path / "damaged")


def test_lz4_copies_may_overlap() -> None:
    """A copy longer than its distance repeats itself."""
    assert decompress_lz4(b"\x1fa\x01\x00\x05\x50bcdef") == b"a" * 25 + b"bcdef"
