"""Guests' disks: the volume group, the disks that join it, and its thin pool."""

import fcntl
from collections.abc import Sequence
from pathlib import Path

from nodeagent.facts.sources import Command
from nodeagent.install.disk_writer import erase, opened, read_table_places
from nodelib.errors import Code, VirtnodeError
from nodelib.install_planning import THIN_POOL
from nodelib.run import run

LVM_TIMEOUT = 120.0
POOL_SHARE = "98%VG"
"""What the pool gets; from the rest it has its metadata, and room for more of it."""
SKIP_CHECK = 'global/thin_check_executable=""'
READ_TABLE_AGAIN = 0x125F
"""BLKRRPART of linux/fs.h."""
PROGRAM_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin")
THIN_MODULE = "dm-thin-pool"
OUTSIDE = ("systemd-run", "--quiet", "--pipe", "--wait", "--collect")
"""Runs a command outside of the agent's unit, which hides drivers and loads none."""


def make_group(name: str, devices: Sequence[Path]) -> None:
    """Make a volume group of these devices."""
    run(["vgcreate", "--yes", "--quiet", name, *devices], timeout=LVM_TIMEOUT)


def load_thin_driver() -> None:
    """Load the driver of thin pools: LVM would, and cannot within the agent's own unit."""
    run([*OUTSIDE, "modprobe", THIN_MODULE], timeout=LVM_TIMEOUT)


def make_thin_pool(group: str, *, check: bool) -> None:
    """Make the thin pool of a group; without the program that checks one, LVM is told not to look for it."""
    config = [] if check else ["--config", SKIP_CHECK]
    argv = ["lvcreate", "--yes", "--quiet", *config, "--type", "thin-pool", "--name", THIN_POOL]
    run([*argv, "--extents", POOL_SHARE, group], timeout=LVM_TIMEOUT)


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


def thin_problem(root: Path, command: Command) -> str:
    """Say what this system lacks to make a thin pool; empty if it has all."""
    if not _has_program(root, "lvcreate"):
        return "a thin pool cannot be made: this image is without lvm2"
    if not _has_thin_driver(root, command):
        return f"a thin pool cannot be made: this image is without the driver {THIN_MODULE}"
    return ""


def has_thin_check(root: Path) -> bool:
    """Tell whether LVM can check the pools that it starts."""
    return _has_program(root, "thin_check")


def _has_program(root: Path, name: str) -> bool:
    return any((root / folder / name).exists() for folder in PROGRAM_FOLDERS)


def _has_thin_driver(root: Path, command: Command) -> bool:
    if (root / "sys/module" / THIN_MODULE.replace("-", "_")).exists():
        return True
    # The agent's own unit hides the drivers from it; of one that is loaded nothing is printed.
    look = ("modprobe", "--dry-run", "--verbose", THIN_MODULE)
    return THIN_MODULE in command((*OUTSIDE, *look))


def _forget_partitions(disk: int, device: Path) -> None:
    try:
        fcntl.ioctl(disk, READ_TABLE_AGAIN)
    except OSError as error:
        raise VirtnodeError(
            Code.FAILED, f"{device} is in use, and keeps its old partitions: {error.strerror}"
        ) from error
