"""The watch over an image on trial: it is kept once everything has held for a while."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from nodeagent.update.environment import keep_slot
from nodeagent.update.health import Signs, find_missing, is_kept, mark_kept
from nodeagent.update.mirror import change_menu
from nodeagent.update.record import Footing
from nodeagent.update.slot_disk import SlotDisk
from nodelib.errors import VirtnodeError

logger = logging.getLogger(__name__)

HOLD = 20.0
"""Seconds for which everything must hold."""
LOOK = 2.0


class TrialWatch:
    """Looks at the node until its image may be kept; who restarts it otherwise is not the agent."""

    def __init__(
        self,
        root: Path,
        disk: SlotDisk,
        signs: Callable[[], Signs],
        monotonic: Callable[[], float],
        look: float = LOOK,
    ) -> None:
        self._root = root
        self._disk = disk
        self._signs = signs
        self._monotonic = monotonic
        self._look = look
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(
        self, before: Footing, on_waiting: Callable[[tuple[str, ...]], None], on_kept: Callable[[], None]
    ) -> None:
        """Begin; `on_waiting` hears of each change of what is missing, `on_kept` of the blessing."""
        self._thread = threading.Thread(
            target=self._run, args=(before, on_waiting, on_kept), name="trial", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the watch, whatever became of the image."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(10)

    def _run(
        self, before: Footing, on_waiting: Callable[[tuple[str, ...]], None], on_kept: Callable[[], None]
    ) -> None:
        if is_kept(self._root):
            return
        said: tuple[str, ...] | None = None
        since: float | None = None
        while not self._ending.wait(self._look):
            try:
                missing = find_missing(self._signs(), before)
                if missing != said:
                    said = missing
                    on_waiting(missing)
                    logger.info("the image on trial waits for: %s", "; ".join(missing) or "nothing any more")
                since = None if missing else (since if since is not None else self._monotonic())
                if since is not None and self._monotonic() - since >= HOLD:
                    bless(self._root, self._disk)
                    on_kept()
                    return
            except VirtnodeError as error:
                logger.error("the image on trial cannot be kept yet: %s", error.message)
            except Exception:  # the outermost loop: what goes wrong in a look must not end all looking
                logger.exception("looking after the image on trial failed")


def bless(root: Path, disk: SlotDisk) -> None:
    """Have the running slot started from now on; one sector of a disk changes."""
    change_menu(disk, disk.booted, lambda environment: keep_slot(environment, disk.booted))
    mark_kept(root)
