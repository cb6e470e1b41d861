"""Installations to two file-backed disks: either starts by itself, and a power cut leaves none by halves."""

import dataclasses
from pathlib import Path

import pytest

from nodeagent.install.layout import read_layout
from nodeagent.install.marker import read_marker
from nodeagent.install.steps import Work, installation_steps
from nodeagent.install.volumes import make_mirrored_pool
from nodelib.errors import VirtnodeError
from nodelib.run import run
from nodelib.slot_menu import read_slot_config
from nodelib.slots import ESP, LINUX_LVM, MEBIBYTE, SLOT_A, STATE
from tests.nodeagent.install.conftest import Calls
from tests.nodeagent.install.works import (
    GROUP,
    IMAGE_BYTES,
    install,
    look,
    make_foreign_disk,
    make_pair,
)

FRESH = ("close", "table", "slot", "state", "esp", "esp-whole", "bios", "synced", "name", "done")
KEEP = ("close", "slot", "esp", "esp-whole", "bios", "name", "done")
OF_BOTH = ("state", "synced")
"""Steps that no disk has a part of its own in."""


@pytest.fixture(autouse=True)
def in_sync(tmp_path: Path, calls: Calls) -> Calls:
    """Have LVM say that a volume is on both disks."""
    program = tmp_path / "bin/lvs"
    program.write_text(f"#!/bin/sh\necho lvs $* >>{tmp_path / 'log'}\necho '  100.00'\n")
    program.chmod(0o755)
    return calls


def is_whole(work: Work) -> bool:
    """Check a disk that starts: slot A is the image, and what its kernel is told names this disk's slot."""
    assert look(work).menu_starts
    with work.device.open("rb") as disk:
        disk.seek(work.region(SLOT_A).start * MEBIBYTE)
        assert disk.read(IMAGE_BYTES) == work.image.read_bytes()[:IMAGE_BYTES]
    esp = f"{work.device}@@{work.region(ESP).start}M"
    config = read_slot_config(run(["mtype", "-i", esp, "::a/slot.cfg"]).stdout)
    assert config.arguments[0] == f"root=live:PARTUUID={work.identifiers[SLOT_A].lower()}"
    assert f"node.state={GROUP}/state" in config.arguments
    menu = run(["mtype", "-i", esp, "::grub/grub.cfg"]).stdout
    assert f"--set=root {work.esp_identifier}" in menu
    run(["sfdisk", "--verify", work.device])
    return True


def test_either_disk_has_everything(tmp_path: Path, calls: Calls) -> None:
    """The same partitions, none with the other's identifier; a state that is on both."""
    work = make_pair(tmp_path / "work")
    install(work)
    first, second = work.disks
    assert is_whole(first)
    assert is_whole(second)
    layouts = [read_layout(one.device) for one in work.disks]
    assert layouts[0][0] == layouts[1][0]
    assert next(region.type for region in layouts[0][0] if region.name == STATE) == LINUX_LVM
    assert not set(layouts[0][1].values()) & set(layouts[1][1].values())
    volume = work.volumes / GROUP / "state"
    run(["e2fsck", "-n", "-f", volume])
    assert run(["debugfs", "-R", "cat /node.toml", volume]).stdout == "version = 1\n"
    waits, rest = calls()[:-4], calls()[-4:]
    partitions = [f"/dev/disk/by-partuuid/{one.identifiers[STATE].lower()}" for one in work.disks]
    assert waits[0] == "systemd-run --quiet --pipe --wait --collect modprobe dm-raid"
    assert waits[1:] == [f"udevadm wait --timeout=120 {partitions[0]}"]
    assert rest == [
        f"udevadm wait --timeout=120 {partitions[1]}",
        f"vgcreate --yes --quiet --physicalextentsize 1m {GROUP} {partitions[0]} {partitions[1]}",
        f"lvcreate --yes --quiet --type raid1 --mirrors 1 --extents 100%FREE --name state {GROUP}",
        f"lvs --noheadings -o sync_percent {GROUP}/state",
    ]


