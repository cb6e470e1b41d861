"""The state disk: found by its label, mounted where the node keeps what must survive; no boot waits."""

import logging
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

logger = logging.getLogger(__name__)

LABEL = "virtnode-state"
DEVICE = f"dev/disk/by-label/{LABEL}"
BY_IDENTIFIER = "dev/disk/by-partuuid"
UNFINISHED = "dev/disk/by-partlabel/virtnode-unfinished"
"""There while a disk is being installed: its state is not to be used, so that one can install to it again."""
ARGUMENT = "node.state"
"""Kernel argument of an installed disk: the identifier of its own state partition."""
MOUNT_POINT = "var/lib/virtnode"
STATE_FILE = "run/virtnode/state.json"
SETTLE_SECONDS = 60
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
        command(["udevadm", "settle", f"--timeout={SETTLE_SECONDS}"], check=False, timeout=SETTLE_SECONDS + 5)
        device = find_state(root)
        if device is None:
            logger.info("no file system is labelled %s: what the node is told is lost when it stops", LABEL)
            return State()
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


def _reset(target: Path, command: Runs) -> None:
    """Forget everything if that was asked for; half of it must not be used."""
    try:
        finish_reset(target)
    except OSError as error:
        command(["umount", target], check=False, timeout=MOUNT_TIMEOUT)
        raise VirtnodeError(Code.FAILED, f"the reset did not end: {error}") from error


def find_state(root: Path) -> Path | None:
    """Find the file system: the one that the disk's menu names, else the one with the label; None without."""
    words = [word.partition("=") for word in (root / "proc/cmdline").read_text().split()]
    named = [value for name, _, value in words if name == ARGUMENT and value]
    if named:
        # One that is gone is not an absent one: looking into it fails, and that is told.
        return root / BY_IDENTIFIER / named[-1].lower()
    device = root / DEVICE
    if not device.exists() or (root / UNFINISHED).exists():
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
