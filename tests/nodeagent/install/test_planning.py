"""What stands against an installation: one test for each refusal, and what a plan says."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from nodeagent.install.disks import DOMAIN_TAG, collect_install_disks
from nodeagent.install.fat import FatWriter
from nodeagent.install.medium import Medium, find_medium
from nodelib.bus_install import InstallDisk, InstallRequest
from nodelib.install_planning import NOTHING_KEPT, Answer, Wanted, make_plan, plan_regions, read_wanted
from nodelib.slots import DATA, MEBIBYTE
from tests.nodeagent.install.machines import Machine, disk, disk_row, part_row


def seen(tmp_path: Path, *rows: dict[str, object], groups: tuple[dict[str, object], ...] = ()) -> InstallDisk:
    """Describe the first disk of a machine with these."""
    machine = Machine(tmp_path, list(rows), list(groups))
    return collect_install_disks(tmp_path, machine.command, find_medium(tmp_path))[0]


def problems(found: InstallDisk, **more: Any) -> tuple[str, ...]:  # noqa: ANN401 - any of a request's fields
    """Plan an installation to a disk, and return what is in the way."""
    unattended = more.pop("unattended", False)
    wanted = read_wanted(InstallRequest("/dev/sda", **more), Answer(), "", 0, "")
    return make_plan(Wanted(**{**vars(wanted), "unattended": unattended}), found).problems


def test_a_blank_disk_is_fine(tmp_path: Path) -> None:
    """Nothing is in the way, and the whole layout is shown."""
    found = seen(tmp_path, disk_row())
    assert problems(found) == ()
    assert problems(found, unattended=True) == ()
    assert found.confirmation == "7A3F"
    plan = make_plan(Wanted("/dev/sda", False, (), Answer()), found)
    assert [region.name for region in plan.regions] == [
        "bios", "esp", "virtnode-a", "virtnode-b", "virtnode-state", "virtnode-data",
    ]  # fmt: skip
    assert sum(region.size_bytes for region in plan.regions) < found.size_bytes


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            disk_row(children=[part_row("sda1", fstype="ext4", mountpoints=["/mnt"])]),
            "sda1 is mounted at /mnt",
        ),
        (disk_row(fstype="swap", mountpoints=["[SWAP]"]), "swap is on it"),
        (disk_row(children=[{"name": "md0", "type": "raid1", "mountpoints": [None]}]), "md0 (raid1)"),
        (disk_row(children=[{"name": "mpatha", "type": "mpath"}]), "mpatha (mpath) is made of it"),
        (disk_row(children=[part_row("sda1", children=[{"name": "luks-1", "type": "crypt"}])]), "luks-1"),
        (disk_row(size=7 * 10**9), "less than 8 GB"),
        (disk_row(ro=True), "read-only"),
        (disk_row("sr0", type="disk"), "the medium that this system runs from"),
        (
            disk_row(children=[part_row("sda5", fstype="ext4", mountpoints=["/var/lib/virtnode"])]),
            "its entry Install",
        ),
    ],
)
def test_what_is_in_use_is_refused_whatever_is_confirmed(
    tmp_path: Path, row: dict[str, object], words: str
) -> None:
    """A mounted file system, swap, what device-mapper or RAID hold, the boot medium, too small, read-only."""
    found = seen(tmp_path, row)
    assert words in "; ".join(problems(found))
    assert words in "; ".join(problems(found, wipe=("all",)))


GROUP: dict[str, object] = {"pv_name": "/dev/sda2", "vg_name": "vg0", "vg_tags": ""}
DOMAIN = {"pv_name": "/dev/sda2", "vg_name": "4f1c", "vg_tags": f"{DOMAIN_TAG},MDT_TYPE=Data"}
RAIDS = (
    "isw",
    "ddf",
    "lsi_mega",
    "via",
    "nvidia",
    "promise_fasttrack",
    "silicon_medley",
    "adaptec",
    "jmicron",
)
PV = disk_row(pttype="gpt", children=[part_row("sda2", fstype="LVM2_member")])


@pytest.mark.parametrize(
    ("row", "groups", "name"),
    [
        (PV, (GROUP,), "vg0"),
        (PV, (DOMAIN,), "4f1c"),
        (PV, (), "lvm"),
        (disk_row(fstype="linux_raid_member"), (), "raid"),
        (disk_row(fstype="zfs_member"), (), "zfs"),
        (disk_row(fstype="ceph_bluestore"), (), "ceph"),
        (disk_row(children=[part_row("sda1", fstype="crypto_LUKS")]), (), "luks"),
        (disk_row(children=[part_row("sda1", fstype="VMFS_volume_member")]), (), "vmfs"),
        (disk_row(children=[part_row("sda1", fstype="VMFS")]), (), "vmfs"),
        (disk_row(children=[part_row("sda1", parttype="aa31e02a-400f-11db-9590-000c2911d1b8")]), (), "vmfs"),
        (disk_row(children=[part_row("sda1", parttype="0xfb")]), (), "vmfs"),
        *((disk_row(fstype=f"{kind}_raid_member"), (), "raid") for kind in RAIDS),
        (disk_row(fstype="LVM1_member"), (), "lvm"),
        (disk_row(fstype="stratis"), (), "stratis"),
        (disk_row(fstype="ocfs2"), (), "ocfs2"),
        (disk_row(fstype="gfs2"), (), "gfs2"),
        (disk_row(fstype="mpath_member"), (), "multipath"),
    ],
)
def test_what_is_precious_must_be_named(
    tmp_path: Path, row: dict[str, object], groups: tuple[dict[str, object], ...], name: str
) -> None:
    """A volume group, storage domain, RAID member and the like: only `wipe` with its name allows it."""
    found = seen(tmp_path, row, groups=groups)
    assert found.treasures == (name,)
    assert f"--wipe {name}" in "; ".join(problems(found))
    assert f"--wipe {name}" in "; ".join(problems(found, wipe=("something-else",)))
    assert problems(found, wipe=(name,)) == ()
    assert problems(found, wipe=("all",), unattended=True) == ()


def test_unattended_nothing_is_erased_without_a_word(tmp_path: Path) -> None:
    """A person reads what is on a disk; where nobody does, the configuration must allow it."""
    found = seen(tmp_path, disk_row(pttype="dos", children=[part_row("sda1", fstype="ntfs", label="Data")]))
    assert problems(found) == ()
    assert "not empty" in problems(found, unattended=True)[0]
    assert problems(found, unattended=True, wipe=("contents",)) == ()


NTFS = part_row("sda1", fstype="ntfs", label="Data")
BOOT_PARTITION = part_row("sda1", size=2**20)
VOLUME = {"name": "vg0-root", "type": "lvm", "fstype": "ext4", "mountpoints": [None]}
MEMBER = part_row("sda2", fstype="LVM2_member", children=[VOLUME])
EXT4 = part_row("sda3", fstype="ext4")


@pytest.mark.parametrize(
    ("children", "contents"),
    [
        ([NTFS, MEMBER], ("sda1",)),
        ([MEMBER, EXT4], ("sda3",)),
        ([MEMBER, part_row("sda3")], ("sda3",)),
        ([BOOT_PARTITION, MEMBER], ()),
        ([MEMBER], ()),
    ],
)
def test_a_name_allows_nothing_beside_it(
    tmp_path: Path, children: list[dict[str, object]], contents: tuple[str, ...]
) -> None:
    """Whoever may destroy a volume group may not yet destroy the file system next to it."""
    found = seen(tmp_path, disk_row(pttype="gpt", children=children), groups=(GROUP,))
    assert (found.treasures, found.contents) == (("vg0",), contents)
    assert problems(found, wipe=("vg0",)) == ()
    left = "; ".join(problems(found, wipe=("vg0",), unattended=True))
    assert [name for name in ("sda1", "sda3") if f"not empty ({name});" in left] == list(contents)
    assert bool(left) == bool(contents)
    assert problems(found, wipe=("vg0", "contents"), unattended=True) == ()
    assert "--wipe vg0" in problems(found, wipe=("contents",), unattended=True)[0]


@pytest.mark.parametrize(
    ("row", "contents"),
    [
        (disk_row(), ()),
        (disk_row(fstype="ext4"), ("sda",)),
        (disk_row(pttype="gpt"), ("sda",)),
        (disk_row(pttype="gpt", children=[EXT4]), ("sda3",)),
        (disk_row(fstype="linux_raid_member"), ()),
    ],
)
def test_a_disk_without_partitions_has_contents_too(
    tmp_path: Path, row: dict[str, object], contents: tuple[str, ...]
) -> None:
    """A file system on all of it, or a table alone."""
    assert seen(tmp_path, row).contents == contents


def test_what_was_recorded_before_is_careful_too() -> None:
    """A machine's survey may be older than the word for contents."""
    assert "it is not empty; " in problems(disk(holds=("sda1: ntfs",)), unattended=True)[0]


