"""What the tests of the image builder share."""

import os
from pathlib import Path

import pytest

from image.main import DEFAULT_CACHE, main
from image.plan import CHECKOUT


@pytest.fixture(scope="session")
def node_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the cache of the builds made on this machine; a Debian node is built if there was none."""
    cache = Path(os.environ.get("VIRTNODE_CACHE", DEFAULT_CACHE))
    if not debian_roots(cache):
        out = tmp_path_factory.mktemp("node")
        options = ("--profile=dev", "--media=iso", "--size-budget=500MB", f"--out={out}", f"--cache={cache}")
        assert main(["build", str(CHECKOUT / "kickstarts/node-debian.ks"), *options]) == 0
    return cache


@pytest.fixture(scope="session")
def node_tree(node_cache: Path) -> Path:
    """Give an installed Debian root with everything in it, which no test may change."""
    return max(debian_roots(node_cache), key=lambda root: root.stat().st_mtime)


def debian_roots(cache: Path) -> list[Path]:
    """List the finished package stages that dpkg installed."""
    roots = cache.glob("stages/packages/*/root")
    return [
        root
        for root in roots
        if (root.parent / "packages.json").exists() and not (root / "usr/lib/sysimage/rpm").exists()
    ]
