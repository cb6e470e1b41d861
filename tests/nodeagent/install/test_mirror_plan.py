"""A second disk in plans: which one is meant, what stands against it, what is confirmed, what is kept."""

import dataclasses
import json
from pathlib import Path

import pytest

from image.match import match_answer, plan_lines
from nodeagent.controls.install import disks_text, plan_text
from nodeagent.install.fat import FatWriter
from nodeagent.install.installation import Installation
from nodelib.bus_install import (
    InstallDisk,
    InstallPlan,
    InstallRequest,
    InstallRun,
    InstallState,
    InstallView,
    Survey,
)
from nodelib.codec import to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Facts
from nodelib.install_planning import Answer, find_data_disks, find_disk, find_mirror, make_plan, read_wanted
from nodelib.slots import MEBIBYTE
from tests.nodeagent.install.machines import SMALL, Machine, disk, disk_row, part_row
from tests.nodeagent.install.works import BUILD

FIRST, SECOND = disk("sda"), disk("sdb", size_bytes=90 * 10**9)
GROUP = "virtnode-1a2b3c4d-state"
REQUEST = InstallRequest("/dev/sda", mirror="/dev/sdb")


def planned(
    *disks: InstallDisk, answer: Answer | None = None, unattended: bool = False, **more: object
) -> InstallPlan:
    """Plan an installation to the first of these disks, and what is asked besides."""
    request = InstallRequest(**{"rule": f"/dev/{disks[0].name}", **more})  # type: ignore[arg-type]
    wanted = read_wanted(request, answer or Answer(), "", 0, "")
    wanted = wanted.as_unattended() if unattended else wanted
    target = find_disk(wanted, disks)
    mirror = find_mirror(wanted, disks, target)
    return make_plan(wanted, target, (), find_data_disks(wanted, disks, target, mirror), mirror)


def test_both_disks_are_in_the_plan() -> None:
    """Model, serial number and loss of each, sizes that fit the smaller, one confirmation for both."""
    full = dataclasses.replace(SECOND, holds=("sdb1: ext4",))
    plan = planned(FIRST, full, mirror="name:sdb")
    assert plan.mirror is full
    assert plan.problems == ()
    assert plan.confirmation == "-sda -sdb"
    assert plan.erased == (
        "nothing: no content was found on it",
        "sdb (SSD, 90.0 GB, serial S-sdb): sdb1: ext4",
    )
    assert sum(region.size_bytes for region in plan.regions) < full.size_bytes
    assert plan.steps[0] == "erase what is on sda and sdb: from here on neither starts"
    assert "make the state, mirrored on both disks, with what this system was told" in plan.steps
    content = {region.name: region.content for region in plan.regions}["virtnode-state"]
    assert content == "what this node is told and keeps, mirrored on sdb"
    lines = plan_text(plan).splitlines()
    assert "mirror      sdb (SSD, 90.0 GB, serial S-sdb)" in lines
    assert "mirror    sdb (SSD, 90.0 GB, serial S-sdb)" in plan_lines(plan)
    assert planned(FIRST, SECOND, mirror="name:sdb").id != plan.id
    assert planned(FIRST, full).mirror is None
    thin = planned(FIRST, SECOND, mirror="name:sdb", thin=True)
    assert "make its mirrored thin pool guests" in thin.steps


def test_the_configuration_may_ask_for_it() -> None:
    """A rule of [install], tried on disks other than the first."""
    plan = planned(FIRST, SECOND, answer=Answer(rule="largest", mirror="smallest,first"), rule="")
    assert (plan.disk.name, plan.mirror and plan.mirror.name) == ("sda", "sdb")


@pytest.mark.parametrize(
    ("rule", "code"),
    [("/dev/sda", Code.NOT_FOUND), ("bus:nvme", Code.NOT_FOUND), ("name:sd*", Code.CONFLICT)],
)
def test_a_rule_that_means_no_one_other_disk_stops_it(rule: str, code: Code) -> None:
    """The disk itself is never its own mirror."""
    with pytest.raises(VirtnodeError) as caught:
        planned(FIRST, SECOND, disk("sdc"), mirror=rule)
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"refusals": ("swap is on it",)}, "sdb (SSD, 90.0 GB, serial S-sdb): swap is on it"),
        ({"treasures": ("vg0",)}, "vg0 would be destroyed"),
        ({"size_bytes": 2 * 10**9}, "MiB are needed for these sizes"),
        ({"sector_bytes": 4096}, "its sectors are not of the size that sda has"),
    ],
)
def test_what_is_never_touched_holds_for_the_second_as_well(more: dict[str, object], words: str) -> None:
    """Each in the second disk's own name."""
    first = dataclasses.replace(FIRST, sector_bytes=512)
    second = dataclasses.replace(SECOND, **more)  # type: ignore[arg-type]
    problems = planned(first, second, mirror="/dev/sdb").problems
    assert any(words in problem for problem in problems), problems


def test_unattended_the_second_must_be_allowed_to_be_wiped() -> None:
    """As the first must."""
    full = dataclasses.replace(SECOND, holds=("sdb1: ext4",))
    assert "not empty" in planned(FIRST, full, mirror="/dev/sdb", unattended=True).problems[0]
    answer = Answer(wipe=("contents",))
    assert planned(FIRST, full, mirror="/dev/sdb", unattended=True, answer=answer).problems == ()


def test_a_mirrored_pool_has_no_other_disks() -> None:
    """It would be a mirror of unequal halves; a group without a pool takes them."""
    third = disk("sdc", bus="nvme")
    plan = planned(FIRST, SECOND, third, mirror="/dev/sdb", data=("bus:nvme",))
    assert plan.problems == ()
    plan = planned(FIRST, SECOND, third, mirror="/dev/sdb", data=("bus:nvme",), thin=True)
    assert plan.problems == (
        "a thin pool is mirrored on two disks alone: leave out data disks, pool, or mirror",
    )


