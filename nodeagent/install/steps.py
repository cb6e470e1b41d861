"""The steps of an installation, in the order that leaves nothing half done that looks whole."""

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nodeagent.install.boot_files import BootFiles
from nodeagent.install.disk_writer import (
    close_bios,
    copy_image,
    erase,
    opened,
    read_back,
    read_table_places,
    rename_partition,
    write_boot_code,
    write_table,
)
from nodeagent.install.fat import Content, FatWriter, used_bytes
from nodeagent.install.marker import Marker, marker_files, set_finished
from nodeagent.install.volumes import (
    RAID_MODULE,
    STATE_EXTENT,
    STATE_VOLUME,
    THIN_MODULE,
    blank_disk,
    check_writable,
    load_driver,
    make_group,
    make_mirrored_pool,
    make_mirrored_volume,
    make_thin_pool,
    stop_group,
    wait_until_mirrored,
)
from nodelib.config_area import AREA_FILE
from nodelib.errors import Code, VirtnodeError
from nodelib.install_planning import data_group, has_region
from nodelib.run import run
from nodelib.slot_menu import boot_identifier, disk_menu, environment_block, menu_stub, slot_config
from nodelib.slots import (
    BEGUN,
    BIOS,
    DATA,
    ESP,
    ESP_LABEL,
    MEBIBYTE,
    SLOT_A,
    STATE,
    STATE_LABEL,
    UNFINISHED,
    Region,
    bios_sectors,
    table_script,
)

SETTLE_TIMEOUT = 120.0
PARTITIONS = Path("/dev/disk/by-partuuid")
PARTITION_LOOKS = 5
MENU_SECONDS = 3


@dataclass(frozen=True)
class Work:
    """All that an installation needs to know; nothing is decided once it runs."""

    device: Path
    regions: tuple[Region, ...]
    identifiers: Mapping[str, str]
    """Partitions' identifiers by name; `disk` is the table's own."""
    keep: bool
    image: Path
    image_bytes: int
    boot: BootFiles
    title: str
    arguments: tuple[str, ...]
    """Of the kernel in slot A."""
    marker: Marker
    state: Path
    """A folder whose content becomes the state."""
    groups: tuple[str, ...] = ()
    """Volume groups of the disks that are stopped before they are destroyed."""
    data: tuple[Path, ...] = ()
    """Other disks that are erased, and join the volume group."""
    thin_pool: bool = False
    thin_check: bool = False
    """LVM's program that checks a thin pool is there."""
    has_partitions: bool = True
    """The kernel knows the disk's partitions; not so of a plain file."""
    state_group: str = ""
    """The volume group of a state that is mirrored; empty where it is a partition."""
    twin: "Work | None" = None
    """The same for a second disk, whose identifiers are its own."""
    area: bytes = b""
    """The configuration that was embedded in the node that is kept; empty where there is none."""
    volumes: Path = Path("/dev")
    """Where logical volumes are, a folder a group."""

    def region(self, name: str) -> Region:
        """Return a partition."""
        return next(region for region in self.regions if region.name == name)

    def number(self, name: str) -> int:
        """Return a partition's number."""
        return 1 + next(number for number, region in enumerate(self.regions) if region.name == name)

    @property
    def disks(self) -> "tuple[Work, ...]":
        """The work of each disk that the node starts from."""
        return (self,) if self.twin is None else (self, self.twin)

    @property
    def serial(self) -> int:
        """The boot partition's identifier as FAT has it."""
        return int(self.identifiers[ESP][:8], 16)

    @property
    def esp_identifier(self) -> str:
        """The boot partition's identifier as GRUB says it."""
        return boot_identifier(self.serial)


OnBytes = Callable[[int], None]


@dataclass(frozen=True)
class Step:
    """One step: after each the disk is in a state that a start of the machine understands."""

    name: str
    text: str
    weight: int
    """About how many bytes it writes or reads, for the percentage."""
    do: Callable[[Work, OnBytes], None]


def installation_steps(work: Work) -> tuple[Step, ...]:
    """List the steps.

    The first takes from the disk the ability to start; the last, one sector, gives it back. In between the
    firmware goes on to the next device, which is the medium. What is said of the disk is done to its mirror
    as well, before the next step begins.
    """
    count = len(work.disks)
    esp_bytes = sum(map(len, esp_files(work).values()))
    copies: tuple[Step, ...] = (
        Step("slot", "copying this system to slot A", 2 * count * work.image_bytes, copy_slot),
        Step("esp", "writing the boot partition", count * esp_bytes, write_esp),
        Step("esp-whole", "finishing the boot partition", MEBIBYTE, finish_esp),
        Step("bios", "writing the boot loader for BIOS", MEBIBYTE, write_bios),
        Step("name", "naming slot A", MEBIBYTE, name_slot),
        Step("done", "marking the installation as finished", MEBIBYTE, finish),
    )
    if work.keep:
        return (Step("close", "marking the disk as unfinished", MEBIBYTE, close_installed), *copies)
    fresh = [
        Step("close", "erasing the disk", 4 * MEBIBYTE, close_foreign),
        Step("table", "writing the partition table", MEBIBYTE, make_table),
        copies[0],
        Step("state", "making the state partition", 4 * MEBIBYTE, make_state),
    ]
    if work.twin is not None:
        fresh[-1] = Step("state", "making the mirrored state", 4 * MEBIBYTE, make_mirrored_state)
        mirrored = Step("synced", "waiting until the state is on both disks", MEBIBYTE, wait_for_state)
        # As long as it may take, the disk must look begun: the last two say that it is whole.
        copies = (*copies[:-2], mirrored, *copies[-2:])
    return (*fresh, *data_steps(work), *copies[1:])


