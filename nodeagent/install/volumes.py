"""Guests' disks: the volume group, the disks that join it, and its thin pool."""

import fcntl
import time
from collections.abc import Sequence
from pathlib import Path

from nodeagent.facts.sources import Command
from nodeagent.install.disk_writer import erase, opened, read_table_places
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from nodelib.slots import THIN_POOL

LVM_TIMEOUT, REPAIR_TIMEOUT = 120.0, 3600.0
"""A volume in use may stay suspended if LVM is ended while it changes it: only what hangs for good is."""
POOL_SHARE = "98%VG"
"""What the pool gets; from the rest it has its metadata, and room for more of it."""
SKIP_CHECK = 'global/thin_check_executable=""'
READ_TABLE_AGAIN = 0x125F
"""BLKRRPART of linux/fs.h."""
PROGRAM_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin")
THIN_MODULE, RAID_MODULE = "dm-thin-pool", "dm-raid"
STATE_VOLUME = "state"
"""What the logical volume of a mirrored state is called."""
STATE_EXTENT = "1m"
"""What its group is divided into: a state may be small."""
MIRRORED_SHARE = "98%FREE"
SYNC_LOOKS = 3600
"""How often one looks whether a volume is on both disks."""
OUTSIDE = ("systemd-run", "--quiet", "--pipe", "--wait", "--collect")
"""Runs a command outside of the agent's unit, which hides drivers and loads none."""


def make_group(name: str, devices: Sequence[Path], *, extent: str = "") -> None:
    """Make a volume group of these devices; `extent` is what it is divided into, if not LVM's own choice."""
    sized = ["--physicalextentsize", extent] if extent else []
    run(["vgcreate", "--yes", "--quiet", *sized, name, *devices], timeout=LVM_TIMEOUT)


def load_driver(module: str) -> None:
    """Load a driver: LVM would, and cannot within the agent's own unit."""
    run([*OUTSIDE, "modprobe", module], timeout=LVM_TIMEOUT)


def make_thin_pool(group: str, *, check: bool) -> None:
    """Make the thin pool of a group; without the program that checks one, LVM is told not to look for it."""
    config = [] if check else ["--config", SKIP_CHECK]
    argv = ["lvcreate", "--yes", "--quiet", *config, "--type", "thin-pool", "--name", THIN_POOL]
    run([*argv, "--extents", POOL_SHARE, group], timeout=LVM_TIMEOUT)


def make_mirrored_volume(group: str, name: str) -> None:
    """Make a volume of all that a group of two disks has, with a copy on each."""
    argv = ["lvcreate", "--yes", "--quiet", "--type", "raid1", "--mirrors", "1", "--extents", "100%FREE"]
    run([*argv, "--name", name, group], timeout=LVM_TIMEOUT)