def cuts(steps: tuple[str, ...]) -> list[tuple[int, bool]]:
    """List when the power may fail: after so many steps, or when the last of them reached one disk alone."""
    between = [(count, True) for count, name in enumerate(steps, 1) if name not in OF_BOTH]
    return [*((count, False) for count in range(len(steps) + 1)), *between]


def cut(work: Work, count: int, *, between: bool) -> None:
    """Install until the power fails."""
    steps = installation_steps(work)
    install(work, cut_after=count - 1 if between else count)
    if between:
        steps[count - 1].do(dataclasses.replace(work, twin=None), lambda bytes: None)


@pytest.mark.parametrize(("count", "between"), cuts(FRESH))
def test_a_power_cut_leaves_no_disk_that_looks_whole(tmp_path: Path, count: int, between: bool) -> None:
    """After each step, and between the two disks of one: what starts is all there."""
    work = make_pair(tmp_path / "work")
    for one in work.disks:
        make_foreign_disk(one.device)
    assert tuple(step.name for step in installation_steps(work)) == FRESH
    cut(work, count, between=between)
    done = FRESH[:count]
    for number, one in enumerate(work.disks):
        seen = look(one)
        reached = done[:-1] if between and number else done
        if not reached:
            assert (seen.bios_starts, seen.names[0]) == ("foreign", "foreign-esp")
            continue
        assert "foreign-esp" not in seen.names
        assert seen.bios_starts in (("grub",) if "bios" in reached else ("nothing", "next"))
        assert seen.uefi_starts == ("esp-whole" in reached)
        assert seen.menu_starts == ("done" in reached)
        if seen.menu_starts:
            # The other one is, but for the mark that it is finished, whole as well.
            assert is_whole(one)
            assert "synced" in done
        marker = read_marker(one.device, one.region(ESP).start * MEBIBYTE)
        assert (marker is not None and marker.finished) == seen.menu_starts
    install(work)
    assert all(map(is_whole, work.disks))


@pytest.mark.parametrize(("count", "between"), cuts(KEEP))
def test_a_power_cut_while_a_mirrored_state_is_kept(tmp_path: Path, count: int, between: bool) -> None:
    """Each disk starts the old node, nothing, or the new one; nobody writes to the state."""
    install(make_pair(tmp_path / "work", fill="old"))
    work = make_pair(tmp_path / "work", fill="new", keep=True)
    assert tuple(step.name for step in installation_steps(work)) == KEEP
    volume = work.volumes / GROUP / "state"
    before = volume.read_bytes()
    cut(work, count, between=between)
    for number, one in enumerate(work.disks):
        reached = KEEP[: count - 1] if between and number else KEEP[:count]
        assert look(one).menu_starts == (not reached or "done" in reached)
        if "done" in reached:
            assert is_whole(one)
    install(work)
    assert all(map(is_whole, work.disks))
    assert volume.read_bytes() == before


def test_a_second_disk_that_cannot_be_written_stops_it(tmp_path: Path) -> None:
    """Before the first byte of the other."""
    work = make_pair(tmp_path / "work")
    make_foreign_disk(work.device)
    assert work.twin is not None
    gone = dataclasses.replace(work, twin=dataclasses.replace(work.twin, device=tmp_path / "gone"))
    with pytest.raises(VirtnodeError, match="cannot be written"):
        install(gone)
    assert look(work).bios_starts == "foreign"


def test_a_mirrored_pool_has_both_halves_on_both_disks(tmp_path: Path, calls: Calls) -> None:
    """Data and metadata, and the volume group over the rest of both disks."""
    make_mirrored_pool("g", 500_000, check=True)
    begin = "lvcreate --yes --quiet --type raid1 --mirrors 1 --nosync"
    assert calls() == [
        f"{begin} --size 500m --name guests_meta g",
        f"{begin} --extents 98%FREE --name guests g",
        "lvconvert --yes --quiet --type thin-pool --poolmetadata g/guests_meta g/guests",
    ]
