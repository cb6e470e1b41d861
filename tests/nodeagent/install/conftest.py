"""LVM's and udev's commands in place of the real ones, for tests that have no disks."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

FAKE = """\
#!/bin/sh
echo "$(basename "$0") $*" >>{log}
exit {status}
"""
Calls = Callable[[], list[str]]
"""Returns how the commands were called, a line each."""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Put commands before all others that say how they were called."""
    folder, log = tmp_path / "bin", tmp_path / "log"
    folder.mkdir()
    log.touch()
    for name in ("vgcreate", "vgchange", "lvcreate", "lvconvert", "udevadm", "systemd-run"):
        (folder / name).write_text(FAKE.format(log=log, status=0))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return lambda: log.read_text().splitlines()
