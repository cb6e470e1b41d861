"""SSH that comes up by itself: it runs while something is wrong with the node, and a little longer."""

import logging
import threading
from collections.abc import Callable

from nodeagent.services import Services
from nodeagent.settings.ssh import server_unit
from nodeagent.tree_files import TreeFiles
from nodelib.errors import VirtnodeError

logger = logging.getLogger(__name__)

AUTOMATIC = "automatic"
CALM = 60.0
"""Seconds that the node must be well before the server ends: an agent that dies again and again is not."""


class SshWatch:
    """Starts and stops the server; a look while another one is at it is none."""

    def __init__(self, tree: TreeFiles, services: Services, clock: Callable[[], float]) -> None:
        self._tree = tree
        self._services = services
        self._clock = clock
        self._looking = threading.Lock()
        self._well_since: float | None = None
        self._runs: bool | None = None
        """What was done last; None where nothing was."""

    def look(self, choice: str, *, well: bool) -> None:
        """Do what the node's health asks, where the intent leaves it to us."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            self._look(choice, well=well)
        finally:
            self._looking.release()

    def _look(self, choice: str, *, well: bool) -> None:
        if choice != AUTOMATIC:
            self._well_since = self._runs = None
            return
        now = self._clock()
        if not well:
            self._well_since = None
            self._set(True)
            return
        self._well_since = now if self._well_since is None else self._well_since
        if now - self._well_since >= CALM:
            self._set(False)

    def _set(self, runs: bool) -> None:
        server = server_unit(self._tree)
        if self._runs is runs or not server:
            return
        try:
            (self._services.start if runs else self._services.stop)(server)
        except VirtnodeError as error:
            logger.error("SSH: %s", error.message)
            return
        self._runs = runs
        logger.info("SSH %s", "runs, for something is wrong with the node" if runs else "ends, all is well")
