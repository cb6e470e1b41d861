"""The stand-in's cache does not grow for ever."""

import os
from pathlib import Path

from tests.standin.repository import prune_repositories


def test_the_newest_repositories_stay(tmp_path: Path) -> None:
    """Two are kept by when they were last used; downloads, locks and nothing half made stay with them."""
    for age, name in enumerate(("repository-a", "repository-b", "repository-c", "making-x", "archives")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "making.lock").touch()
    prune_repositories(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "repository-a",
        "repository-b",
        "archives",
        "making.lock",
    }
