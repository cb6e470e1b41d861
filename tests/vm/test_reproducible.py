"""A build repeated from nothing but the same packages gives the same bytes."""

import json
import os
import shutil
from pathlib import Path

import pytest

from image.main import DEFAULT_CACHE, main
from image.manifest import MANIFEST_NAME
from image.sums import SUMS_NAME

MEDIA = {"iso": "*.iso", "pxe": "pxe/vmlinuz", "disk": "*.qcow2"}
"""Which file tells that a build has a medium."""


@pytest.mark.vm
@pytest.mark.alone
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("build", ["artefacts", pytest.param("released", marks=pytest.mark.thorough)])
def test_a_second_build_gives_the_same_bytes(
    build: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """ISO, PXE set, disk images and records are equal to the bit, made with an empty cache.

    The profiles differ in their compression alone, and that of a release takes minutes.
    """
    first = request.getfixturevalue(build)
    cache, second = tmp_path / "cache", tmp_path / "out"
    packages = Path("apt/archives")
    # The downloaded packages are what "the same packages" means; no finished stage comes along.
    kept = Path(os.environ.get("VIRTNODE_CACHE", DEFAULT_CACHE))
    shutil.copytree(kept / packages, cache / packages, copy_function=shutil.copyfile)
    profile = json.loads((first / MANIFEST_NAME).read_text())["identity"]["profile"]
    media = ",".join(name for name, pattern in MEDIA.items() if any(first.glob(pattern)))
    options = [f"--profile={profile}", f"--media={media}", f"--cache={cache}"]
    assert main(["build", f"--out={second}", *options]) == 0
    assert (second / SUMS_NAME).read_text().splitlines() == (first / SUMS_NAME).read_text().splitlines()
    shutil.rmtree(tmp_path)
