"""A node on two file-backed disks, whose LVM is made of commands that write down how they were called."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nodeagent.install.conftest import FAKE
from tests.nodeagent.install.works import make_pair
from tests.nodeagent.update.worlds import World, make_world

COMMANDS = (
    "vgcreate", "vgextend", "vgreduce", "vgchange", "lvcreate", "lvconvert", "udevadm", "systemd-run",
)  # fmt: skip
LISTED = """\
#!/bin/sh
case "$*" in
*sync_percent*) echo 100.00;;
*) printf '  state raid1\n  [state_rimage_0] linear\n';;
esac
"""
TOLD = """\
#!/bin/sh
cat "{told}" 2>/dev/null
"""
"""Says what a test wrote into a file: whose a disk is, and how many a group lacks."""


@pytest.fixture
def mirrored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Install a node to two disks, and start it from the first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    scripts = {name: FAKE.format(log=tmp_path / "log", status=0) for name in COMMANDS}
    told = {name: TOLD.format(told=tmp_path / name) for name in ("pvs", "vgs")}
    (tmp_path / "vgs").write_text("  1\n")
    for name, script in {**scripts, **told, "lvs": LISTED}.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    world = make_world(tmp_path, make_pair(tmp_path / "work"))
    yield world
    world.update.stop()