def make_mirrored_pool(group: str, mebibytes: int, *, check: bool) -> None:
    """Make the thin pool of a group with a copy on each of two disks, of which it has so much."""
    argv = ["lvcreate", "--yes", "--quiet", "--type", "raid1", "--mirrors", "1"]
    # Nobody reads of a pool what was never written to it, and to make its copies equal would take hours.
    argv += ["--nosync"]
    metadata = f"{THIN_POOL}_meta"
    size = min(max(mebibytes // 1000, 16), 1024)
    run([*argv, "--size", f"{size}m", "--name", metadata, group], timeout=LVM_TIMEOUT)
    run([*argv, "--extents", MIRRORED_SHARE, "--name", THIN_POOL, group], timeout=LVM_TIMEOUT)
    config = [] if check else ["--config", SKIP_CHECK]
    convert = ["lvconvert", "--yes", "--quiet", *config, "--type", "thin-pool"]
    run([*convert, "--poolmetadata", f"{group}/{metadata}", f"{group}/{THIN_POOL}"], timeout=LVM_TIMEOUT)


def wait_until_mirrored(group: str, name: str, *, pause: float = 1.0) -> None:
    """Wait until a volume is on both disks; raises VirtnodeError (failed) where it does not get there."""
    percent = ""
    for _ in range(SYNC_LOOKS):
        argv = ["lvs", "--noheadings", "-o", "sync_percent", f"{group}/{name}"]
        percent = run(argv, timeout=LVM_TIMEOUT).stdout.strip()
        if percent.startswith("100"):
            return
        time.sleep(pause)
    raise VirtnodeError(Code.FAILED, f"the state is not on both disks yet: {percent} %", "replace the disk")


def mirror_group(group: str, device: Path) -> None:
    """Have all that a group has twice be on this disk too: one that returns, another one, or half of either.

    Raises VirtnodeError (failed), too, where the group had something on the lost disk alone.
    """
    if _look("pvs", "vg_name", device) == group:
        # Only if LVM wrote down that the disk was missing is there something to take back.
        run(["vgextend", "--restoremissing", group, device], check=False, timeout=LVM_TIMEOUT)
        run(["vgchange", "--refresh", group], timeout=LVM_TIMEOUT)
    else:
        run(["vgextend", "--yes", "--quiet", group, device], timeout=LVM_TIMEOUT)
    if _look("vgs", "vg_missing_pv_count", group) not in ("", "0"):
        _replace_lost(group, device)


def _look(program: str, field: str, what: str | Path) -> str:
    """Ask LVM for one field; empty where it does not know of that."""
    return run([program, "--noheadings", "-o", field, what], check=False, timeout=LVM_TIMEOUT).stdout.strip()


def _replace_lost(group: str, device: Path) -> None:
    # The largest last: while it is copied all else is slow.
    look = ["lvs", "--all", "--noheadings", "-o", "lv_name,segtype", "--sort", "lv_size", group]
    listed = run(look, timeout=LVM_TIMEOUT).stdout
    for words in map(str.split, listed.splitlines()):
        if len(words) == 2 and words[1] == "raid1":
            name = f"{group}/{words[0].strip('[]')}"
            run(["lvconvert", "--yes", "--quiet", "--repair", name, device], timeout=REPAIR_TIMEOUT)
    run(["vgreduce", "--quiet", "--removemissing", group], timeout=REPAIR_TIMEOUT)


def stop_group(name: str) -> None:
    """Stop a volume group that is to be destroyed; raises VirtnodeError (failed) if it is in use."""
    run(["vgchange", "--activate", "n", name], timeout=LVM_TIMEOUT)


def check_writable(devices: Sequence[Path]) -> None:
    """Raise VirtnodeError (failed) for a disk that cannot be opened to be written."""
    for device in devices:
        with opened(device):
            pass


def blank_disk(device: Path) -> None:
    """Take from a disk whatever makes it look like something, partitions included."""
    places = read_table_places(device)
    with opened(device) as disk:
        # udev looks into no disk that is locked, and holds no partition of it open then.
        fcntl.flock(disk, fcntl.LOCK_EX)
        erase(disk, places)
        if device.is_block_device():
            _forget_partitions(disk, device)


def volume_problem(root: Path, command: Command, what: str, module: str) -> str:
    """Say what this system lacks to make a volume that needs a driver; empty if it has all."""
    if not _has_program(root, "lvcreate"):
        return f"{what} cannot be made: this image is without lvm2"
    if not _has_driver(root, command, module):
        return f"{what} cannot be made: this image is without the driver {module}"
    return ""


def thin_problem(root: Path, command: Command) -> str:
    """Say what this system lacks to make a thin pool; empty if it has all."""
    return volume_problem(root, command, "a thin pool", THIN_MODULE)


def mirror_problem(root: Path, command: Command) -> str:
    """Say what this system lacks to mirror a state; empty if it has all."""
    return volume_problem(root, command, "a mirror", RAID_MODULE)


def has_thin_check(root: Path) -> bool:
    """Tell whether LVM can check the pools that it starts."""
    return _has_program(root, "thin_check")


def _has_program(root: Path, name: str) -> bool:
    return any((root / folder / name).exists() for folder in PROGRAM_FOLDERS)


def _has_driver(root: Path, command: Command, module: str) -> bool:
    if (root / "sys/module" / module.replace("-", "_")).exists():
        return True
    # The agent's own unit hides the drivers from it; of one that is loaded nothing is printed.
    look = ("modprobe", "--dry-run", "--verbose", module)
    return module in command((*OUTSIDE, *look))


def _forget_partitions(disk: int, device: Path) -> None:
    try:
        fcntl.ioctl(disk, READ_TABLE_AGAIN)
    except OSError as error:
        raise VirtnodeError(
            Code.FAILED, f"{device} is in use, and keeps its old partitions: {error.strerror}"
        ) from error
