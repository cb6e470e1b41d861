"""Disks that join the volume group: which are meant, what stands against them, what becomes of them."""

import dataclasses
from pathlib import Path

import pytest

from nodeagent.install.steps import installation_steps
from nodeagent.install.volumes import blank_disk
from nodelib.bus_install import InstallDisk, InstallPlan, InstallRequest, InstallRun, InstallState
from nodelib.errors import Code, VirtnodeError
from nodelib.install_planning import Answer, find_data_disks, make_plan, plan_regions, read_wanted
from nodelib.install_rules import BOOT_MEDIUM
from nodelib.run import run
from nodelib.slots import DATA
from tests.nodeagent.install.conftest import Calls
from tests.nodeagent.install.machines import SMALL, Machine, disk, disk_row, part_row
from tests.nodeagent.install.works import install, look, make_foreign_disk, make_work

BOOT = disk("sda", bus="sata")
DISKS = (
    BOOT,
    disk("nvme0n1", bus="nvme"),
    disk("nvme1n1", bus="nvme", size_bytes=10**12),
    disk("sdb", bus="usb"),
)


def planned(answer: Answer, *disks: InstallDisk, unattended: bool = False, keep: bool = False) -> InstallPlan:
    """Plan an installation to the first of these disks."""
    wanted = read_wanted(InstallRequest(f"/dev/{disks[0].name}", keep=keep), answer, "", 0, "")
    wanted = wanted.as_unattended() if unattended else wanted
    return make_plan(wanted, disks[0], data=find_data_disks(wanted, disks, disks[0]))


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        (("bus:nvme",), ("nvme0n1", "nvme1n1")),
        (("largest", "bus:nvme"), ("nvme1n1", "nvme0n1")),
        (("bus:nvme,smallest",), ("nvme0n1",)),
        # The boot disk and sticks are never meant by what is said of other disks.
        (("size:1G-",), ("nvme0n1", "nvme1n1")),
        (("/dev/sdb",), ("sdb",)),
    ],
)
def test_every_disk_that_a_rule_means_joins(rules: tuple[str, ...], names: tuple[str, ...]) -> None:
    """In the order of the rules, each once."""
    plan = planned(Answer(data=rules), *DISKS)
    assert tuple(one.name for one in plan.data) == names
    assert plan.problems == ()
    assert DATA in {region.name for region in plan.regions}


@pytest.mark.parametrize(
    ("data", "code"),
    [(("bus:sas",), Code.NOT_FOUND), (("/dev/sda",), Code.NOT_FOUND), ("bus:nvme", Code.INVALID)],
)
def test_a_rule_that_means_no_other_disk_stops_it(data: str | tuple[str, ...], code: Code) -> None:
    """So does a rule that stands where a word belongs."""
    with pytest.raises(VirtnodeError) as caught:
        planned(Answer(data=data), *DISKS)
    assert caught.value.code is code


def test_the_plan_names_each_disk_and_what_is_lost() -> None:
    """Model, serial number and size before all that is on it: whoever confirms the plan has read that."""
    full = disk("sdc", model="Disk C", bus="sata", holds=("sdc1: ext4", "sdc2: xfs"))
    plan = planned(Answer(data=("name:sdc",)), BOOT, full)
    assert plan.erased[1:] == tuple(
        f"sdc (Disk C, 100.0 GB, serial S-sdc): {line}" for line in ("sdc1: ext4", "sdc2: xfs")
    )
    assert "erase what is on sdc" in plan.steps
    assert plan.steps.index("erase what is on sdc") < plan.steps.index("make the volume group")
    changed = planned(Answer(data=("name:sdc",)), BOOT, dataclasses.replace(full, holds=()))
    assert changed.id != plan.id


@pytest.mark.parametrize(
    ("more", "wipe", "words"),
    [
        ({"treasures": ("vg0",), "holds": ("x",)}, (), "only --wipe vg0"),
        ({"treasures": ("vg0",), "holds": ("x",)}, ("vg0",), ""),
        ({"holds": ("sdc1: ext4",)}, (), "it is not empty"),
        ({"holds": ("sdc1: ext4",)}, ("contents",), ""),
        ({"treasures": ("virtnode",), "installed": "virtnode 1"}, (), "only --wipe virtnode"),
        ({"refusals": ("sdc1 is mounted at /mnt",)}, ("all",), "is mounted at /mnt"),
        ({"sector_bytes": 4096}, (), "sectors of different sizes: sda 512, sdc 4096 bytes"),
        ({}, (), ""),
    ],
)
def test_a_data_disk_is_guarded_as_the_boot_disk_is(
    more: dict[str, object], wipe: tuple[str, ...], words: str
) -> None:
    """Unattended: refusals, treasures, and whatever else is on it."""
    boot, answer = dataclasses.replace(BOOT, sector_bytes=512), Answer(data=("/dev/sdc",), wipe=wipe)
    plan = planned(answer, boot, disk("sdc", **more), unattended=True)
    assert len(plan.problems) == bool(words)
    assert words in "".join(plan.problems)
    assert all(problem.startswith(("sdc (", "one volume group")) for problem in plan.problems)


