"""USB drives that an archive can be written to, and the writing, done where its mount is nobody else's."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nodeagent.facts.sources import Command, number_of, read_table, tables, text_of
from nodelib.bus_support import UsbDrive
from nodelib.codec import from_json
from nodelib.errors import Code, VirtnodeError
from nodelib.places import Place, at
from nodelib.run import Result, run

COLUMNS = "NAME,PATH,TYPE,RM,RO,TRAN,FSTYPE,LABEL,PARTLABEL,SIZE,MOUNTPOINTS"
"""Without NAME lsblk lists partitions beside their disks, and not in them."""
DRIVES_COMMAND = ("lsblk", "--json", "--bytes", "--output", COLUMNS)
FILE_SYSTEMS = frozenset(("vfat", "exfat", "ext4"))
OWN_LABEL = "virtnode"
"""What the labels of this node's own media begin with."""
COPIER = Path(__file__).with_name("usb_copy.py")
LONGEST_COPY = 180
"""Seconds until a drive that does not answer is given up."""

Run = Callable[[Sequence[str]], Result]


@dataclass(frozen=True)
class Copied:
    """What the copying program says: the file's name, or what went wrong and what to do."""

    name: str = ""
    problem: str = ""
    hint: str = ""


def run_copier(argv: Sequence[str]) -> Result:
    """Run the transient unit to its end."""
    return run(argv, check=False, timeout=LONGEST_COPY + 30)


def list_drives(command: Command) -> tuple[UsbDrive, ...]:
    """List the file systems of removable disks, but for those of a disk that this node uses or came from."""
    devices = tables(read_table(command(DRIVES_COMMAND)).get("blockdevices"))
    return tuple(drive for device in devices for drive in _drives_of(device))


def copier_argv(drive: UsbDrive, source: Path) -> tuple[str, ...]:
    """Write the command of a transient unit that has the mount for itself and ends in time."""
    return (
        "systemd-run",
        "--quiet",
        "--wait",
        "--collect",
        "--pipe",
        "--property=PrivateMounts=yes",
        f"--property=RuntimeMaxSec={LONGEST_COPY}",
        "--description=Write a support archive to a USB drive",
        "--",
        sys.executable,
        "-I",
        str(COPIER),
        drive.device,
        drive.filesystem,
        str(source),
    )


def copy_to_drive(
    device: str, source: Path, command: Command, run_unit: Run = run_copier
) -> tuple[UsbDrive, str]:
    """Write a file to a drive, whole or not at all; an empty device means the only one that is there.

    Returns the drive and the file's name on it. Raises VirtnodeError: not-found without such a drive,
    conflict where there is more than one to choose from, failed where it cannot be written.
    """
    drive = _choose(list_drives(command), device)
    result = run_unit(copier_argv(drive, source))
    try:
        copied = from_json(Copied, json.dumps(read_table(result.stdout)))
    except VirtnodeError:
        copied = Copied()
    if result.status == 0 and copied.name:
        return drive, copied.name
    raise VirtnodeError(
        Code.FAILED,
        f"{drive.device}: {copied.problem or 'the archive could not be written'}",
        copied.hint or "is the drive still plugged in? try another one",
    )


def _choose(drives: Sequence[UsbDrive], device: str) -> UsbDrive:
    if not drives:
        raise VirtnodeError(
            Code.NOT_FOUND,
            "there is no USB drive to write to",
            "plug one in that has FAT, exFAT or ext4 on it",
        )
    if not device:
        if len(drives) > 1:
            names = ", ".join(drive.device for drive in drives)
            raise VirtnodeError(Code.CONFLICT, "there is more than one USB drive", f"name one of {names}")
        return drives[0]
    for drive in drives:
        if drive.device == device:
            return drive
    raise VirtnodeError(
        Code.NOT_FOUND,
        f"{device[:60]} is no USB drive to write to",
        at(Place.DRIVES),
    )


def _drives_of(disk: dict[str, object]) -> Iterator[UsbDrive]:
    is_removable = text_of(disk, "tran") == "usb" or disk.get("rm") in (True, 1, "1")
    if text_of(disk, "type") != "disk" or not is_removable:
        return
    parts = list(_walk(disk))
    if any(map(_is_in_use, parts)):
        return
    for part in parts:
        if text_of(part, "fstype") in FILE_SYSTEMS and text_of(part, "type") in ("disk", "part"):
            yield UsbDrive(
                text_of(part, "path"),
                text_of(part, "label"),
                text_of(part, "fstype"),
                number_of(part, "size"),
            )


def _walk(device: dict[str, object]) -> Iterator[dict[str, object]]:
    yield device
    for child in tables(device.get("children")):
        yield from _walk(child)


def _is_in_use(part: dict[str, object]) -> bool:
    """Tell whether a node runs from a device, keeps something on it, or was installed from it."""
    mounted = part.get("mountpoints")
    labels = (text_of(part, "label").lower(), text_of(part, "partlabel").lower())
    return (isinstance(mounted, list) and any(mounted)) or any(one.startswith(OWN_LABEL) for one in labels)
