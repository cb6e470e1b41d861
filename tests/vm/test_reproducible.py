"""A build repeated from nothing but the same packages gives the same bytes."""

import os
import shutil
from pathlib import Path

import pytest

from image.main import DEFAULT_CACHE, main
from image.sums import SUMS_NAME


@pytest.mark.vm
@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_a_second_build_gives_the_same_bytes(artefacts: Path, tmp_path: Path) -> None:
    """ISO, PXE set, disk images and records are equal to the bit, made with an empty cache."""
    cache = tmp_path / "cache"
    packages = Path("apt/archives")
    # The downloaded packages are what "the same packages" means; no finished stage comes along.
    kept = Path(os.environ.get("VIRTNODE_CACHE", DEFAULT_CACHE))
    shutil.copytree(kept / packages, cache / packages, copy_function=shutil.copyfile)
    assert main(["build", f"--out={tmp_path / 'out'}", f"--cache={cache}"]) == 0
    first, second = ((folder / SUMS_NAME).read_text() for folder in (artefacts, tmp_path / "out"))
    assert second.splitlines() == first.splitlines()
    shutil.rmtree(tmp_path)