def test_a_disk_says_what_is_on_it(tmp_path: Path) -> None:
    """Table, partitions with their names, file systems, volume groups, and whose system it looks like."""
    row = disk_row(
        pttype="gpt",
        children=[
            part_row("sda1", fstype="vfat", partlabel="EFI system partition"),
            part_row("sda2", fstype="LVM2_member", children=[{"name": "pve-root", "type": "lvm"}]),
        ],
    )
    found = seen(tmp_path, row, groups=({"pv_name": "/dev/sda2", "vg_name": "pve", "vg_tags": ""},))
    assert found.holds == (
        "sda: gpt partition table",
        'sda1: "EFI system partition", vfat',
        "sda2: LVM2_member, volume group pve",
    )
    assert found.systems == ("Proxmox VE",)
    assert (
        "looks like one of Proxmox VE"
        in make_plan(Wanted("/dev/sda", False, (), Answer()), found).warnings[0]
    )


def test_the_time_of_the_last_mount_is_read(tmp_path: Path) -> None:
    """From the superblock of an ext file system."""
    machine = Machine(tmp_path, [disk_row(children=[part_row("sda1", fstype="ext4")])])
    block = bytearray(2048)
    block[1024 + 0x38 : 1024 + 0x3A] = b"\x53\xef"
    block[1024 + 0x2C : 1024 + 0x30] = (1_700_000_000).to_bytes(4, "little")
    (tmp_path / "dev/sda1").write_bytes(block)
    found = collect_install_disks(tmp_path, machine.command, Medium(None))[0]
    assert found.last_mounted == 1_700_000_000


