"""A node that lost its second disk gets another one, or the same: the disk that runs is only read."""

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest

from nodeagent.install.layout import read_layout
from nodeagent.install.steps import Work
from nodeagent.install.volumes import mirror_group
from nodeagent.update.mirror import differing_slots
from nodeagent.update.repair import find_running, prepare_repair, repair_steps
from nodelib.bus_install import InstallDisk, InstallPlan
from nodelib.errors import VirtnodeError
from nodelib.install_planning import Answer, Wanted
from nodelib.install_repair import RunningNode, make_repair_plan
from nodelib.run import run
from nodelib.slot_menu import read_slot_config
from nodelib.slots import BEGUN, MEBIBYTE, SLOT_A, lay_out
from tests.nodeagent.install.machines import disk
from tests.nodeagent.install.works import GROUP, PAIR_SIZES, look, make_foreign_disk
from tests.nodeagent.update.test_mirror import both, environments, keep_first, start_from
from tests.nodeagent.update.test_update import check_disk, update
from tests.nodeagent.update.worlds import World, bundle_for, plug_in, unplug

FRESH = ("close", "table", "slots", "esp", "esp-whole", "bios", "name", "volumes", "done")
RETURNS = ("close", "slots", "esp", "esp-whole", "bios", "name", "volumes", "done")
WANTED = Wanted("/dev/sdc", False, (), Answer())


def repair(world: World, name: str, mirror: str = "", *, cut_after: int | None = None) -> Work:
    """Make a disk the second one, as far as so many steps."""
    plan = InstallPlan("1", InstallDisk(name, mirror=mirror), repair=True)
    prepared = prepare_repair(world.root, plan)
    for step in repair_steps(prepared)[:cut_after]:
        step.do(prepared.work, lambda count: None)
    return dataclasses.replace(prepared.work, device=prepared.work.device.resolve())


def blank(world: World, tmp_path: Path) -> Path:
    """Replace the second disk by one that another system is on."""
    _, second = both(world)
    unplug(world.root, second, "sdb")
    path = tmp_path / "another"
    path.touch()
    os.truncate(path, second.device.stat().st_size)
    make_foreign_disk(path)
    (world.root / "dev/sdc").symlink_to(path)
    return path


