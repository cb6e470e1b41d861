"""Works for tests of the installation: file-backed disks, small systems, boot files of a few kilobytes."""

import dataclasses
import json
import os
import struct
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nodeagent.install.boot_files import BootFiles
from nodeagent.install.command_line import installed_arguments
from nodeagent.install.installation import run_steps
from nodeagent.install.marker import Marker
from nodeagent.install.steps import Step, Work, installation_steps
from nodelib.run import run
from nodelib.slots import ESP, MEBIBYTE, SECTOR, SLOT_A, STATE, lay_out

BUILD = "1a2b3c4d5e6f"
IMAGE_BYTES = 3 * MEBIBYTE + 4096
SIZES = {ESP: 128, SLOT_A: 8, STATE: 8}
OLD_BOOT_CODE = b"\xfa\xfcold system's boot code"


def identifiers(seed: int = 0) -> Callable[[], uuid.UUID]:
    """Make a source of identifiers that are the same every time."""
    numbers: Iterator[int] = iter(range(seed + 1, seed + 100))
    return lambda: uuid.UUID(int=next(numbers) << 96)


def make_squashfs(path: Path, fill: bytes = b"s") -> Path:
    """Write what looks like a squashfs of a few MiB to whoever reads its size."""
    head = bytearray(96)
    head[:4] = b"hsqs"
    struct.pack_into("<Q", head, 40, IMAGE_BYTES - 100)
    path.write_bytes(bytes(head) + fill * (IMAGE_BYTES - 96))
    return path


def make_boot_files(fill: str = "new") -> BootFiles:
    """Make boot files with contents of their own."""
    kernel, initramfs, shim, grub = (
        f"{fill} {name} ".encode() * 300 for name in ("kernel", "initrd", "shim", "grub")
    )
    return BootFiles(
        kernel,
        initramfs,
        shim,
        grub,
        boot_image=(f"{fill} boot ".encode() * 60)[:510] + b"\x55\xaa",
        core_image=f"{fill} core ".encode() * 300,
    )


def make_work(folder: Path, *, fill: str = "new", keep: bool = False) -> Work:
    """Lay out an installation to `folder`/disk, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state"
    state.mkdir(exist_ok=True)
    (state / "node.toml").write_text("version = 1\n")
    regions = lay_out(SIZES)
    device = folder / "disk"
    if not device.exists():
        device.touch()
        os.truncate(device, (regions[-1].start + regions[-1].size + 2) * MEBIBYTE)
    new = identifiers()
    names = {name: str(new()).upper() for name in ("disk", *(region.name for region in regions))}
    arguments = installed_arguments("quiet node.install=ask", names[SLOT_A], names[STATE], from_network=False)
    return Work(
        device=device,
        regions=regions,
        identifiers=names,
        keep=keep,
        image=make_squashfs(folder / "squashfs", fill[:1].encode()),
        image_bytes=IMAGE_BYTES,
        boot=make_boot_files(fill),
        title=f"virtnode {fill}",
        arguments=arguments,
        marker=Marker(f"virtnode {fill}", BUILD),
        state=state,
        has_partitions=False,
    )


GROUP = "virtnode-00000001-state"
PAIR_SIZES = {ESP: 128, SLOT_A: 8, STATE: 16}


def make_pair(folder: Path, *, fill: str = "new", keep: bool = False) -> Work:
    """Lay out an installation to `folder`/disk, mirrored on `folder`/twin; the state's volume is a file."""
    volume = folder / "dev" / GROUP / "state"
    volume.parent.mkdir(parents=True, exist_ok=True)
    if not volume.exists():
        volume.touch()
        os.truncate(volume, 8 * MEBIBYTE)
    work = make_work(folder, fill=fill, keep=keep)
    regions = lay_out(PAIR_SIZES, mirrored=True)
    new, names = identifiers(50), ("disk", *(region.name for region in regions))
    others = {name: str(new()).upper() for name in names}
    twins = []
    for name, own in (("disk", dict(work.identifiers)), ("twin", others)):
        device = folder / name
        if not device.exists() or device.stat().st_size < (regions[-1].start + 18) * MEBIBYTE:
            device.touch()
            os.truncate(device, (regions[-1].start + regions[-1].size + 2) * MEBIBYTE)
        state = f"{GROUP}/state"
        arguments = installed_arguments("quiet node.install=ask", own[SLOT_A], state, from_network=False)
        here = dataclasses.replace(work, device=device, identifiers=own, arguments=arguments)
        here = dataclasses.replace(here, regions=regions, state_group=GROUP, volumes=folder / "dev")
        twins.append(here)
    return dataclasses.replace(twins[0], twin=twins[1])


def make_foreign_disk(device: Path) -> None:
    """Put another system on a disk: boot code, a table, an ext4 and a FAT that starts by UEFI."""
    script = "label: gpt\nstart=2048, size=100000, type=uefi, name=foreign-esp\nstart=104448, type=linux\n"
    run(["sfdisk", "--quiet", device], stdin=script)
    with device.open("r+b") as disk:
        disk.write(OLD_BOOT_CODE)
    offset = 104448 * SECTOR
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-E", f"offset={offset}", device, "8192k"])


class PowerCut(BaseException):
    """The machine lost its power."""


def install(work: Work, *, cut_after: int | None = None) -> list[tuple[str, int]]:
    """Do an installation; it ends after as many steps as `cut_after` says."""
    noted: list[tuple[str, int]] = []
    steps = installation_steps(work)
    run_steps(steps[:cut_after], work, lambda step, percent: noted.append((step.name, percent)))
    return noted


def install_torn(work: Work, *, torn: int) -> None:
    """Do an installation that loses its power in the middle of a step, at the first bytes that it reports."""
    steps = list(installation_steps(work))

    def note(step: Step, percent: int) -> None:
        if step.name == steps[torn].name and note.heard:  # type: ignore[attr-defined]
            raise PowerCut
        note.heard = step.name == steps[torn].name  # type: ignore[attr-defined]

    note.heard = False  # type: ignore[attr-defined]
    run_steps(tuple(steps), work, note)


@dataclass(frozen=True)
class Seen:
    """What firmware, GRUB and a node see of a disk."""

    names: tuple[str, ...]
    bios_starts: str
    """Whose boot code is in the first sector: nothing, next (go on to the next device), foreign or grub."""
    uefi_starts: bool
    """The boot partition is a FAT with a loader."""
    menu_starts: bool
    """The menu's question finds the folder `done`."""


def look(work: Work) -> Seen:
    """Look at a disk with the tools that others made."""
    table = json.loads(run(["sfdisk", "--json", work.device], check=False).stdout or "{}")
    parts = table.get("partitiontable", {}).get("partitions", ())
    with work.device.open("rb") as disk:
        first = disk.read(SECTOR)
    place = f"{work.device}@@{work.region(ESP).start}M"
    listed = run(["mdir", "-/", "-b", "-i", place], check=False).stdout.lower()
    return Seen(
        names=tuple(part.get("name", "") for part in parts),
        bios_starts=_boot_code(first),
        uefi_starts="efi/boot/bootx64.efi" in listed,
        menu_starts="virtnode/done" in listed,
    )


def _boot_code(first: bytes) -> str:
    if first[510:] != b"\x55\xaa" or not first[:2].strip(b"\0"):
        return "nothing"
    kinds = {b"\xcd\x18": "next", OLD_BOOT_CODE[:2]: "foreign"}
    return kinds.get(first[:2], "grub")


def older(work: Work) -> Work:
    """Return the same work with another system, as it was installed before."""
    return dataclasses.replace(work, boot=make_boot_files("old"), title="virtnode old")