def test_who_keeps_a_mirrored_state_keeps_both_disks() -> None:
    """The second is found by what they share; one that is gone is told, and one that never was is refused."""
    installed = [dataclasses.replace(one, installed="virtnode 0.1", mirror=GROUP) for one in (FIRST, SECOND)]
    plan = planned(*installed, keep=True)
    assert plan.mirror is installed[1]
    assert plan.problems == ()
    assert plan.erased[1].endswith("the same; its copy of the state stays")
    assert planned(installed[1], installed[0], keep=True).mirror is installed[0]
    alone = planned(installed[0], disk("sdc", mirror="virtnode-5e6f7a8b-state"), keep=True)
    assert (alone.mirror, alone.problems) == (None, ())
    assert "this one alone is written" in alone.warnings[0]
    single = dataclasses.replace(FIRST, installed="virtnode 0.1")
    assert (
        "cannot become so while it is kept"
        in planned(single, SECOND, keep=True, mirror="/dev/sdb").problems[0]
    )
    assert "another disk may have a copy" in planned(installed[0]).warnings[-1]


def mirrored_row(name: str) -> dict[str, object]:
    """Write a disk whose state is in a volume group as lsblk does."""
    names = ("bios", "esp", "virtnode-a", "virtnode-b", "virtnode-state")
    parts = [part_row(f"{name}{number}", partlabel=one) for number, one in enumerate(names, 1)]
    parts[4] |= {"fstype": "LVM2_member"}
    return disk_row(name, pttype="gpt", children=parts)


def mirrored(tmp_path: Path) -> Machine:
    """Make a machine with two disks that share a state."""
    groups: list[dict[str, object]] = [
        {"pv_name": f"/dev/{name}5", "vg_name": GROUP, "vg_tags": ""} for name in ("sda", "sdb")
    ]
    return Machine(tmp_path, [mirrored_row("sda"), mirrored_row("sdb")], groups)


def test_two_disks_are_seen_to_share_a_state(tmp_path: Path) -> None:
    """Who reads the plan and types the serial numbers need not name the group as well."""
    installation = mirrored(tmp_path).installation()
    found = installation.view().disks
    assert [one.mirror for one in found] == [GROUP, GROUP]
    assert [one.treasures for one in found] == [("virtnode",)] * 2
    assert f"mirrored: {GROUP}" in disks_text(InstallView(found))
    plan = installation.plan(dataclasses.replace(REQUEST, mirror="name:sdb"))
    assert plan.problems == ("a mirror cannot be made: this image is without lvm2",)


def confirmed(installation: Installation, confirmation: str) -> InstallRun:
    """Answer a plan."""
    return InstallRun(REQUEST, installation.plan(REQUEST).id, confirmation)


def test_both_are_confirmed(tmp_path: Path) -> None:
    """One serial number alone, or both in the other order, is not enough."""
    machine = Machine(tmp_path, [disk_row("sda"), disk_row("sdb", serial="SN-8B2C")])
    for place in ("usr/sbin/lvcreate", "sys/module/dm_raid/refcnt"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    installation = machine.installation()
    assert installation.plan(REQUEST).confirmation == "7A3F 8B2C"
    for typed in ("7A3F", "8B2C 7A3F", "7A3F8B2C", ""):
        with pytest.raises(VirtnodeError, match="of sda, then that of sdb"):
            installation.run(confirmed(installation, typed), "root")
    installation.run(confirmed(installation, " 7a3f  8b2c "), "root")
    installation.wait(60)
    # This machine has no second disk that could be opened; what matters is that it began.
    assert installation.progress().state is InstallState.FAILED
    assert "sdb cannot be written" in installation.progress().error
    assert (tmp_path / "dev/sda").stat().st_blocks == 0


def test_one_of_two_that_has_the_build_is_enough(tmp_path: Path) -> None:
    """A machine that installs at every start leaves a node alone whose first disk was replaced."""
    intent = dataclasses.replace(SMALL, mirror="name:sdb", wipe=("all",))
    row = mirrored_row("sdb")
    machine = Machine(tmp_path, [disk_row(), row], intent=intent, boot="name:sda")
    marker = json.dumps({"product": "virtnode 0.1", "build": BUILD, "finished": True}).encode()
    row["children"][1]["start"] = 2048  # type: ignore[index]
    with (tmp_path / "dev/sdb").open("w+b") as file:
        file.truncate(200 * MEBIBYTE)
        writer = FatWriter(file.fileno(), MEBIBYTE, 128 * MEBIBYTE, label="VIRTNODE-SP", serial=1)
        writer.write({f"virtnode/done/{BUILD[:8]}": marker}, lambda count: None)
        writer.finish()
    installation = machine.installation()
    installation.begin()
    installation.wait(60)
    assert installation.progress().step == "sdb has this system already"
    assert (tmp_path / "dev/sda").stat().st_blocks == 0


def test_an_answer_is_tried_on_recorded_hardware(tmp_path: Path) -> None:
    """The mirror is found among the disks of a survey, by the rules of the installer."""
    answer, survey = tmp_path / "node.toml", tmp_path / "machine.json"
    answer.write_text('[install]\nrule = "name:sda"\nmirror = "name:sdb"\n')
    survey.write_text(to_json(Survey(Facts(), (FIRST, SECOND))))
    plan = match_answer(answer, survey)
    assert plan.mirror is not None
    assert (plan.mirror.name, plan.problems) == ("sdb", ())
    answer.write_text('[install]\nrule = "name:sda"\nmirror = "sdb"\n')
    with pytest.raises(VirtnodeError):
        match_answer(answer, survey)
