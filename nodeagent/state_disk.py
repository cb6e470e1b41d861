"""The state disk: found by its label, mounted where the node keeps what must survive; no boot waits."""

import logging
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from nodeagent.factory_reset import finish_reset
from nodeagent.ssh_keys import restore_host_keys
from nodelib.codec import decode_lenient, parse_json, to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.run import Result, run
from nodelib.slots import BEGUN, STATE_SUFFIX, THIN_POOL, UNFINISHED

logger = logging.getLogger(__name__)

LABEL = "virtnode-state"
DEVICE = f"dev/disk/by-label/{LABEL}"
BY_IDENTIFIER = "dev/disk/by-partuuid"
UNDER_WAY = tuple(f"dev/disk/by-partlabel/{name}" for name in (UNFINISHED, BEGUN))
"""There while a disk is being installed: its state is not to be used, so that one can install to it again."""
ARGUMENT = "node.state"
"""Kernel argument of an installed disk: its own state, as a partition's identifier or as GROUP/VOLUME."""
MOUNT_POINT = "var/lib/virtnode"
STATE_FILE = "run/virtnode/state.json"
VOLUME = r"[a-z0-9-]+/[a-z0-9]+"
SETTLE_SECONDS = 60
MIRROR_SECONDS = 20
"""How long a disk may be late before its mirror starts without it."""
CHECK_TIMEOUT, MOUNT_TIMEOUT = 120.0, 120.0
REPAIRED = 1
"""fsck's exit status where it repaired what it found; beyond 1 nothing is safe to mount."""


@dataclass(frozen=True)
class State:
    """Where the node's state lives: `disk` survives a restart, `memory` does not."""

    kind: str = "memory"
    problem: str = ""
    note: str = ""
    """What somebody should know of it, though nothing is broken."""


class Runs(Protocol):
    """Runs a command: `nodelib.run.run`."""

    def __call__(self, argv: Sequence[str | Path], *, check: bool, timeout: float) -> Result:
        """Run it to its end."""