def data_steps(work: Work) -> tuple[Step, ...]:
    """List the steps that make room for guests' disks: none of them has anything that a machine starts."""
    steps = []
    if work.data:
        steps.append(Step("disks", "erasing the data disks", 4 * MEBIBYTE, blank_data_disks))
    if work.data or has_region(work.regions, DATA):
        steps.append(Step("data", "making the volume group", 4 * MEBIBYTE, make_data))
        if work.thin_pool:
            steps.append(Step("thin", "making the thin pool", 4 * MEBIBYTE, make_pool))
    return tuple(steps)


def close_foreign(work: Work, on_bytes: OnBytes) -> None:
    """Stop what may be stopped, then erase the table, what it held, and what the new one will hold."""
    check_writable([*work.data, *(one.device for one in work.disks[1:])])
    for group in work.groups:
        stop_group(group)
    for one in work.disks:
        places = [
            *read_table_places(one.device),
            *((region.start * MEBIBYTE, region.size * MEBIBYTE) for region in one.regions),
        ]
        with opened(one.device) as disk:
            erase(disk, places)
    settle(work)


def close_installed(work: Work, on_bytes: OnBytes) -> None:
    """Take from an installed disk the ability to start, by one sector for each kind of firmware."""
    check_writable([one.device for one in work.disks[1:]])
    for one in work.disks:
        with opened(one.device) as disk:
            close_bios(disk)
            # An installation that ended in between may have left no boot partition at all.
            with contextlib.suppress(VirtnodeError):
                set_finished(disk, one.region(ESP).start * MEBIBYTE, finished=False)
        rename_partition(one.device, one.number(SLOT_A), UNFINISHED)


def make_table(work: Work, on_bytes: OnBytes) -> None:
    """Write the table; slot A has another name until it is whole."""
    for one in work.disks:
        with opened(one.device) as disk:
            close_bios(disk)
        script = table_script(one.regions, one.identifiers["disk"], one.identifiers, {SLOT_A: BEGUN})
        write_table(one.device, script)
    settle(work)


def settle(work: Work) -> None:
    """Wait until udev has seen what became of the disk."""
    if work.has_partitions:
        run(["udevadm", "settle", f"--timeout={SETTLE_TIMEOUT:.0f}"], check=False)


def copy_slot(work: Work, on_bytes: OnBytes) -> None:
    """Copy this system, and read it back from the disk; raises VirtnodeError (failed) if they differ."""
    for one in work.disks:
        offset = one.region(SLOT_A).start * MEBIBYTE
        with opened(one.device) as disk:
            written = copy_image(one.image, one.image_bytes, disk, offset, on_bytes)
            if read_back(disk, offset, one.image_bytes, on_bytes) != written:
                raise VirtnodeError(
                    Code.FAILED, f"{one.device} does not give back what was written to it", "replace the disk"
                )


def make_state(work: Work, on_bytes: OnBytes) -> None:
    """Make the state's file system with what the node keeps already."""
    region = work.region(STATE)
    argv = state_command(work, f"offset={region.start * MEBIBYTE},")
    run([*argv, work.device, f"{region.size * 1024}k"])
    with opened(work.device) as disk:
        os.fsync(disk)


def state_command(work: Work, place: str = "") -> list[str | Path]:
    """Return the command that makes the state's file system, but for the device."""
    options = f"{place}lazy_itable_init=1,nodiscard,root_owner=0:0"
    return ["mke2fs", "-q", "-F", "-t", "ext4", "-L", STATE_LABEL, "-E", options, "-d", work.state]


def make_mirrored_state(work: Work, on_bytes: OnBytes) -> None:
    """Make a volume that is on both disks, and in it the state's file system."""
    load_driver(RAID_MODULE)
    make_group(work.state_group, [find_partition(one, STATE) for one in work.disks], extent=STATE_EXTENT)
    make_mirrored_volume(work.state_group, STATE_VOLUME)
    volume = work.volumes / work.state_group / STATE_VOLUME
    run([*state_command(work), volume])
    with opened(volume) as disk:
        os.fsync(disk)


def wait_for_state(work: Work, on_bytes: OnBytes) -> None:
    """Wait until either disk has all of the state; raises VirtnodeError (failed) if that never is so."""
    wait_until_mirrored(work.state_group, STATE_VOLUME)


def blank_data_disks(work: Work, on_bytes: OnBytes) -> None:
    """Erase the disks that join the volume group; the boot disk starts nothing any more by then."""
    for device in work.data:
        blank_disk(device)
    settle(work)


