"""Who writes to the disks that this node starts from: installation, repair and update, one at a time."""

import contextlib
import threading
from collections.abc import Iterator

from nodelib.errors import Code, VirtnodeError


class DiskClaim:
    """Held by whoever writes; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder = ""

    @property
    def holder(self) -> str:
        """Who writes, in words; nothing while nobody does."""
        return self._holder

    def check(self) -> None:
        """Raise VirtnodeError (busy) while somebody writes."""
        if holder := self._holder:
            raise VirtnodeError(Code.BUSY, f"{holder} is under way", "wait until it has ended")

    @contextlib.contextmanager
    def held(self, holder: str) -> Iterator[None]:
        """Hold it until the context ends; raises VirtnodeError (busy) where somebody else does."""
        with self._lock:
            self.check()
            self._holder = holder
        try:
            yield
        finally:
            self._holder = ""