def main() -> int:
    """Mount the state disk, if there is one; returns 0 whatever was found, for a node starts without it."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    root = Path("/")
    state = mount_state(root)
    if state.kind == "disk":
        state = replace(state, note=_settle(root))
    write_state(root, state)
    try:
        restore_host_keys(root)
    except OSError as error:
        logger.error("the kept SSH keys cannot be used: %s", error)
    return 0


def _settle(root: Path) -> str:
    """Have the configuration be one that this image reads."""
    from nodeagent.update.slot_state import settle_state

    try:
        return settle_state(root)
    except OSError as error:
        logger.error("the configuration of another image cannot be looked after: %s", error)
        return ""


def is_stateless(command_line: str) -> bool:
    """Tell whether the kernel arguments ask for a node without memory.

    So does an installation: what it may write to must not be in use.
    """
    if any(word.startswith("node.install=") for word in command_line.split()):
        return True
    words = [word for word in command_line.split() if word.partition("=")[0] == "node.stateless"]
    return bool(words) and words[-1].partition("=")[2].lower() not in ("0", "no", "off", "false")


def mount_state(root: Path, command: Runs = run) -> State:
    """Find, check and mount the file system; what stands in the way is a problem, never an error."""
    if is_stateless((root / "proc/cmdline").read_text()):
        logger.info("node.stateless or node.install: the state disk, if there is one, is left alone")
        return State()
    try:
        _wait_for_disks(root, command)
        device = find_state(root)
        if device is None:
            logger.info("no file system is labelled %s: what the node is told is lost when it stops", LABEL)
            return State()
        volume = mirrored_volume(root)
        if volume:
            start_volume(root, volume, command)
        checked = command(["fsck", "-p", "-T", device], check=False, timeout=CHECK_TIMEOUT)
        if checked.status > REPAIRED:
            return _broken(f"fsck ended with status {checked.status}")
        target = root / MOUNT_POINT
        target.mkdir(parents=True, exist_ok=True)
        options = "rw,nosuid,nodev,noexec,noatime"
        command(["mount", "-o", options, device, target], check=True, timeout=MOUNT_TIMEOUT)
        target.chmod(0o700)
        _reset(target, command)
    except VirtnodeError as error:
        return _broken(error.message)
    except OSError as error:
        return _broken(str(error))
    logger.info("the state disk is mounted")
    return State("disk")


def _wait_for_disks(root: Path, command: Runs) -> None:
    """Wait for the disk that is named, or else for all; what is there by then is used, be udev slow."""
    named = _named(root)
    timeout = f"--timeout={SETTLE_SECONDS}"
    argv: list[str | Path] = ["udevadm", "settle", timeout]
    # A mirrored volume is waited for less long, and then started with what disks there are.
    if named and not mirrored_volume(root):
        argv = ["udevadm", "wait", timeout, named]
    # On a machine that is busy the program itself is late as well.
    _try(command, argv, 2 * SETTLE_SECONDS)


def _try(command: Runs, argv: list[str | Path], timeout: float) -> str:
    """Run what may fail or be late, and return what it said; what is there afterwards is used anyway."""
    try:
        return command(argv, check=False, timeout=timeout).stdout
    except VirtnodeError as error:
        logger.warning("%s; what is there by now is used", error.message)
        return ""


def _reset(target: Path, command: Runs) -> None:
    """Forget everything if that was asked for; half of it must not be used."""
    try:
        finish_reset(target)
    except OSError as error:
        command(["umount", target], check=False, timeout=MOUNT_TIMEOUT)
        raise VirtnodeError(Code.FAILED, f"the reset did not end: {error}") from error


def start_volume(root: Path, volume: str, command: Runs) -> None:
    """Have a mirrored state started: by udev if both disks are there, otherwise with the one that is.

    udev waits for all disks of a group; a node whose second disk died would wait for ever.
    """
    device = root / "dev" / volume
    wait: list[str | Path] = ["udevadm", "wait", f"--timeout={MIRROR_SECONDS}", device]
    _try(command, wait, 2 * MIRROR_SECONDS)
    if device.exists():
        return
    logger.warning("the state is not there by itself: it is started with what disks there are")
    # Guests' disks are beside it, in a group that is not whole either; there may be none.
    group = volume.partition("/")[0]
    for kind, name in (("lvchange", volume), ("vgchange", group.removesuffix(STATE_SUFFIX))):
        _try(command, [kind, "--activate", "y", "--activationmode", "degraded", name], MOUNT_TIMEOUT)
    _start_pool(group.removesuffix(STATE_SUFFIX), command)


def _start_pool(group: str, command: Runs) -> None:
    """Start the thin pool of a group that lacks a disk, if all of the pool is on the other one.

    LVM calls no thin volume degraded whose pool is: to it the volume lacks a part, second copy or not.
    """
    listed = _try(command, ["lvs", "--all", "--noheadings", "-o", "lv_name,segtype", group], MOUNT_TIMEOUT)
    kinds = dict(line.split()[:2] for line in listed.splitlines() if len(line.split()) > 1)
    if not all(kinds.get(f"[{THIN_POOL}_{part}]") == "raid1" for part in ("tdata", "tmeta")):
        return
    select = f"lv_name={THIN_POOL} || pool_lv={THIN_POOL}"
    start: list[str | Path] = ["lvchange", "--activate", "y", "--activationmode", "partial"]
    _try(command, [*start, "--select", select, group], MOUNT_TIMEOUT)


def mirrored_volume(root: Path) -> str:
    """Return the volume that is the state, as GROUP/NAME; empty where it is a partition, or not named."""
    named = _named_state(root)
    return named if re.fullmatch(VOLUME, named) else ""


def _named(root: Path) -> Path | None:
    named = _named_state(root)
    if not named:
        return None
    return root / "dev" / named if mirrored_volume(root) else root / BY_IDENTIFIER / named


def _named_state(root: Path) -> str:
    words = [word.partition("=") for word in (root / "proc/cmdline").read_text().split()]
    return next((value for name, _, value in reversed(words) if name == ARGUMENT and value), "").lower()


def find_state(root: Path) -> Path | None:
    """Find the file system: the one that the disk's menu names, else the one with the label; None without."""
    if named := _named(root):
        # One that is gone is not an absent one: looking into it fails, and that is told.
        return named
    device = root / DEVICE
    if not device.exists() or any((root / name).exists() for name in UNDER_WAY):
        return None
    return device


def write_state(root: Path, state: State) -> None:
    """Leave word for the agent."""
    path = root / STATE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_json(state))


def read_state(root: Path) -> State:
    """Read what was left; nothing is said of a disk where nobody looked for one."""
    try:
        return decode_lenient(State, parse_json((root / STATE_FILE).read_text()))
    except (OSError, VirtnodeError):
        return State()


def _broken(reason: str) -> State:
    problem = f"the state disk cannot be used, and what the node is told is lost when it stops: {reason}"
    logger.error("%s", problem)
    return State("memory", problem)


if __name__ == "__main__":
    sys.exit(main())
