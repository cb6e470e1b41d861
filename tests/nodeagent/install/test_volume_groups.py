"""What is told to LVM and udev, by commands that write down how they were called."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nodeagent.install.steps import close_foreign, installation_steps, make_data, settle
from nodelib.errors import VirtnodeError
from nodelib.slots import DATA, LINUX_LVM, Region
from tests.nodeagent.install.works import OLD_BOOT_CODE, make_foreign_disk, make_work

FAKE = """\
#!/bin/sh
echo "$(basename "$0") $*" >>{log}
exit {status}
"""
Calls = Callable[[], list[str]]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Put commands before all others that say how they were called."""
    folder, log = tmp_path / "bin", tmp_path / "log"
    folder.mkdir()
    log.touch()
    for name in ("vgcreate", "vgchange", "udevadm"):
        (folder / name).write_text(FAKE.format(log=log, status=0))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return lambda: log.read_text().splitlines()


def test_a_group_is_made_of_the_rest(tmp_path: Path, calls: Calls) -> None:
    """Named by the disk, so that two disks' groups differ; before anything that starts."""
    work = make_work(tmp_path / "work")
    last = work.regions[-1]
    regions = (*work.regions, Region(DATA, LINUX_LVM, last.start + last.size, 2048))
    identifiers = {**work.identifiers, DATA: "ABCDEF01-0000-0000-0000-000000000000"}
    work = dataclasses.replace(work, regions=regions, identifiers=identifiers)
    names = [step.name for step in installation_steps(work)]
    assert names.index("data") == names.index("esp") - 1
    make_data(work, lambda count: None)
    assert calls() == [
        "vgcreate --yes --quiet virtnode-00000001 /dev/disk/by-partuuid/abcdef01-0000-0000-0000-000000000000"
    ]


def test_a_group_that_may_go_is_stopped_first(tmp_path: Path, calls: Calls) -> None:
    """One that is in use stops the installation before a byte is written."""
    work = dataclasses.replace(make_work(tmp_path / "work"), groups=("vg0",))
    make_foreign_disk(work.device)
    (tmp_path / "bin/vgchange").write_text(FAKE.format(log=tmp_path / "log", status=5))
    with pytest.raises(VirtnodeError, match="vgchange"):
        close_foreign(work, lambda count: None)
    assert work.device.read_bytes().startswith(OLD_BOOT_CODE)
    (tmp_path / "bin/vgchange").write_text(FAKE.format(log=tmp_path / "log", status=0))
    close_foreign(work, lambda count: None)
    assert not work.device.read_bytes().startswith(OLD_BOOT_CODE)
    assert calls() == ["vgchange --activate n vg0"] * 2


def test_udev_is_waited_for_where_it_looks(tmp_path: Path, calls: Calls) -> None:
    """At a disk, and not at a file."""
    work = make_work(tmp_path / "work")
    settle(work)
    settle(dataclasses.replace(work, has_partitions=True))
    assert calls() == ["udevadm settle --timeout=30"]
