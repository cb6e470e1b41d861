"""Updates of a node on two file-backed disks: of both, of one alone, cut off at every step."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from nodeagent.install.steps import Work
from nodeagent.update.mirror import differing_slots
from nodeagent.update.mirror_watch import STATUS_COMMAND, Copies, MirrorWatch, read_copies
from nodeagent.update.slot_disk import SlotDisk
from nodeagent.update.steps import update_steps
from nodelib.bus_update import RollBack, UpdateSource, UpdateState
from nodelib.places import Place, at
from nodelib.run import run
from nodelib.slots import ESP
from nodelib.update_bundle import KERNEL, ROOT_IMAGE
from tests.nodeagent.install.works import GROUP
from tests.nodeagent.update.test_update import STEPS, check_disk, keep, make_steps, update
from tests.nodeagent.update.worlds import PAYLOAD, World, bundle_for, plug_in, unplug
from tests.update_bundles import BundleOptions

WELL = "virtnode--00000001--state-state: 0 2064384 raid raid1 2 AA 2064384/2064384 idle 0 0 -\n"


@pytest.fixture
def world(mirrored: World) -> World:
    """Every node here has two disks."""
    return mirrored


class TwinAlone(SlotDisk):
    """The disks of a node that lost its power once the second one was written."""

    @property
    def copies(self) -> tuple[SlotDisk, ...]:
        """The second disk."""
        assert self.twin is not None
        return (self.twin,)


def start_from(world: World, work: Work) -> str:
    """Have the firmware start a disk; returns the slot that runs."""
    world.work = work
    return world.power_on()


def both(world: World) -> tuple[Work, Work]:
    """Return the two disks, as they were installed."""
    assert world.work.twin is not None
    return world.work, world.work.twin


def environments(world: World, *disks: Work) -> list[dict[str, str]]:
    """Read what GRUB reads, of each disk."""
    found = []
    for disk in disks:
        world.work = disk
        found.append(world.environment())
    world.work = disks[0]
    return found


def test_an_update_is_on_both_disks(world: World, tmp_path: Path) -> None:
    """Written, tried, kept; then either starts it, and neither names a partition of the other."""
    first, second = both(world)
    update(world, bundle_for(tmp_path))
    assert (world.update.view().state, world.update.view().percent) == (UpdateState.READY, 100)
    assert environments(world, first, second) == [{"slot": "a", "trial": "b", "tries": "3"}] * 2
    for disk in (second, first):
        world.work = disk
        check_disk(world)
        assert world.slot_bytes("b", len(PAYLOAD[ROOT_IMAGE])) == PAYLOAD[ROOT_IMAGE]
        assert world.read_file(f"b/{KERNEL}") == PAYLOAD[KERNEL]
        assert disk.identifiers["virtnode-b"].lower() in world.read_file("b/slot.cfg").decode()
    assert start_from(world, first) == "b"
    assert environments(world, second)[0]["tries"] == "3"
    keep_first(world, first)
    assert environments(world, first, second) == [{"slot": "b"}] * 2
    assert differing_slots(world.disk) == ()
    assert start_from(world, second) == "b"
    world.update.begin()
    assert world.update.view().state is UpdateState.KEPT
    world.update.roll_back(RollBack(), "alice")
    assert environments(world, first, second) == [{"slot": "a"}] * 2


def keep_first(world: World, disk: Work) -> None:
    """Let the agent look after a trial that was started from this disk until it is over."""
    world.work = disk
    keep(world)


def test_a_start_from_one_disk_counts_for_both(world: World, tmp_path: Path) -> None:
    """Tries are used up once, and what failed is not started from the other one either."""
    first, second = both(world)
    update(world, bundle_for(tmp_path))
    assert start_from(world, first) == "b"
    world.update.begin()
    assert [found["tries"] for found in environments(world, first, second)] == ["2", "2"]
    world.update.stop()
    assert [start_from(world, first) for _ in range(3)] == ["b", "b", "a"]
    world.update.begin()
    assert [found["failed"] for found in environments(world, first, second)] == ["b", "b"]
    assert world.update.view().state is UpdateState.ROLLED_BACK
    assert start_from(world, second) == "a"


def cuts() -> list[tuple[int, bool]]:
    """List when the power may fail: after so many steps, or when the last of them reached one disk alone."""
    counts = range(len(STEPS) + 1)
    return [*((count, False) for count in counts), *((count, True) for count in counts if count)]


@pytest.mark.parametrize(("count", "between"), cuts())
def test_a_power_cut_leaves_both_disks_startable(
    world: World, tmp_path: Path, count: int, between: bool
) -> None:
    """After each step, and between the two disks of one; the next try succeeds from whatever was started."""
    first, second = both(world)
    bundle = bundle_for(tmp_path, BundleOptions(version="3.0"))
    with contextlib.ExitStack() as stack:
        work = make_steps(world, bundle, stack)
        steps = update_steps(work)
        for step in steps[: count - 1 if between else count]:
            step.do(work, lambda bytes: None)
        if between:
            steps[count - 1].do(
                dataclasses.replace(work, disk=TwinAlone(**vars(work.disk))), lambda bytes: None
            )
    for disk in (second, first):
        tried = count == len(STEPS) and (disk is second or not between)
        assert start_from(world, disk) == ("b" if tried else "a")
        assert world.read_file(f"{'b' if tried else 'a'}/slot.cfg")
        check_disk(world)
    if start_from(world, first) == "b":
        return
    world.update.begin()
    update(world, bundle)
    assert start_from(world, first) == "b"
    keep_first(world, first)
    assert start_from(world, second) == "b"


def test_one_disk_alone_is_updated_and_the_other_told_of(world: World, tmp_path: Path) -> None:
    """With the second one gone all goes on; once it is back it is not what the first is."""
    first, second = both(world)
    watch = MirrorWatch(world.root, lambda argv: WELL if tuple(argv) == STATUS_COMMAND else "", world.claim)
    assert told(watch) == []
    unplug(world.root, second, "sdb")
    assert told(watch) == ["the second disk of this node is missing"]
    bundle = bundle_for(tmp_path)
    plan = world.update.plan(UpdateSource(str(bundle)))
    assert plan.warnings == ("the second disk of this node is missing: sda alone is updated",)
    assert plan.problems == ()
    update(world, bundle)
    plug_in(world.root, second, "sdb")
    assert start_from(world, first) == "b"
    keep_first(world, first)
    # Nobody has the second disk start what it has not.
    assert environments(world, first, second) == [{"slot": "b"}, {"slot": "a"}]
    with world.claim.held("a repair"):
        assert told(watch) == ["the second disk of this node is missing"]
    assert told(watch) == ["sdb, its second disk, has nothing in slot b"]


def told(watch: MirrorWatch) -> list[str]:
    """Look, and return what there is to say."""
    watch.look()
    return [notice.text for notice in watch.notices]


def test_a_disk_that_missed_an_update_runs_and_heals_the_newer(world: World, tmp_path: Path) -> None:
    """It was put back, and the firmware starts it: the slot of the other one that runs may be overwritten."""
    first, second = both(world)
    unplug(world.root, second, "sdb")
    update(world, bundle_for(tmp_path))
    assert start_from(world, first) == "b"
    keep_first(world, first)
    plug_in(world.root, second, "sdb")
    assert start_from(world, second) == "a"
    world.update.begin()
    assert environments(world, first, second)[0] == {"slot": "b"}
    world.work = second
    with contextlib.ExitStack() as stack:
        work = make_steps(world, bundle_for(tmp_path, BundleOptions(version="3.0")), stack)
        for step in update_steps(work):
            step.do(work, lambda bytes: None)
            # Whatever happens now, the first disk starts something that is whole.
            world.work = first
            variables = world.environment()
            assert variables["slot"] == "a"
            assert world.read_file("a/slot.cfg")
    assert [start_from(world, disk) for disk in (first, second)] == ["b", "b"]


def test_a_second_disk_that_was_not_written_to_its_end_is_left_out(world: World, tmp_path: Path) -> None:
    """It is named, and neither updated nor taken for the one that is missing."""
    first, second = both(world)
    place = f"{second.device}@@{second.region(ESP).start}M"
    run(["mren", "-i", place, "::virtnode/done", "todo"])
    plan = world.update.plan(UpdateSource(str(bundle_for(tmp_path))))
    problem = "sdb, its second disk, was never written to its end"
    assert plan.warnings == (f"{problem}: sda alone is updated",)
    assert world.disk.copies == (world.disk,)
    run(["mren", "-i", place, "::virtnode/todo", "done"])
    run(["mdel", "-i", place, "::a/slot.cfg"])
    assert world.disk.twin_problem == "the second disk of this node is missing"
    assert first.twin is second


def test_the_kernel_tells_of_each_copy() -> None:
    """One that is lost, one that is being made; those of other groups are nobody's here."""
    group = "virtnode-00000001"
    assert f"{group}-state" == GROUP
    text = WELL.replace("AA", "AD")
    text += "virtnode--00000001-guests_tdata: 0 200 raid raid1 2 Aa 50/200 recover 0 0 -\n"
    text += "virtnode--00000002-guests_tdata: 0 200 raid raid1 2 AD 200/200 idle 0 0 -\n"
    text += "virtnode--00000001-guests_tmeta: 0 200 raid raid1 2 A- 200/200 idle 0 0 -\n"
    text += "other: 0 100 linear\n"
    assert read_copies(text, group) == (
        Copies("the state", True, 100),
        Copies("the volume guests_tdata", False, 25),
        Copies("the volume guests_tmeta", True, 100),
    )
    assert read_copies("", group) == ()


def test_a_copy_that_is_lost_is_told(world: World) -> None:
    """With what to do about it; a node of one disk is asked nothing."""
    asked: list[tuple[str, ...]] = []

    def command(argv: Sequence[str]) -> str:
        asked.append(tuple(argv))
        return WELL.replace("AA", "DA")

    watch = MirrorWatch(world.root, command, world.claim)
    assert told(watch) == ["the state is on one disk alone"]
    assert at(Place.REPAIR) in watch.notices[0].hint
    assert asked == [STATUS_COMMAND]
    cmdline = world.root / "proc/cmdline"
    cmdline.write_text(cmdline.read_text().replace(f"node.state={GROUP}/state", "node.state=1-2"))
    asked.clear()
    watch.look()
    assert (watch.notices, asked) == ((), [])
