"""Compressing images that are mostly holes."""

import shutil
from pathlib import Path

import pytest

from image.media.sparse import BLOCK, compress_sparse, read_sparse, zstd_argv
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from tests.image.trees import make_tree


def write_image(path: Path, size: int, *data: int) -> Path:
    """Make a file of holes with a few bytes at these places."""
    with path.open("wb") as file:
        file.truncate(size)
        for place in data:
            file.seek(place)
            file.write(b"data")
    return path


LAYOUTS = {
    "empty": (0, ()),
    "only a hole": (3 * BLOCK + 5, ()),
    "data at both ends": (5 * BLOCK + 4, (0, 5 * BLOCK)),
    "data in the middle": (9 * BLOCK, (4 * BLOCK + 17,)),
    "a hole of odd length at the end": (2 * BLOCK + 77, (0,)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_holes_come_as_zeros(tmp_path: Path, layout: str) -> None:
    """What is read is the file's content, whether the file system knows of holes or not."""
    size, data = LAYOUTS[layout]
    image = write_image(tmp_path / "image", size, *data)
    assert b"".join(read_sparse(image)) == image.read_bytes()


def test_the_command_line_says_the_size() -> None:
    """Else the compressed file would not tell how much it unpacks to."""
    assert zstd_argv(123, Path("/o/x.zst"))[-3:] == ["--stream-size=123", "-o", "/o/x.zst"]


def test_what_was_compressed_is_the_same_again(tmp_path: Path) -> None:
    """It unpacks to the same content, says its size, and twice gives the same bytes."""
    if not shutil.which("zstd"):
        pytest.skip("zstd is not installed")
    image = write_image(tmp_path / "image", 9 * BLOCK + 3, 4 * BLOCK + 17)
    for name in ("one", "two"):
        compress_sparse(image, tmp_path / f"{name}.zst")
    assert (tmp_path / "one.zst").read_bytes() == (tmp_path / "two.zst").read_bytes()
    assert str(image.stat().st_size) in run(["zstd", "-lv", tmp_path / "one.zst"]).stdout
    run(["zstd", "-q", "-d", tmp_path / "one.zst", "-o", tmp_path / "again"])
    assert (tmp_path / "again").read_bytes() == image.read_bytes()


def test_what_zstd_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ends before it has read everything is an error with its words."""
    make_tree(tmp_path / "bin", {"zstd": "#!/bin/sh\necho the folder is gone >&2\nexit 1\n"})
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    image = write_image(tmp_path / "image", 3 * BLOCK, 0)
    with pytest.raises(VirtnodeError, match="the folder is gone") as caught:
        compress_sparse(image, tmp_path / "x.zst")
    assert caught.value.code is Code.FAILED
