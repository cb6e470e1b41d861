"""What the tests of the image builder share."""

import os
from pathlib import Path

import pytest

from image.main import DEFAULT_CACHE


@pytest.fixture(scope="session")
def node_cache() -> Path:
    """Give the cache of the builds made on this machine, or skip."""
    cache = Path(os.environ.get("VIRTNODE_CACHE", DEFAULT_CACHE))
    if not (cache / "stages").is_dir():
        pytest.skip(f"{cache} holds no build; ./build.sh makes one")
    return cache


@pytest.fixture(scope="session")
def node_tree(node_cache: Path) -> Path:
    """Give an installed root with everything in it, which no test may change, or skip."""
    roots = sorted(node_cache.glob("stages/packages/*/root"), key=lambda path: path.stat().st_mtime)
    finished = [root for root in roots if (root.parent / "packages.json").exists()]
    if not finished:
        pytest.skip(f"{node_cache} holds no installed root; ./build.sh makes one")
    return finished[-1]
