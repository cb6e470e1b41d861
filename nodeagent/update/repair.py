"""A second disk for a node that lost one: written from the disk that runs, which is only read."""

import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nodeagent.install.boot_files import BootFiles
from nodeagent.install.disk_writer import opened, read_back
from nodeagent.install.fat import Content
from nodeagent.install.fat_editor import FatEditor
from nodeagent.install.layout import Layout, read_layout
from nodeagent.install.marker import DONE, HOME, TODO, Marker
from nodeagent.install.preparation import groups_to_stop
from nodeagent.install.steps import (
    OnBytes,
    Step,
    Work,
    close_foreign,
    close_installed,
    esp_writer,
    find_partition,
    finish,
    finish_esp,
    make_table,
    name_slot,
    write_bios,
)
from nodeagent.install.volumes import (
    RAID_MODULE,
    STATE_VOLUME,
    load_driver,
    mirror_group,
    wait_until_mirrored,
)
from nodeagent.state_disk import mirrored_volume
from nodeagent.update.mirror import image_bytes
from nodeagent.update.slot_disk import SlotDisk, find_slot_disk, read_config
from nodeagent.update.steps import slot_arguments
from nodelib.bus_install import InstallPlan
from nodelib.errors import Code, VirtnodeError
from nodelib.install_planning import has_region
from nodelib.install_repair import RunningNode
from nodelib.places import Place, at
from nodelib.slot_menu import SLOTS, boot_identifier, slot_config
from nodelib.slots import BIOS, BOOT_CODE, DATA, ESP, MEBIBYTE, SECTOR, STATE, STATE_SUFFIX

MENUS = ("EFI/BOOT/grub.cfg", "boot/grub/grub.cfg", "grub/grub.cfg")
LOADERS = ("EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grubx64.efi")
NO_MIRROR = "this node has one disk: its state is not mirrored"


@dataclass(frozen=True)
class Repair:
    """All that a repair needs to know: the disk that runs, and the work on the other one."""

    own: SlotDisk
    work: Work
    returns: bool
    """The other disk has this node's state, and keeps what LVM has there."""


def find_running(root: Path) -> RunningNode:
    """Describe the node that is to be mirrored again; raises VirtnodeError (conflict) for one that is not."""
    volume = mirrored_volume(root)
    if not volume:
        raise VirtnodeError(Code.CONFLICT, NO_MIRROR, at(Place.MIRROR))
    disk = find_slot_disk(root)
    group = volume.partition("/")[0]
    twin = disk.twin.device.name if disk.twin else ""
    return RunningNode(disk.device.name, disk.layout[0], group, disk.twin_problem, twin)


def prepare_repair(
    root: Path, plan: InstallPlan, *, new_identifier: Callable[[], uuid.UUID] = uuid.uuid4
) -> Repair:
    """Get everything ready; raises VirtnodeError where something is missing, and has written nothing then."""
    own, group = find_slot_disk(root), mirrored_volume(root).partition("/")[0]
    device = root / "dev" / plan.disk.name
    returns = plan.disk.mirror == group
    regions, identifiers = _layout(own, device, new_identifier, returns=returns)
    with own.boot_partition() as esp:
        config = read_config(esp, own.booted)
        loaders = [esp.read_file(name) for name in LOADERS]
    if config is None:
        raise VirtnodeError(Code.CONFLICT, f"slot {own.booted}, which runs, has no slot.cfg any more")
    start, size = own.place(BIOS)
    with opened(own.device) as disk:
        first, core = os.pread(disk, SECTOR, 0), os.pread(disk, size, start)
    work = Work(
        device=device,
        regions=regions,
        identifiers=identifiers,
        keep=returns,
        image=own.device,
        image_bytes=image_bytes(own, own.booted),
        # Kernels are copied with the rest of the boot partition.
        boot=BootFiles(b"", b"", loaders[0], loaders[1], first[:BOOT_CODE].ljust(SECTOR, b"\0"), core),
        title=config.title,
        arguments=config.arguments,
        marker=Marker(),
        state=Path(),
        has_partitions=device.is_block_device(),
        groups=() if returns else groups_to_stop(plan),
        state_group=group,
    )
    return Repair(own, work, returns)