def digest(path: Path) -> str:
    """Sum up a disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_another_disk_takes_the_place(mirrored: World, tmp_path: Path) -> None:
    """It starts what the first one starts, from slots of its own, after an update as before."""
    world = mirrored
    first, _ = both(world)
    update(world, bundle_for(tmp_path))
    assert start_from(world, first) == "b"
    keep_first(world, first)
    blank(world, tmp_path)
    before = digest(first.device)
    assert "missing" in find_running(world.root).missing
    (tmp_path / "log").unlink()
    third = repair(world, "sdc")
    assert digest(first.device) == before
    said = (tmp_path / "log").read_text().splitlines()
    part = f"/dev/disk/by-partuuid/{third.identifiers['virtnode-state'].lower()}"
    assert said == [
        "systemd-run --quiet --pipe --wait --collect modprobe dm-raid",
        f"udevadm wait --timeout=120 {part}",
        f"vgextend --yes --quiet {GROUP} {part}",
        f"lvconvert --yes --quiet --repair {GROUP}/state {part}",
        f"vgreduce --quiet --removemissing {GROUP}",
    ]
    plug(world, third)
    assert world.disk.twin is not None
    assert differing_slots(world.disk) == ()
    assert find_running(world.root).twin == "sdc"
    assert environments(world, first, third) == [{"slot": "b"}] * 2
    assert start_from(world, third) == "b"
    check_disk(world)
    assert look(third).bios_starts == "grub"
    menu = run(["mtype", "-i", world.esp, "::efi/boot/grub.cfg"]).stdout
    assert third.esp_identifier in menu
    for slot in ("a", "b"):
        arguments = read_slot_config(world.read_file(f"{slot}/slot.cfg").decode()).arguments
        assert arguments[0] == f"root=live:PARTUUID={third.identifiers[f'virtnode-{slot}'].lower()}"
        assert f"node.state={GROUP}/state" in arguments
    assert not set(third.identifiers.values()) & set(first.identifiers.values())


def test_a_group_that_may_go_is_stopped_first(mirrored: World, tmp_path: Path) -> None:
    """A disk of another system comes with its volumes, which may be in use by then."""
    blank(mirrored, tmp_path)
    (tmp_path / "log").unlink(missing_ok=True)
    found = InstallDisk("sdc", holds=("sdc2: volume group fedora",), treasures=("fedora",))
    prepared = prepare_repair(mirrored.root, InstallPlan("1", found, repair=True))
    repair_steps(prepared)[0].do(prepared.work, lambda count: None)
    assert (tmp_path / "log").read_text().splitlines() == ["vgchange --activate n fedora"]


def plug(world: World, work: Work) -> None:
    """Let the kernel see the partitions of a disk that was plugged in before."""
    (world.root / "dev/sdc").unlink()
    plug_in(world.root, work, "sdc")


@pytest.mark.parametrize("count", range(len(FRESH) + 1))
def test_a_power_cut_leaves_the_first_disk_as_it_was(mirrored: World, tmp_path: Path, count: int) -> None:
    """The other one starts nothing before it is whole; whoever tries again succeeds."""
    world = mirrored
    first, _ = both(world)
    path, before = blank(world, tmp_path), digest(first.device)
    third = repair(world, "sdc", cut_after=count)
    assert digest(first.device) == before
    seen = look(third)
    done = FRESH[:count]
    assert seen.menu_starts == ("done" in done)
    assert seen.uefi_starts == ("esp-whole" in done)
    if "table" in done:
        assert (SLOT_A in seen.names) == ("name" in done)
        assert (BEGUN in seen.names) == ("name" not in done)
    assert ("foreign-esp" in seen.names) == (not done)
    assert look(repair(world, "sdc")).menu_starts
    assert third.device.samefile(path)


@pytest.mark.parametrize("count", range(len(RETURNS) + 1))
def test_a_disk_that_returns_keeps_what_lvm_has_there(mirrored: World, tmp_path: Path, count: int) -> None:
    """It missed an update; its slots are made equal, whenever the power failed before."""
    world = mirrored
    first, second = both(world)
    unplug(world.root, second, "sdb")
    update(world, bundle_for(tmp_path))
    assert start_from(world, first) == "b"
    keep_first(world, first)
    plug_in(world.root, second, "sdb")
    state = second.region("virtnode-state").start * MEBIBYTE
    with second.device.open("r+b") as file:
        file.seek(state)
        file.write(b"a copy of the state")
    identifiers = read_layout(second.device)[1]
    (tmp_path / "pvs").write_text(f"  {GROUP}\n")
    (tmp_path / "vgs").write_text("  0\n")
    repair(world, "sdb", GROUP, cut_after=count)
    assert (look(second).menu_starts) == (count in (0, len(RETURNS)))
    assert start_from(world, first) == "b"
    (tmp_path / "log").write_text("")
    repair(world, "sdb", GROUP)
    assert f"vgchange --refresh {GROUP}" in (tmp_path / "log").read_text()
    with second.device.open("rb") as file:
        file.seek(state)
        assert file.read(19) == b"a copy of the state"
    assert read_layout(second.device)[1] == identifiers
    assert differing_slots(world.disk) == ()
    assert start_from(world, second) == "b"


EXTEND = f"vgextend --yes --quiet {GROUP} /dev/sdc5"
TAKE_BACK = (f"vgextend --restoremissing {GROUP} /dev/sdc5", f"vgchange --refresh {GROUP}")
REPLACE = (
    f"lvconvert --yes --quiet --repair {GROUP}/state /dev/sdc5",
    f"vgreduce --quiet --removemissing {GROUP}",
)


@pytest.mark.parametrize(
    ("owner", "lacks", "said"),
    [
        ("", "1", (EXTEND, *REPLACE)),
        (GROUP, "0", TAKE_BACK),
        (GROUP, "1", (*TAKE_BACK, *REPLACE)),
        ("", "0", (EXTEND,)),
    ],
    ids=["another disk", "returns", "cut after it was added", "cut before the second group"],
)
@pytest.mark.usefixtures("mirrored")
def test_each_group_gets_what_it_lacks(tmp_path: Path, owner: str, lacks: str, said: tuple[str, ...]) -> None:
    """A repair may have ended anywhere between the two groups, and begins again."""
    (tmp_path / "pvs").write_text(f"  {owner}\n")
    (tmp_path / "vgs").write_text(f"  {lacks}\n")
    (tmp_path / "log").write_text("")
    mirror_group(GROUP, Path("/dev/sdc5"))
    assert tuple((tmp_path / "log").read_text().splitlines()) == said


def test_a_disk_with_other_partitions_does_not_return(mirrored: World) -> None:
    """It is refused before anything of it is written."""
    world = mirrored
    _, second = both(world)
    run(["sfdisk", "--quiet", "--delete", second.device, "4"])
    before = digest(second.device)
    with pytest.raises(VirtnodeError, match="has other partitions than sda"):
        repair(world, "sdb", GROUP)
    assert digest(second.device) == before


def test_a_node_of_one_disk_has_nothing_to_repair(mirrored: World) -> None:
    """It says how one gets a second disk."""
    cmdline = mirrored.root / "proc/cmdline"
    cmdline.write_text(cmdline.read_text().replace(f"node.state={GROUP}/state", "node.state=1-2"))
    with pytest.raises(VirtnodeError, match="this node has one disk"):
        find_running(mirrored.root)


def plans(found: InstallDisk, **more: str) -> InstallPlan:
    """Plan to make a disk the second one of a small node."""
    node = {"disk": "sda", "group": GROUP, "missing": "the second disk is missing", "twin": "", **more}
    return make_repair_plan(WANTED, found, RunningNode(regions=lay_out(PAIR_SIZES, mirrored=True), **node))


def test_a_plan_says_what_becomes_of_the_disk() -> None:
    """Of another one all is erased, of one that returns the slots are; nothing that is in use is touched."""
    full = disk("sdc", holds=("sdc1: ext4",))
    plan = plans(full)
    assert (plan.repair, plan.problems, plan.erased) == (True, (), ("sdc1: ext4",))
    assert plan.confirmation == "-sdc"
    assert plan.steps[0].startswith("erase what is on sdc")
    assert "copy both slots of sda, read them back and compare them" in plan.steps
    mounted = "virtnode--00000001--state-state is mounted at /var/lib/virtnode"
    returns = disk("sdb", mirror=GROUP, treasures=("virtnode", "virtnode-00000001"), refusals=(mounted,))
    plan = plans(returns, twin="sdb")
    assert plan.problems == ()
    assert "brought up to date" in plan.erased[0]
    for found, more, words in (
        (disk("sda", mirror=GROUP), {}, "the node runs from it"),
        (disk("sdc", treasures=("vg0",)), {}, "vg0 would be destroyed"),
        (disk("sdc", refusals=("sdc1 is mounted at /mnt",)), {}, "mounted at /mnt"),
        (disk("sdc", size_bytes=10**8), {}, "MiB are needed"),
        (disk("sdc"), {"twin": "sdb"}, "sdb is the second disk, and in order"),
        (disk("sdb", mirror=GROUP, refusals=("it is read-only",)), {}, "read-only"),
    ):
        assert any(words in problem for problem in plans(found, **more).problems), words
