"""Initramfs archives as the real cpio and compressors make them."""

import subprocess
from pathlib import Path

import pytest

from image.initramfs_reader import read_initramfs
from tests.image.small_media import make_cpio


@pytest.mark.parametrize(
    "packer", [["gzip"], ["xz", "--check=crc32"], ["zstd", "-q"], ["lz4", "-l", "-q"], ["cat"]]
)
def test_archives_are_read_one_after_another(tmp_path: Path, packer: list[str]) -> None:
    """The plain archive in front and the compressed one behind it are both listed."""
    early = make_cpio(tmp_path / "early", {"usr/kernel/microcode.bin": b"m" * 999})
    main = make_cpio(tmp_path / "main", {"usr/bin/init": b"i" * 5001, "usr/lib/x.ko": b"x" * 3})
    packed = subprocess.run(packer, input=main, capture_output=True, check=True).stdout
    files = read_initramfs(early + b"\0" * 512 + packed)
    assert [(file.path, file.size) for file in files] == [
        ("/usr/kernel/microcode.bin", 999),
        ("/usr/bin/init", 5001),
        ("/usr/lib/x.ko", 3),
    ]
    assert files[1].weight < 200


@pytest.mark.parametrize(
    "content", [b"", b"nothing known", b"070701" + b"0" * 50, b"\x1f\x8bbroken", b"\xfd7zXZ\0x"]
)
def test_unknown_packing_lists_nothing(content: bytes) -> None:
    """What cannot be read is an empty list, not a failure: its total is known all the same."""
    assert read_initramfs(content) == ()
