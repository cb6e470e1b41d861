"""virtnode-trial: restarts a machine whose image is on trial and that nobody blessed in time.

It hangs on nothing but the kernel and a Python: neither on the agent, nor on the bus, nor on a network.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nodelib.errors import VirtnodeError
from nodelib.run import run

logger = logging.getLogger(__name__)

SECONDS = 480.0
"""How long an image may take from the machine's start until it passes."""
ARGUMENT = "node.trial_seconds"
"""Kernel argument: another number, for tests."""
KEPT = "run/virtnode/kept"
LOOK = 2.0
LAST_SECONDS = 30.0
"""How long a restart may take before the next, harder one."""
RESTARTS: Sequence[Sequence[str]] = (
    ("systemctl", "reboot", "--force"),
    ("systemctl", "reboot", "--force", "--force"),
)
SYSRQ = "proc/sysrq-trigger"


def wait_a_moment(seconds: float) -> None:
    """Let time pass."""
    threading.Event().wait(seconds)


def main() -> int:
    """Wait for the blessing, and restart without it; returns 0 once there is one."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    root = Path("/")
    if wait_for_blessing(root, read_seconds((root / "proc/cmdline").read_text())):
        return 0
    logger.error("the image on trial did not pass in time: the machine restarts")
    restart(root)
    return 1


def read_seconds(cmdline: str) -> float:
    """Read how long a trial may take."""
    words = [word.partition("=") for word in cmdline.split()]
    given = [value for name, _, value in words if name == ARGUMENT and value.isdigit()]
    return float(given[-1]) if given else SECONDS


def wait_for_blessing(
    root: Path,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = wait_a_moment,
) -> bool:
    """Wait until the image is kept, up to `seconds` after the machine's start; tell whether it was."""
    while not (root / KEPT).exists():
        if clock() >= seconds:
            return False
        pause(LOOK)
    return True


def restart(
    root: Path,
    commands: Sequence[Sequence[str]] = RESTARTS,
    pause: Callable[[float], None] = wait_a_moment,
) -> None:
    """Restart the machine, harder each time that it does not."""
    for argv in commands:
        try:
            run(argv, check=False, timeout=LAST_SECONDS)
        except VirtnodeError as error:
            logger.error("%s", error.message)
        pause(LAST_SECONDS)
    for letter in ("s", "b"):
        (root / SYSRQ).write_text(letter)


if __name__ == "__main__":
    sys.exit(main())