def test_a_medium_named_by_its_path_is_refused() -> None:
    """As for the boot disk: a path is taken at its word, and told why not."""
    stick = disk("sdb", bus="usb", refusals=(BOOT_MEDIUM,))
    assert BOOT_MEDIUM in planned(Answer(data=("/dev/sdb",)), BOOT, stick).problems[0]


def test_what_is_kept_has_no_part_in_it() -> None:
    """--keep leaves data as it is, on whatever disks it lies."""
    installed = dataclasses.replace(BOOT, installed="virtnode 1")
    plan = planned(Answer(data=("bus:nvme",), thin=True), installed, *DISKS[1:], keep=True)
    assert (plan.data, plan.problems) == ((), ())
    assert not [step for step in plan.steps if "volume group" in step or "thin" in step]


def test_a_small_boot_disk_may_leave_all_to_the_others() -> None:
    """The group is then made of the data disks alone."""
    small = disk("sda", size_bytes=8 * 10**9)
    sizes = Answer(data=("bus:nvme",), slot=3000)
    assert DATA not in {region.name for region in plan_regions(small, sizes)}
    plan = planned(sizes, small, *DISKS[1:])
    assert "make the volume group" in plan.steps


def test_a_power_cut_leaves_nothing_that_looks_whole(tmp_path: Path, calls: Calls) -> None:
    """Data disks are erased once the boot disk starts no more, and before it starts again."""
    other = tmp_path / "other"
    make_foreign_disk_at(other)
    work = dataclasses.replace(make_work(tmp_path / "work"), data=(other,), thin_pool=True)
    names = [step.name for step in installation_steps(work)]
    assert names[:7] == ["close", "table", "slot", "state", "disks", "data", "thin"]
    make_foreign_disk(work.device)
    install(work, cut_after=names.index("disks"))
    assert "foreign-esp" in run(["sfdisk", "--dump", other]).stdout
    install(work, cut_after=names.index("disks") + 1)
    seen = look(work)
    assert (seen.menu_starts, seen.uefi_starts, seen.bios_starts) == (False, False, "next")
    assert run(["blkid", "-p", other], check=False).stdout == ""
    install(work)
    assert look(work).menu_starts
    assert calls()[-3:] == [
        f"vgcreate --yes --quiet virtnode-00000001 {other}",
        "systemd-run --quiet --pipe --wait --collect modprobe dm-thin-pool",
        'lvcreate --yes --quiet --config global/thin_check_executable="" --type thin-pool --name guests '
        "--extents 98%VG virtnode-00000001",
    ]


def test_a_disk_that_cannot_be_written_stops_it_before_the_first_byte(tmp_path: Path) -> None:
    """The boot disk is still what it was."""
    work = make_work(tmp_path)
    make_foreign_disk(work.device)
    work = dataclasses.replace(work, data=(tmp_path / "gone",))
    with pytest.raises(VirtnodeError, match="gone cannot be written"):
        install(work)
    assert look(work).bios_starts == "foreign"


def test_nothing_is_left_on_a_data_disk(tmp_path: Path) -> None:
    """No table, and no file system of a partition: what makes a group of it has nothing to ask about."""
    other = tmp_path / "other"
    make_foreign_disk_at(other)
    blank_disk(other)
    assert run(["blkid", "-p", other], check=False).stdout == ""
    assert run(["blkid", "-p", "-O", str(104448 * 512), other], check=False).stdout == ""


def test_a_confirmed_installation_takes_the_data_disks_along(tmp_path: Path, calls: Calls) -> None:
    """Their volume groups are stopped before anything is written."""
    intent = dataclasses.replace(SMALL, data=("name:sdb",), wipe=("vg0",))
    row = disk_row("sdb", pttype="gpt", children=[part_row("sdb1", fstype="LVM2_member")])
    group: dict[str, object] = {"pv_name": "/dev/sdb1", "vg_name": "vg0", "vg_tags": ""}
    machine = Machine(tmp_path / "machine", [disk_row(), row], [group], intent=intent)
    make_foreign_disk_at(machine.root / "dev/sdb")
    installation = machine.installation()
    request = InstallRequest("/dev/sda")
    plan = installation.plan(request)
    assert plan.problems == ()
    installation.run(InstallRun(request, plan.id, plan.disk.confirmation), "root")
    installation.wait(60)
    assert installation.progress().state is InstallState.SUCCEEDED
    assert calls()[0] == "vgchange --activate n vg0"
    assert "udevadm wait" in calls()[1]
    assert "vgcreate" in calls()[2]
    assert calls()[2].endswith(f" {machine.root / 'dev/sdb'}")


def test_a_node_that_is_installed_already_looks_for_no_data_disks(tmp_path: Path, calls: Calls) -> None:
    """A machine that always starts from the network goes on where one of them broke."""
    machine = Machine(tmp_path / "machine", [disk_row()], boot="/dev/sda")
    first = machine.installation()
    first.begin()
    first.wait(60)
    machine.read_table()
    machine.intent = dataclasses.replace(SMALL, data=("bus:nvme",))
    again = machine.installation()
    again.begin()
    again.wait(60)
    assert "has this system already" in again.progress().step


def make_foreign_disk_at(path: Path) -> None:
    """Make a disk of 60 MiB with a table and file systems."""
    path.touch()
    with path.open("r+b") as file:
        file.truncate(64 << 20)
    make_foreign_disk(path)
