"""An installation that nobody attends begins once its whole answer is there; anything else at once."""

import logging
import threading

from nodeagent.config_source import ConfigSource
from nodeagent.install.installation import Installation

logger = logging.getLogger(__name__)

HINT = "it begins by itself then; without node.config it would not wait for that"


class InstallWait:
    """Holds an installation back while a document is expected that may say how it is done."""

    def __init__(self, installation: Installation, source: ConfigSource) -> None:
        self._installation = installation
        self._source = source
        self._waits = threading.Event()

    @property
    def problems(self) -> tuple[str, ...]:
        """Say what is waited for."""
        # What it waited for may have come a moment ago, or is known not to come.
        waits = self._waits.is_set() and not self._source.is_settled
        return (f"the installation {self._step()}",) if waits else ()

    def start(self) -> None:
        """Begin, or wait for what is expected."""
        if self._installation.is_unattended and not self._source.is_settled:
            logger.info("the installation %s", self._step())
            self._waits.set()
            self._installation.hold(self._step(), HINT)
        else:
            self._installation.begin()

    def is_over(self) -> bool:
        """Tell whether what was waited for has come; until then, say what that is."""
        if not self._waits.is_set():
            return False
        if self._source.is_settled:
            return True
        self._installation.hold(self._step(), HINT)
        return False

    def begin(self) -> None:
        """Begin at last, once."""
        if self._waits.is_set():
            self._waits.clear()
            self._installation.begin()

    def _step(self) -> str:
        return f"waits for its configuration: {self._source.awaits}"
