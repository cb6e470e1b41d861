"""Virtual machines in the way of a restart: named, or asked to shut down and waited for."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from nodeagent.facts.sources import Command
from nodeagent.facts.virtualisation import running_guests
from nodelib.errors import Code, VirtnodeError

SECONDS = 60.0
"""How long all of them together may take to shut down; then they lose their power with the node."""
PAUSE = 1.0


def wait_a_moment(seconds: float) -> None:
    """Let time pass."""
    threading.Event().wait(seconds)


def clear_guests(
    root: Path,
    command: Command,
    *,
    stop: bool,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = wait_a_moment,
) -> tuple[str, ...]:
    """Shut down what runs, if that may be, and wait; returns what runs still.

    Raises VirtnodeError (conflict) where something runs that may not be stopped.
    """
    names = running_guests(root)
    if names and not stop:
        raise VirtnodeError(
            Code.CONFLICT,
            f"virtual machines run: {', '.join(names)}",
            "move them or shut them down, or say that they may be stopped",
        )
    for name in names:
        command(("virsh", "--connect", "qemu:///system", "shutdown", name))
    deadline = clock() + SECONDS
    while (left := running_guests(root)) and clock() < deadline:
        pause(PAUSE)
    return left
