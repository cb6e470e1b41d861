"""What stands against an installation: one test for each refusal, and what a plan says."""

from pathlib import Path
from typing import Any

import pytest

from nodeagent.install.disks import DOMAIN_TAG, collect_install_disks
from nodeagent.install.fat import FatWriter
from nodeagent.install.medium import Medium, find_medium
from nodelib.bus_install import InstallDisk, InstallRequest
from nodelib.install_planning import Answer, Wanted, make_plan, plan_regions, read_wanted
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


GROUP = {"pv_name": "/dev/sda2", "vg_name": "vg0", "vg_tags": ""}
DOMAIN = {"pv_name": "/dev/sda2", "vg_name": "4f1c", "vg_tags": f"{DOMAIN_TAG},MDT_TYPE=Data"}
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
    assert problems(found) == ()
    assert "--wipe virtnode" in problems(found, unattended=True)[0]


def test_nothing_can_be_kept_where_nothing_is() -> None:
    """--keep is for a node that is installed."""
    assert "no node is installed" in problems(disk(), keep=True)[0]
    assert problems(disk(installed="virtnode 0.1.0"), keep=True) == ()
    mounted = disk(installed="virtnode 0.1.0", refusals=("sda5 is mounted at /var/lib/virtnode",))
    assert problems(mounted, keep=True) == ()
    assert problems(mounted) != ()


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
