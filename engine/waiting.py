"""Who waits for approval: on which connection, with which token, and since when nobody waits there any more.

A row of a waiting node is worth something as long as its node is there. One that left is kept for a while,
for an administrator who comes later; then it goes: machines that start again and again fill no queue.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from engine import events
from engine.events import ENGINE, Event
from engine.registration import Applicant
from engine.store import node_rows
from engine.store.database import Connection
from nodelib.link import Severity

KEPT_SECONDS = 3600.0
"""How long a waiting node that left is kept."""
NEWEST = 10
"""So many of those that were seen last are kept for longer."""
NEWEST_SECONDS = 86400.0


@dataclass(frozen=True)
class Guest:
    """A node that waits on a connection; `applicant` is there where its good token may help it later."""

    connection: object
    applicant: Applicant | None = None
    claims: str | None = None
    """The node whose hardware it shows."""


class WaitingRoom:
    """The waiting nodes that are here; any thread may call, and none waits."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._opened = clock()
        self._guests: dict[str, Guest] = {}
        self._left: dict[str, float] = {}
        self._lock = threading.Lock()

    def enter(self, node: str, guest: Guest) -> None:
        """Note a node that waits; its connection takes the place of the one before."""
        with self._lock:
            self._guests[node] = guest
            self._left.pop(node, None)

    def leave(self, connection: object) -> None:
        """Note the end of a connection."""
        with self._lock:
            for node in [node for node, guest in self._guests.items() if guest.connection is connection]:
                del self._guests[node]
                self._left[node] = self._clock()

    def forget(self, node: str) -> None:
        """Note that a node waits no longer: something was decided."""
        with self._lock:
            self._guests.pop(node, None)
            self._left.pop(node, None)

    def lose_token(self, applicant: Applicant) -> None:
        """Note that a token that waits has ended; its node waits on."""
        with self._lock:
            for node, guest in self._guests.items():
                if guest.applicant is applicant:
                    self._guests[node] = replace(guest, applicant=None)

    def keep_only(self, nodes: Collection[str]) -> None:
        """Forget of those that left all but these: of the others there is no row any more."""
        with self._lock:
            self._left = {node: left for node, left in self._left.items() if node in nodes}

    def has(self, node: str) -> bool:
        """Tell whether a node is here."""
        return node in self._guests

    def heirs(self, node: str) -> tuple[Applicant, ...]:
        """List who is here with a token and shows the hardware of a node, and waits for that alone."""
        with self._lock:
            claiming = [guest for guest in self._guests.values() if guest.claims == node]
        return tuple(guest.applicant for guest in claiming if guest.applicant is not None)

    def last_seen(self, node: str, stored: float | None) -> float | None:
        """Tell when a node was here last; who is here is seen now."""
        return self._clock() if self.has(node) else self._left.get(node, stored)

    def absent_since(self, node: str, stored: float | None) -> float | None:
        """Tell since when a node is away; None while it is here. The engine's own absence does not count."""
        if self.has(node):
            return None
        return max(self._left.get(node, 0.0), stored or 0.0, self._opened)


def forget_absent(connection: Connection, room: WaitingRoom, now: float) -> tuple[str, ...]:
    """Remove the waiting nodes that have been away for too long; return which."""
    absent = [
        (since, row)
        for row in node_rows.list_waiting(connection)
        if (since := room.absent_since(row.id, row.last_seen)) is not None
    ]
    absent.sort(key=lambda pair: pair[0], reverse=True)
    gone = []
    for place, (since, row) in enumerate(absent):
        if now - since < (NEWEST_SECONDS if place < NEWEST else KEPT_SECONDS):
            continue
        node_rows.delete_node(connection, row.id)
        text = f"{row.name}, with code {row.code}, is no longer waited for: it has been away for too long"
        event = Event(Severity.INFO, "node-forgotten", text, row.id)
        events.record(connection, event, ENGINE, now)
        gone.append(row.id)
    return tuple(gone)