def test_a_disk_with_the_disk_image_has_a_node(tmp_path: Path) -> None:
    """It was written as a whole, and has no marker: it is not unfinished."""
    parts = [
        part_row("sda2", partlabel="esp", start=2048),
        part_row("sda3", partlabel="virtnode-a"),
        part_row("sda5", partlabel="virtnode-state"),
    ]
    machine = Machine(tmp_path, [disk_row(children=parts)])
    with (tmp_path / "dev/sda").open("r+b") as file:
        writer = FatWriter(file.fileno(), MEBIBYTE, 64 * MEBIBYTE, label="X", serial=1)
        writer.write({"a/vmlinuz": b"kernel"}, lambda count: None)
        assert collect_install_disks(tmp_path, machine.command, Medium(None))[0].unfinished
        writer.finish()
    found = collect_install_disks(tmp_path, machine.command, Medium(None))[0]
    assert (found.installed, found.unfinished, found.treasures) == ("virtnode", False, ("virtnode",))
    assert found.contents == ()
    assert problems(found) == ()
    assert "--wipe virtnode" in problems(found, unattended=True)[0]


OWN_GROUP = "virtnode-3f9a21c7"


def under_way(name: str, tmp_path: Path) -> InstallDisk:
    """See a disk whose installation ended when its volume group was made; slot A has this name."""
    parts = [
        part_row("sda2", partlabel="esp", start=2048),
        part_row("sda3", partlabel=name),
        part_row("sda5", partlabel="virtnode-state", fstype="ext4"),
        part_row("sda6", partlabel="virtnode-data", fstype="LVM2_member"),
    ]
    group: dict[str, object] = {"pv_name": "/dev/sda6", "vg_name": OWN_GROUP, "vg_tags": ""}
    return seen(tmp_path, disk_row(pttype="gpt", children=parts), groups=(group,))


def test_what_began_from_nothing_is_begun_again_by_itself(tmp_path: Path) -> None:
    """There is nothing to keep, and nothing that anybody could miss; its group is stopped all the same."""
    found = under_way("virtnode-begun", tmp_path)
    assert (found.unfinished, found.begun, found.treasures) == (True, True, (OWN_GROUP,))
    assert problems(found, unattended=True) == ()
    assert "no node is installed" in problems(found, keep=True)[0]
    assert "never ended" in "; ".join(make_plan(Wanted("/dev/sda", False, (), Answer()), found).warnings)
    foreign = dataclasses.replace(found, treasures=(OWN_GROUP, "raid"))
    assert ["--wipe raid" in problem for problem in problems(foreign, unattended=True)] == [True]


def test_what_replaced_a_node_has_its_state_and_data_still(tmp_path: Path) -> None:
    """They are kept by whoever tries again, and destroyed by their name alone."""
    found = under_way("virtnode-unfinished", tmp_path)
    assert (found.unfinished, found.begun) == (True, False)
    assert f"--wipe {OWN_GROUP}" in problems(found, unattended=True)[0]
    assert f"--wipe {OWN_GROUP}" in problems(found)[0]
    assert problems(found, keep=True) == ()


def test_nothing_can_be_kept_where_nothing_is() -> None:
    """--keep is for a node that is installed."""
    assert "no node is installed" in problems(disk(), keep=True)[0]
    assert problems(disk(installed="virtnode 0.1.0"), keep=True) == ()
    mounted = disk(installed="virtnode 0.1.0", refusals=("sda5 is mounted at /var/lib/virtnode",))
    assert problems(mounted, keep=True) == ()
    assert problems(mounted) != ()


