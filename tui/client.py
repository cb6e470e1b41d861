"""The seam between the console and a node: the agent on the bus, or a recorded machine."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeAlias, TypeVar

from nodelib.bus import LadderReply, PendingChange, Status
from nodelib.link import Verb

Q = TypeVar("Q")
R = TypeVar("R")

TIMEOUT = 120.0

Signal: TypeAlias = Status | LadderReply | PendingChange
"""What the agent tells by itself."""
Hear: TypeAlias = Callable[[Signal], None]
"""Called with each signal, in whatever thread it arrives."""


class NodeClient(Protocol):
    """A node that can be asked, and that tells by itself what changed."""

    def call(self, verb: Verb[Q, R], request: Q, timeout: float = TIMEOUT) -> Future[R]:
        """Begin a call and return at once; the future holds the reply, or raises the VirtnodeError."""

    def subscribe(self, hear: Hear) -> None:
        """Tell every signal from now on."""

    def close(self) -> None:
        """Let go of the node; calls under way fail."""
