"""What nobody watches waits for its disks: late ones, absent ones, and those that come and go."""

import dataclasses
import threading
from pathlib import Path

import pytest

from nodeagent.install.disk_wait import ABSENT_SECONDS, STEADY_SECONDS
from nodeagent.install.installation import Installation
from nodeagent.install.slot_images import has_image
from nodelib.bus_install import InstallProgress, InstallRequest, InstallRun, InstallState
from nodelib.run import run
from nodelib.slots import SECTOR
from tests.nodeagent.install.machines import FACTS, SMALL, Machine, disk_row
from tests.nodeagent.install.works import make_squashfs

LARGE = disk_row("sdb", size=20 * 10**9)


def machine_of(tmp_path: Path, *rows: dict[str, object], boot: str = "smallest") -> Machine:
    """Make a machine that is told to install, and does not restart."""
    intent = dataclasses.replace(SMALL, after="stay")
    return Machine(tmp_path, list(rows), intent=intent, boot=boot)


def ended(installation: Installation) -> InstallProgress:
    """Begin, and wait for the end."""
    installation.begin()
    installation.wait(60)
    return installation.progress()


def test_a_disk_that_is_late_counts(tmp_path: Path) -> None:
    """`smallest` is the smallest of all, and not of those whose controller was the first."""
    machine = machine_of(tmp_path, LARGE)
    machine.arrivals.append((5.0, lambda: machine.rows.append(disk_row())))
    now = ended(machine.installation())
    assert (now.state, now.disk) == (InstallState.SUCCEEDED, "sda")
    assert machine.settled == 1


def test_a_driver_that_is_still_at_work_is_waited_for(tmp_path: Path) -> None:
    """What a controller finds after half a minute is there before anything is chosen."""
    machine = machine_of(tmp_path, LARGE)
    modules = tmp_path / "proc/modules"
    modules.write_text("mpt3sas 335872 0 - Loading 0x0000000000000000\n")

    def find() -> None:
        modules.write_text("mpt3sas 335872 0 - Live 0x0000000000000000\n")
        machine.rows.append(disk_row())

    machine.arrivals.append((30.0, find))
    assert ended(machine.installation()).disk == "sda"


def test_no_disk_at_all_is_waited_for_and_told(tmp_path: Path) -> None:
    """The status says so meanwhile; when the disk appears, it is installed to."""
    machine = machine_of(tmp_path)
    installation = machine.installation()
    told: list[tuple[str, ...]] = []

    def appear() -> None:
        told.append((*installation.problems, installation.progress().step))
        machine.rows.append(disk_row())

    machine.arrivals.append((120.0, appear))
    assert ended(installation).state is InstallState.SUCCEEDED
    assert told[0][0] == told[0][1]
    assert "node.install waits for a disk" in told[0][0]
    assert "there is no disk" in told[0][0]
    assert installation.problems == ()


def test_a_disk_that_never_comes_ends_the_waiting(tmp_path: Path) -> None:
    """After minutes it fails as any other doubt does."""
    machine = machine_of(tmp_path, disk_row(), boot="bus:nvme")
    installation = machine.installation()
    now = ended(installation)
    assert (now.state, now.step) == (InstallState.FAILED, "")
    assert "bus:nvme means none" in now.error
    assert len(installation.problems) == 1
    assert ABSENT_SECONDS <= machine.now <= ABSENT_SECONDS + STEADY_SECONDS


def test_disks_that_come_and_go_are_not_waited_for_without_end(tmp_path: Path) -> None:
    """What is there after a minute is used."""
    machine = machine_of(tmp_path, disk_row())
    for number in range(1, 100):
        row = disk_row("sdb", serial=f"SN-{number}", size=20 * 10**9)
        machine.arrivals.append((5.0 * number, lambda row=row: machine.rows.__setitem__(slice(1, 2), [row])))  # type: ignore[misc]
    assert ended(machine.installation()).state is InstallState.SUCCEEDED
    assert machine.now == pytest.approx(STEADY_SECONDS)


def test_the_agent_goes_on_while_it_waits(tmp_path: Path) -> None:
    """It begins at once, and a person's plan waits for nothing."""
    machine = machine_of(tmp_path)
    waiting, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        waiting.set()
        assert go_on.wait(60)

    machine.arrivals.append((5.0, hold))
    installation = machine.installation()
    installation.begin()
    assert waiting.wait(60)
    assert "waiting until all disks are there" in installation.progress().step
    machine.rows.append(disk_row())
    assert installation.plan(InstallRequest("/dev/sda")).problems == ()
    assert (machine.now, machine.settled) == (5.0, 1)
    go_on.set()
    installation.wait(60)