def test_a_configuration_keeps_what_there_is() -> None:
    """A blank disk is installed to, and a node is kept; but a person's word is of one disk."""
    wanted = read_wanted(InstallRequest("/dev/sda"), Answer(keep=True), "", 0, "").as_unattended()
    blank, node = disk(), disk(installed="virtnode 0.1.0", holds=("sda1: vfat",), treasures=("virtnode",))
    plan = make_plan(wanted.for_disk(blank), blank)
    assert (plan.keep, plan.problems) == (False, ())
    assert NOTHING_KEPT in plan.warnings
    plan = make_plan(wanted.for_disk(node), node)
    assert (plan.keep, plan.problems) == (True, ())
    full = disk(holds=("sda1: ntfs",), contents=("sda1",))
    assert "not empty" in make_plan(wanted.for_disk(full), full).problems[0]
    asked = read_wanted(InstallRequest("/dev/sda", keep=True), Answer(keep=True), "", 0, "")
    assert "no node is installed" in make_plan(asked.for_disk(blank), blank).problems[0]


def test_a_configuration_that_keeps_nodes_destroys_none_elsewhere() -> None:
    """A new disk beside the one with the node is not the reason to wipe that one as its mirror."""
    answer = Answer(keep=True, wipe=("all",))
    wanted = read_wanted(InstallRequest("/dev/sda"), answer, "", 0, "").as_unattended().for_disk(disk())
    node = disk("sdb", installed="virtnode 0.1.0", treasures=("virtnode",))
    assert "install.keep is true" in make_plan(wanted, disk(), mirror=node).problems[0]
    assert "install.keep is true" in make_plan(wanted, disk(), data=(node,)).problems[0]


def test_with_the_system_that_is_kept_no_earlier_one_is() -> None:
    """The boot partition is written anew, without slot B's kernel: a plan does not say that it stays."""
    wanted = Wanted("/dev/sda", True, (), Answer())
    node = disk(installed="virtnode 0.1.0")
    plan = make_plan(wanted, node, plan_regions(node, Answer()))
    shown = {region.name: region.content for region in plan.regions}
    assert (shown["virtnode-state"], shown["virtnode-data"]) == ("stays as it is", "stays as it is")
    assert "starts no more" in shown["virtnode-b"]
    assert "the systems of both slots" in plan.erased[0]


def test_sizes_are_the_configurations() -> None:
    """What is left is data, if there is a GiB of it and it is wanted."""
    sizes = {region.name: region.size for region in plan_regions(disk(), Answer(slot=2048, esp=512))}
    assert (sizes["virtnode-a"], sizes["virtnode-b"], sizes["esp"]) == (2048, 2048, 512)
    assert sizes[DATA] > 80_000
    assert DATA not in {region.name for region in plan_regions(disk(), Answer(data="none"))}
    small = disk(size_bytes=8 * 10**9)
    assert sum(region.size for region in plan_regions(small, Answer())) * MEBIBYTE < 8 * 10**9
    assert problems(small) == ()


def test_a_system_larger_than_its_slot_is_refused() -> None:
    """So are sizes larger than the disk."""
    wanted = Wanted("/dev/sda", False, (), Answer(), image_bytes=2000 * MEBIBYTE)
    assert "a slot 1024 MiB" in make_plan(wanted, disk()).problems[0]
    wanted = Wanted("/dev/sda", False, (), Answer(slot=65536))
    assert "MiB are needed" in make_plan(wanted, disk()).problems[0]


def test_a_plan_has_another_name_when_the_disk_changes() -> None:
    """So that nobody confirms what is no more there."""
    wanted = Wanted("/dev/sda", False, (), Answer())
    first = make_plan(wanted, disk()).id
    assert make_plan(wanted, disk()).id == first
    assert make_plan(wanted, disk(holds=("sda: gpt partition table",))).id != first


def test_a_request_wins_over_the_kernel_argument_and_that_over_the_configuration() -> None:
    """`ask` and `auto` are no rules."""
    intent = Answer(rule="largest")
    assert read_wanted(InstallRequest("first"), intent, "smallest", 0, "").rule == "first"
    assert read_wanted(InstallRequest(), intent, "smallest", 0, "").rule == "smallest"
    assert read_wanted(InstallRequest(), intent, "auto", 0, "").rule == "largest"
    assert read_wanted(InstallRequest(), intent, "ask", 0, "").rule == "largest"
    asked = read_wanted(InstallRequest(data=("bus:nvme",), thin=True), intent, "", 0, "").sizes
    assert (asked.data, asked.thin) == (("bus:nvme",), True)
    kept = read_wanted(InstallRequest(), Answer(data=("bus:sas",), thin=True), "", 0, "").sizes
    assert (kept.data, kept.thin) == (("bus:sas",), True)
