"""Installations to file-backed disks, and power cuts at every step of them, seen by other people's tools."""

import json
from pathlib import Path

import pytest

from nodeagent.install.disk_writer import read_back
from nodeagent.install.marker import read_marker
from nodeagent.install.steps import check_esp_size, esp_files, installation_steps
from nodelib.errors import VirtnodeError
from nodelib.run import run
from nodelib.slots import BEGUN, ESP, MEBIBYTE, SECTOR, SLOT_A, STATE, UNFINISHED
from tests.conftest import Golden
from tests.nodeagent.install.works import (
    BUILD,
    IMAGE_BYTES,
    PowerCut,
    install,
    install_torn,
    look,
    make_foreign_disk,
    make_work,
)

FRESH = ("close", "table", "slot", "state", "esp", "esp-whole", "bios", "name", "done")
KEEP = ("close", "slot", "esp", "esp-whole", "bios", "name", "done")


def test_an_installed_disk_has_everything(tmp_path: Path) -> None:
    """Table, slot, state and boot partition are what sfdisk, fsck, mtools and debugfs make of them."""
    work = make_work(tmp_path)
    noted = install(work)
    table = json.loads(run(["sfdisk", "--json", work.device]).stdout)["partitiontable"]
    assert [(part["name"], part["start"], part["size"]) for part in table["partitions"]] == [
        (region.name, region.start * 2048, region.size * 2048) for region in work.regions
    ]
    run(["sfdisk", "--verify", work.device])
    with work.device.open("rb") as disk:
        disk.seek(work.region(SLOT_A).start * MEBIBYTE)
        assert disk.read(IMAGE_BYTES) == work.image.read_bytes().ljust(IMAGE_BYTES, b"\0")[:IMAGE_BYTES]
    state = tmp_path / "state.img"
    cut_out(work.device, state, work.region(STATE).start, work.region(STATE).size)
    run(["e2fsck", "-n", "-f", state])
    assert run(["debugfs", "-R", "cat /node.toml", state]).stdout == "version = 1\n"
    assert "virtnode-state" in run(["blkid", "-p", state]).stdout
    esp = tmp_path / "esp.img"
    cut_out(work.device, esp, work.region(ESP).start, work.region(ESP).size)
    run(["fsck.vfat", "-n", esp])
    for name, content in esp_files(work).items():
        name = name.replace("todo", "done")
        assert run(["mtype", "-i", esp, f"::{name}"]).stdout.encode() == content
    assert noted[-1][0] == "done"
    assert noted[-1][1] >= 80


def cut_out(device: Path, target: Path, start: int, size: int) -> None:
    """Copy a partition, in MiB, to a file of its own."""
    run(["dd", f"if={device}", f"of={target}", "bs=1M", f"skip={start}", f"count={size}", "status=none"])


def test_the_percentage_never_falls(tmp_path: Path) -> None:
    """From 0 on, and below 100 until all is done."""
    percents = [percent for _, percent in install(make_work(tmp_path))]
    assert percents == sorted(percents)
    assert percents[0] == 0
    assert max(percents) <= 99


@pytest.mark.parametrize("count", range(len(FRESH) + 1))
def test_a_power_cut_leaves_nothing_that_looks_whole(tmp_path: Path, count: int) -> None:
    """After each step of a fresh installation over another system: all or nothing, by either firmware."""
    work = make_work(tmp_path)
    make_foreign_disk(work.device)
    assert tuple(step.name for step in installation_steps(work)) == FRESH
    install(work, cut_after=count)
    seen = look(work)
    if count == 0:
        assert (seen.bios_starts, seen.names[0]) == ("foreign", "foreign-esp")
        return
    done = FRESH[:count]
    finished = done == FRESH
    # The old system starts no more, not even by halves.
    assert "foreign-esp" not in seen.names
    assert seen.bios_starts in (("grub",) if "bios" in done else ("nothing", "next"))
    # Whatever has a loader has a menu that asks for the marker, which is there at the very end alone.
    assert seen.uefi_starts == ("esp-whole" in done)
    assert seen.menu_starts == finished
    if "table" in done:
        assert (SLOT_A in seen.names) == ("name" in done)
        assert (BEGUN in seen.names) == ("name" not in done)
    marker = read_marker(work.device, work.region(ESP).start * MEBIBYTE)
    assert (marker is not None and marker.finished) == finished
    # Whoever tries again succeeds.
    install(work)
    assert look(work).menu_starts


