"""Waiting for disks where nobody is there to see that one is missing: a controller may take half a minute."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nodeagent.facts.sources import read_text
from nodelib.bus_install import InstallDisk
from nodelib.errors import VirtnodeError
from nodelib.run import run

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 60
LOOK_SECONDS = 5.0
"""Between two looks; what did not change in between is taken for all that there is."""
STEADY_SECONDS = 60.0
"""How long disks may come and go before what is there is used."""
ABSENT_SECONDS = 300.0
"""How long a disk that no rule finds may be late."""
MODULES = "proc/modules"
LOADING = " Loading "
"""What the kernel says of a driver that still looks for its devices."""


def settle_devices() -> None:
    """Wait until udev has dealt with what it knows of; a slow one is not waited for without end."""
    try:
        run(["udevadm", "settle", f"--timeout={SETTLE_SECONDS}"], check=False, timeout=2 * SETTLE_SECONDS)
    except VirtnodeError as error:
        logger.warning("%s; the disks that are there are looked at", error.message)


@dataclass(frozen=True)
class Patience:
    """How waiting is done."""

    settle: Callable[[], None] = settle_devices
    pause: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic


def wait_until_steady(
    root: Path, look: Callable[[], tuple[InstallDisk, ...]], patience: Patience
) -> tuple[InstallDisk, ...]:
    """Return the disks once two looks at them were the same, and no driver is at work; or after a minute."""
    patience.settle()
    end = patience.monotonic() + STEADY_SECONDS
    disks = look()
    while patience.monotonic() < end:
        patience.pause(LOOK_SECONDS)
        before, disks = disks, look()
        if disks == before and LOADING not in read_text(root / MODULES):
            return disks
    logger.warning("disks still come and go: those that are there now are used")
    return disks