def repair_steps(repair: Repair) -> tuple[Step, ...]:
    """List the steps: the first takes from the second disk the ability to start, the last gives it back."""
    copied = sum(image_bytes(repair.own, slot) for slot in SLOTS)

    def copy(work: Work, on_bytes: OnBytes) -> None:
        copy_slots(repair, on_bytes)

    def write(work: Work, on_bytes: OnBytes) -> None:
        write_boot_partition(repair, on_bytes)

    def bring_up(work: Work, on_bytes: OnBytes) -> None:
        bring_up_volumes(repair)

    begin = (
        (Step("close", "marking the second disk as unfinished", MEBIBYTE, close_installed),)
        if repair.returns
        else (
            Step("close", "erasing the second disk", 4 * MEBIBYTE, close_foreign),
            Step("table", "writing the partition table", MEBIBYTE, make_table),
        )
    )
    return (
        *begin,
        Step("slots", "copying both slots", 2 * copied, copy),
        Step("esp", "writing the boot partition", 64 * MEBIBYTE, write),
        Step("esp-whole", "finishing the boot partition", MEBIBYTE, finish_esp),
        Step("bios", "writing the boot loader for BIOS", MEBIBYTE, write_bios),
        Step("name", "naming slot A", MEBIBYTE, name_slot),
        Step("volumes", "copying the state to the second disk", 64 * MEBIBYTE, bring_up),
        Step("done", "marking the second disk as finished", MEBIBYTE, finish),
    )


def copy_slots(repair: Repair, on_bytes: OnBytes) -> None:
    """Copy the slots, and read them back; raises VirtnodeError (failed) if they differ."""
    for slot in SLOTS:
        start, _ = repair.own.slot_place(slot)
        size = image_bytes(repair.own, slot)
        target = repair.work.region(f"virtnode-{slot}").start * MEBIBYTE
        digest = hashlib.sha256()
        with opened(repair.own.device) as source, opened(repair.work.device) as disk:
            for place in range(0, size, MEBIBYTE):
                block = os.pread(source, min(MEBIBYTE, size - place), start + place)
                os.pwrite(disk, block, target + place)
                digest.update(block)
                on_bytes(len(block))
            os.fsync(disk)
            if read_back(disk, target, size, on_bytes) != digest.hexdigest():
                raise VirtnodeError(
                    Code.FAILED,
                    f"{repair.work.device} does not give back what was written to it",
                    "take another disk",
                )


def write_boot_partition(repair: Repair, on_bytes: OnBytes) -> None:
    """Write the boot partition but for its first sector: what the other has, with names of its own."""
    with repair.own.boot_partition() as esp:
        files = boot_files(repair, esp)
    with opened(repair.work.device) as disk:
        esp_writer(repair.work, disk).write(files, on_bytes)


def boot_files(repair: Repair, esp: FatEditor) -> dict[str, Content]:
    """Read all files of the running disk's boot partition, as the second disk has them."""
    work = repair.work
    known = {name.lower(): name for name in (*MENUS, *LOADERS)}
    ours = boot_identifier(int(repair.own.layout[1][ESP][:8], 16)).encode()
    files: dict[str, Content] = {}
    for path in _walk(esp, ""):
        name, data = known.get(path, path), esp.read_file(path)
        name = f"EFI{name[3:]}" if path.startswith("efi/") else name
        slot = path.partition("/")[0]
        if name in MENUS:
            data = data.replace(ours, work.esp_identifier.encode())
        elif slot in SLOTS and path == f"{slot}/slot.cfg":
            config = read_config(esp, slot)
            assert config is not None, "it was just found"
            other = SLOTS[1 - SLOTS.index(slot)]
            there = SlotDisk(work.device, (work.regions, dict(work.identifiers)), other)
            data = slot_config(config.title, slot_arguments(config.arguments, there, ())).encode()
        # It is not finished before all else is.
        files[name.replace(f"{HOME}/{DONE}/", f"{HOME}/{TODO}/")] = data
    return files


def bring_up_volumes(repair: Repair) -> None:
    """Have LVM keep a copy of everything on the second disk, and wait until that of the state is whole."""
    work = repair.work
    load_driver(RAID_MODULE)
    groups = [(work.state_group, STATE)]
    if has_region(work.regions, DATA):
        groups.append((work.state_group.removesuffix(STATE_SUFFIX), DATA))
    for group, partition in groups:
        # A repair that was cut off may have brought the disk into one group and not into the other.
        mirror_group(group, find_partition(work, partition))
    wait_until_mirrored(work.state_group, STATE_VOLUME)


def _layout(own: SlotDisk, device: Path, new_identifier: Callable[[], uuid.UUID], *, returns: bool) -> Layout:
    regions = own.layout[0]
    if not returns:
        names = ("disk", *(region.name for region in regions))
        return regions, {name: str(new_identifier()).upper() for name in names}
    found = read_layout(device)
    if found[0] != regions:
        raise VirtnodeError(
            Code.CONFLICT,
            f"{device.name} has other partitions than {own.device.name}",
            "take it out of the volume groups and erase it first",
        )
    return found


def _walk(esp: FatEditor, folder: str) -> Iterator[str]:
    """Name all files below a folder, in small letters."""
    for name in esp.names(folder):
        path = f"{folder}/{name}".lower().lstrip("/")
        entry = esp.find(path)
        if entry is not None and entry.is_folder:
            yield from _walk(esp, path)
        else:
            yield path