def make_data(work: Work, on_bytes: OnBytes) -> None:
    """Make the volume group that guests' disks are cut from."""
    own = [find_partition(one, DATA) for one in work.disks if has_region(one.regions, DATA)]
    make_group(data_group(work.identifiers["disk"]), [*own, *work.data])


def find_partition(work: Work, name: str) -> Path:
    """Wait until LVM can take a partition that was made, and return its device; raises (failed)."""
    link = PARTITIONS / work.identifiers[name].lower()
    # LVM asks udev what devices there are, and a slow udev may not have seen the partition yet.
    udev: list[str | Path] = ["udevadm", "wait", f"--timeout={SETTLE_TIMEOUT:.0f}", link]
    for _ in range(PARTITION_LOOKS):
        # Once a disk was written to as a whole, udev reads its table anew: its partitions go, and come back.
        settle(work)
        run(udev, timeout=2 * SETTLE_TIMEOUT)
        if link.exists() or not work.has_partitions:
            # LVM knows a device by its own name before udev has told it of others.
            return link.resolve()
    raise VirtnodeError(Code.FAILED, f"{link} does not stay", "replace the disk")


def make_pool(work: Work, on_bytes: OnBytes) -> None:
    """Make the volume group's thin pool."""
    load_driver(THIN_MODULE)
    group = data_group(work.identifiers["disk"])
    if work.twin is None:
        make_thin_pool(group, check=work.thin_check)
    else:
        make_mirrored_pool(group, work.region(DATA).size, check=work.thin_check)


def esp_files(work: Work) -> dict[str, bytes]:
    """Lay out the boot partition."""
    stub = menu_stub(work.esp_identifier).encode()
    boot = work.boot
    return {
        "EFI/BOOT/BOOTX64.EFI": boot.shim,
        "EFI/BOOT/grubx64.efi": boot.grub,
        # Where a signed GRUB for removable media looks for its menu: Fedora's here, Debian's there.
        "EFI/BOOT/grub.cfg": stub,
        "boot/grub/grub.cfg": stub,
        "grub/grub.cfg": disk_menu(work.esp_identifier, MENU_SECONDS).encode(),
        "grub/grubenv": environment_block(slot="a"),
        "a/slot.cfg": slot_config(work.title, work.arguments).encode(),
        "a/vmlinuz": boot.kernel,
        "a/initrd.img": boot.initramfs,
        **({AREA_FILE: work.area} if work.area else {}),
        **marker_files(work.marker),
    }


def write_esp(work: Work, on_bytes: OnBytes) -> None:
    """Write all of the boot partition but its first sector."""
    for one in work.disks:
        with opened(one.device) as disk:
            esp_writer(one, disk).write(dict[str, Content](esp_files(one)), on_bytes)


def finish_esp(work: Work, on_bytes: OnBytes) -> None:
    """Write the boot partition's first sector; its menu refuses to start until the marker says otherwise."""
    for one in work.disks:
        with opened(one.device) as disk:
            esp_writer(one, disk).finish()


def esp_writer(work: Work, disk: int) -> FatWriter:
    """Write the boot partition to where it belongs."""
    region = work.region(ESP)
    return FatWriter(
        disk, region.start * MEBIBYTE, region.size * MEBIBYTE, label=ESP_LABEL, serial=work.serial
    )


def check_esp_size(work: Work) -> None:
    """Raise VirtnodeError (invalid) unless the boot partition has room for another slot's kernel as well."""
    files = esp_files(work)
    another = {f"b/{name[2:]}": data for name, data in files.items() if name.startswith("a/")}
    region = work.region(ESP)
    size = region.size * MEBIBYTE
    if used_bytes({**files, **another}, size) > size - size // 50:
        raise VirtnodeError(
            Code.INVALID,
            f"the boot partition has {region.size} MiB, too few for the kernels of two slots",
            "choose a larger esp in [install]",
        )


def write_bios(work: Work, on_bytes: OnBytes) -> None:
    """Write GRUB for BIOS: the core image first, then the boot code that finds it."""
    for one in work.disks:
        start = one.region(BIOS).start
        first, core = bios_sectors(one.boot.boot_image, one.boot.core_image, start * 2048)
        with opened(one.device) as disk:
            os.pwrite(disk, core, start * MEBIBYTE)
            os.fsync(disk)
            write_boot_code(disk, first)


def name_slot(work: Work, on_bytes: OnBytes) -> None:
    """Give slot A its name: now it is whole."""
    for one in work.disks:
        rename_partition(one.device, one.number(SLOT_A), SLOT_A)


def finish(work: Work, on_bytes: OnBytes) -> None:
    """Say that all is there: from the write of this one sector on the disk starts."""
    for one in work.disks:
        with opened(one.device) as disk:
            os.fsync(disk)
            set_finished(disk, one.region(ESP).start * MEBIBYTE, finished=True)


def copy_state(source: Path, target: Path) -> None:
    """Copy what a node keeps, but for what belongs to this boot alone; nothing where there is nothing."""
    target.mkdir(mode=0o700, parents=True)
    if source.is_dir():
        ignored = shutil.ignore_patterns("lost+found", "rollback", "*.new")
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=ignored, symlinks=True)