@pytest.mark.parametrize("count", range(len(KEEP) + 1))
def test_a_power_cut_while_state_is_kept(tmp_path: Path, count: int) -> None:
    """The old node starts until the first write, none after it, the new one at the end; the state stays."""
    install(make_work(tmp_path, fill="old"))
    work = make_work(tmp_path, fill="new", keep=True)
    assert tuple(step.name for step in installation_steps(work)) == KEEP
    before = state_sum(work.device, work.region(STATE).start)
    install(work, cut_after=count)
    seen = look(work)
    finished = count == len(KEEP)
    assert seen.menu_starts == (count == 0 or finished)
    assert (SLOT_A in seen.names) == (count == 0 or "name" in KEEP[:count])
    assert (UNFINISHED in seen.names) == (SLOT_A not in seen.names)
    if 0 < count < len(KEEP):
        assert (seen.bios_starts == "grub") == ("bios" in KEEP[:count])
    assert state_sum(work.device, work.region(STATE).start) == before
    install(work)
    assert look(work).menu_starts
    assert read_marker(work.device, work.region(ESP).start * MEBIBYTE) is not None


def state_sum(device: Path, start: int) -> str:
    """Return the sum of the state partition."""
    with device.open("rb") as disk:
        return read_back(disk.fileno(), start * MEBIBYTE, 8 * MEBIBYTE, lambda count: None)


@pytest.mark.parametrize("step", ["slot", "esp"])
def test_a_power_cut_in_the_midst_of_a_copy(tmp_path: Path, step: str) -> None:
    """Half a copy does not start, whatever is there already."""
    work = make_work(tmp_path)
    install(work)
    with pytest.raises(PowerCut):
        install_torn(work, torn=FRESH.index(step))
    seen = look(work)
    assert not seen.menu_starts
    assert not seen.uefi_starts
    assert SLOT_A not in seen.names


def test_the_marker_is_one_sector(tmp_path: Path) -> None:
    """The last step changes one sector of the disk, so that no power cut halves it."""
    work = make_work(tmp_path)
    install(work, cut_after=-1)
    before = work.device.read_bytes()
    install_steps = installation_steps(work)
    install_steps[-1].do(work, lambda count: None)
    after = work.device.read_bytes()
    changed = {
        place // SECTOR
        for block in range(0, len(before), MEBIBYTE)
        if before[block : block + MEBIBYTE] != after[block : block + MEBIBYTE]
        for place in range(block, block + MEBIBYTE)
        if before[place] != after[place]
    }
    assert len(changed) == 1
    marker = read_marker(work.device, work.region(ESP).start * MEBIBYTE)
    assert marker is not None
    assert (marker.product, marker.build, marker.finished) == ("virtnode new", BUILD, True)


def test_leftovers_are_gone(tmp_path: Path) -> None:
    """What stood where a new partition has nothing yet is found by nobody."""
    work = make_work(tmp_path)
    make_foreign_disk(work.device)
    install(work, cut_after=2)
    for region in work.regions:
        found = run(["blkid", "-p", "-O", str(region.start * MEBIBYTE), work.device], check=False).stdout
        assert "TYPE=" not in found.replace("PTTYPE=", ""), (region, found)


def test_the_script_and_the_menu_are_as_reviewed(tmp_path: Path, golden: Golden) -> None:
    """The partition table's script, grub.cfg and slot.cfg."""
    work = make_work(tmp_path)
    files = esp_files(work)
    golden("install/grub.cfg", files["grub/grub.cfg"].decode())
    golden("install/slot.cfg", files["a/slot.cfg"].decode())
    assert len(files["grub/grubenv"]) == 1024


def test_a_boot_partition_must_hold_two_kernels(tmp_path: Path) -> None:
    """An update needs room for the next slot's."""
    work = make_work(tmp_path)
    check_esp_size(work)
    large = work.boot.__class__(**{**vars(work.boot), "initramfs": bytes(70 * MEBIBYTE)})
    with pytest.raises(VirtnodeError, match="two slots"):
        check_esp_size(work.__class__(**{**vars(work), "boot": large}))
