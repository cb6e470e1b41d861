"""What is told to LVM and udev, by commands that write down how they were called."""

import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from nodeagent.install.steps import (
    PARTITION_LOOKS,
    close_foreign,
    find_partition,
    installation_steps,
    make_data,
    settle,
)
from nodeagent.install.volumes import (
    blank_disk,
    has_thin_check,
    make_group,
    make_thin_pool,
    stop_group,
    thin_problem,
)
from nodelib.bus_install import InstallRequest
from nodelib.errors import VirtnodeError
from nodelib.install_planning import Answer, make_plan, read_wanted
from nodelib.run import run
from nodelib.slots import DATA, LINUX_LVM, STATE, Region
from tests.nodeagent.install.conftest import FAKE, Calls
from tests.nodeagent.install.machines import SMALL, Machine, disk, disk_row
from tests.nodeagent.install.works import OLD_BOOT_CODE, make_foreign_disk, make_work


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
    partition = "/dev/disk/by-partuuid/abcdef01-0000-0000-0000-000000000000"
    assert calls() == [
        f"udevadm wait --timeout=120 {partition}",
        f"vgcreate --yes --quiet virtnode-00000001 {partition}",
    ]


def test_a_partition_that_comes_and_goes_is_waited_for(
    tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """udev has said that it is there, and then reads the table anew: it is asked again, and not for ever."""
    monkeypatch.setattr("nodeagent.install.steps.PARTITIONS", tmp_path)
    work = dataclasses.replace(make_work(tmp_path / "work"), has_partitions=True)
    link = tmp_path / work.identifiers[STATE].lower()
    once = ["udevadm settle --timeout=120", f"udevadm wait --timeout=120 {link}"]
    with pytest.raises(VirtnodeError, match="does not stay"):
        find_partition(work, STATE)
    assert calls() == once * PARTITION_LOOKS
    (tmp_path / "log").write_text("")
    fake = FAKE.format(log=tmp_path / "log", status=0)
    comes = f"[ $(wc -l <{tmp_path}/log) -lt 4 ] || ln -sf /dev/null {link}\nexit"
    (tmp_path / "bin/udevadm").write_text(fake.replace("exit", comes, 1))
    assert find_partition(work, STATE) == Path("/dev/null")
    assert calls() == once * 2


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
    assert calls() == ["udevadm settle --timeout=120"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Make a machine whose configuration wants a thin pool, and whose image lacks everything for it."""
    return Machine(tmp_path, [disk_row()], intent=dataclasses.replace(SMALL, data="lvm", thin=True))


def test_a_thin_pool_needs_program_and_driver(machine: Machine) -> None:
    """The plan says in one line what the image is without; the driver may be loaded, or lie there."""
    request, root = InstallRequest("/dev/sda"), machine.root
    plan = machine.installation().plan(request)
    assert plan.problems == ("a thin pool cannot be made: this image is without lvm2",)
    assert "make its thin pool guests" in plan.steps
    make_file(root / "usr/sbin/lvcreate")
    driver = "a thin pool cannot be made: this image is without the driver dm-thin-pool"
    assert machine.installation().plan(request).problems == (driver,)
    said: list[str] = []

    def command(argv: Sequence[str]) -> str:
        said.append(" ".join(argv))
        return "insmod /lib/modules/6.1/kernel/drivers/md/dm-thin-pool.ko.xz\n"

    assert thin_problem(root, command) == ""
    outside = "systemd-run --quiet --pipe --wait --collect"
    assert said == [f"{outside} modprobe --dry-run --verbose dm-thin-pool"]
    make_file(root / "sys/module/dm_thin_pool/refcnt")
    assert machine.installation().plan(request).problems == ()
    machine.intent = dataclasses.replace(machine.intent, thin=False)
    shutil.rmtree(root / "usr")
    assert machine.installation().plan(request).problems == ()


def make_file(path: Path) -> None:
    """Make an empty file."""
    path.parent.mkdir(parents=True)
    path.touch()


def test_a_thin_pool_needs_a_volume_group() -> None:
    """Where data is none, the plan says so."""
    wanted = read_wanted(InstallRequest("/dev/sda"), Answer(data="none", thin=True), "", 0, "")
    assert "no volume group for a thin pool" in make_plan(wanted, disk()).problems[0]


def test_a_thin_pool_is_made_with_what_the_image_has(tmp_path: Path, calls: Calls) -> None:
    """LVM checks it where it can, and is told not to where it cannot."""
    assert not has_thin_check(tmp_path)
    make_file(tmp_path / "usr/sbin/thin_check")
    assert has_thin_check(tmp_path)
    make_thin_pool("g", check=True)
    make_thin_pool("g", check=False)
    end = "--type thin-pool --name guests --extents 98%VG g"
    assert calls() == [
        f"lvcreate --yes --quiet {end}",
        f'lvcreate --yes --quiet --config global/thin_check_executable="" {end}',
    ]


@pytest.fixture
def loops(tmp_path: Path) -> Iterator[list[Path]]:
    """Attach two disks of 1 GiB that are files."""
    if shutil.which("losetup") is None or shutil.which("vgcreate") is None:
        pytest.skip("losetup or lvm2 is not installed")
    devices: list[Path] = []
    for name in ("one", "two"):
        (tmp_path / name).touch()
        with (tmp_path / name).open("r+b") as file:
            file.truncate(1 << 30)
        found = run(["losetup", "--find", "--show", "--partscan", tmp_path / name], check=False)
        if found.status:
            for device in devices:
                run(["losetup", "--detach", device])
            pytest.skip(f"this host has no loop devices: {found.stderr.strip()}")
        devices.append(Path(found.stdout.strip()))
    yield devices
    for device in devices:
        run(["losetup", "--detach", device])


@pytest.mark.integration
def test_lvm_takes_disks_that_were_full(loops: list[Path]) -> None:
    """The real commands, over disks that held another system and another volume group."""
    make_foreign_disk(loops[0])
    make_group("virtnode-old", [loops[1]])
    stop_group("virtnode-old")
    for device in loops:
        blank_disk(device)
    make_group("virtnode-test", loops)
    try:
        rows = run(["pvs", "--noheadings", "-o", "pv_name,vg_name"]).stdout.split()
        assert [rows[rows.index(str(device)) + 1] for device in loops] == ["virtnode-test"] * 2
    finally:
        run(["vgremove", "--force", "--yes", "virtnode-test"])


@pytest.mark.integration
def test_lvm_makes_the_thin_pool(loops: list[Path]) -> None:
    """Nearly all of the group, and room for more metadata is left."""
    if "device-mapper" not in Path("/proc/devices").read_text():
        pytest.skip("this kernel has no device-mapper")
    make_group("virtnode-test", loops)
    try:
        make_thin_pool("virtnode-test", check=has_thin_check(Path("/")))
        rows = run(["lvs", "--noheadings", "-o", "lv_name,segtype", "virtnode-test"]).stdout.split()
        assert rows == ["guests", "thin-pool"]
    finally:
        run(["vgremove", "--force", "--yes", "virtnode-test"])