def test_one_answer_installs_and_keeps(tmp_path: Path) -> None:
    """With `keep` a blank disk becomes a node, and another build's medium leaves its state there."""
    machine = machine_of(tmp_path, disk_row(), boot="/dev/sda")
    machine.intent = dataclasses.replace(machine.intent, keep=True)
    assert ended(machine.installation()).state is InstallState.SUCCEEDED
    machine.read_table()
    state = tmp_path / "dev/sda"
    place = next(part for part in machine.rows[0]["children"] if part["partlabel"] == "virtnode-state")  # type: ignore[attr-defined]
    before = read_state(state, place["start"])
    machine.facts = dataclasses.replace(FACTS, build_id="9f9f9f9f9f9f")
    make_squashfs(tmp_path / "dev/loop0", b"t")
    again = machine.installation()
    assert ended(again).state is InstallState.SUCCEEDED
    assert again.view().disks[0].build == "9f9f9f9f9f9f"
    assert read_state(state, place["start"]) == before


def test_a_node_that_was_updated_to_this_build_is_left_alone(tmp_path: Path) -> None:
    """The marker names what was installed first; what a slot holds counts, if it could be started."""
    machine = machine_of(tmp_path, disk_row())
    machine.intent = dataclasses.replace(machine.intent, wipe=("all",))
    assert ended(machine.installation()).state is InstallState.SUCCEEDED
    machine.read_table()
    machine.facts = dataclasses.replace(FACTS, build_id="9f9f9f9f9f9f")
    updated = make_squashfs(tmp_path / "dev/loop0", b"t")
    disk = tmp_path / "dev/sda"
    slots = {part["partlabel"]: part["start"] * SECTOR for part in machine.rows[0]["children"]}  # type: ignore[attr-defined]
    with disk.open("r+b") as file:
        file.seek(slots["virtnode-b"])
        file.write(updated.read_bytes())
    assert not has_image(disk, updated)
    run(["mmd", "-i", f"{disk}@@2M", "::b"])
    run(["mcopy", "-i", f"{disk}@@2M", tmp_path / "proc/cmdline", "::b/slot.cfg"])
    assert has_image(disk, updated)
    again = machine.installation()
    assert "has this system already" in ended(again).step
    assert again.view().disks[0].build == FACTS.build_id
    make_squashfs(updated, b"u")
    assert ended(machine.installation()).state is InstallState.SUCCEEDED


@pytest.mark.parametrize("image", ["no squashfs", None])
def test_what_cannot_be_compared_is_no_image(tmp_path: Path, image: str | None) -> None:
    """Neither is a disk without the layout of a node."""
    path = tmp_path / "image"
    path.write_text(image or "")
    assert not has_image(tmp_path / "image", path if image else None)


def read_state(disk: Path, sector: int) -> bytes:
    """Read where the state's file system says what it is."""
    with disk.open("rb") as file:
        file.seek(sector * SECTOR)
        return file.read(4096)


def test_a_mistake_in_the_configuration_stops_it(tmp_path: Path) -> None:
    """A source with a mistake is left out whole, and `keep` might have been in it."""
    machine = machine_of(tmp_path, disk_row())
    machine.mistakes = ("node.toml:3: install.kepp: unknown",)
    now = ended(machine.installation())
    assert now.state is InstallState.FAILED
    assert now.error.endswith("node.toml:3: install.kepp: unknown")
    assert "by hand" in now.hint
    machine.wait_for_news()
    assert machine.events() == []
    with (machine.root / "dev/sda").open("rb") as disk:
        assert not any(disk.read(1 << 20))


def test_a_person_may_be_first(tmp_path: Path) -> None:
    """Whoever installs by hand while it waits is not interfered with."""
    machine = machine_of(tmp_path, boot="bus:nvme")
    installation = machine.installation()

    def by_hand() -> None:
        machine.rows.append(disk_row())
        request = InstallRequest("/dev/sda")
        plan = installation.plan(request)
        installation.run(InstallRun(request, plan.id, plan.confirmation), "root")

    machine.arrivals.append((20.0, by_hand))
    now = ended(installation)
    assert (now.state, now.disk, now.error) == (InstallState.SUCCEEDED, "sda", "")
    assert machine.events() == ["install-started", "install-succeeded"]
    assert machine.now < ABSENT_SECONDS
