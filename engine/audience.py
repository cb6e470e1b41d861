"""Who hears of decisions about nodes."""

from typing import Protocol


class Audience(Protocol):
    """Who holds connections to nodes; called from any thread, and never waits."""

    def approved(self, waiting: str, node: str) -> None:
        """Let the connection of a waiting node know that it is `node` from now on."""

    def rejected(self, node: str, reason: str) -> None:
        """Let the connection of a waiting node know that it is not wanted."""

    def barred(self, node: str, reason: str) -> None:
        """Close every connection of a node at once."""


class Nobody:
    """No connections: an engine that does not run."""

    def approved(self, waiting: str, node: str) -> None:
        """Tell nobody."""

    def rejected(self, node: str, reason: str) -> None:
        """Tell nobody."""

    def barred(self, node: str, reason: str) -> None:
        """Tell nobody."""
