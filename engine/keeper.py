"""What keeps the states of nodes: changes go to the database and the log, and old events are forgotten."""

import logging
import threading
from collections import deque
from collections.abc import Callable

from engine import events
from engine.events import ENGINE, Event
from engine.options import Settings
from engine.presence import Change, Presence
from engine.store import event_rows, node_rows
from engine.store.database import Connection, Store
from engine.waiting import WaitingRoom, forget_absent
from nodelib.link import NodeState, Severity

logger = logging.getLogger(__name__)

PRUNE_INTERVAL = 3600.0
WAITING_INTERVAL = 60.0
"""Seconds between two looks at who waits for approval and is gone."""
MOST_KEPT = 100
"""From how many changes on a transaction of a tick is closed."""
GLANCE = 50
"""How many nodes are looked at without letting a heartbeat in between."""
SEVERITIES = {
    NodeState.NON_OPERATIONAL: Severity.WARNING,
    NodeState.UNREACHABLE: Severity.ERROR,
    NodeState.FAILED: Severity.ERROR,
}


class Keeper:
    """Stores what `Presence` says has changed; `deciding` and `lock` are those of `Nodes`."""

    def __init__(
        self,
        store: Store,
        presence: Presence,
        room: WaitingRoom,
        deciding: threading.RLock,
        lock: threading.RLock,
        clock: Callable[[], float],
        steady: Callable[[], float],
        settings: Callable[[], Settings],
    ) -> None:
        self._store = store
        self._settings = settings
        self._presence = presence
        self._room = room
        self._deciding = deciding
        self._lock = lock
        self._clock = clock
        self._steady = steady
        self._pruned = self._looked = steady()

    def keep(self, *, everything: bool = False) -> None:
        """Let states follow from the time that went by, and store what changed."""
        with self._lock:
            nodes = self._presence.followed()
        left = deque(nodes[start : start + GLANCE] for start in range(0, len(nodes), GLANCE))
        while left:
            self._keep_some(left, everything=everything)
        if self._steady() - self._looked >= WAITING_INTERVAL:
            self._forget_absent()
        if self._steady() - self._pruned >= PRUNE_INTERVAL:
            self._prune()

    def _keep_some(self, left: deque[tuple[str, ...]], *, everything: bool) -> None:
        """Store what changed of some nodes, and take them off; decisions need not wait for all of them."""
        changes: tuple[Change, ...] = ()
        with self._deciding:
            while left and len(changes) < MOST_KEPT:
                with self._lock:
                    changes += self._presence.changes(left.popleft(), everything=everything)
            if changes:
                with self._store.write() as connection:
                    for change in changes:
                        self._keep(connection, change)
                with self._lock:
                    self._presence.written(changes)

    def _keep(self, connection: Connection, change: Change) -> None:
        node_rows.update_node(connection, change.node, **change.values)
        if change.warning is not None:
            events.record(connection, change.warning, ENGINE, self._clock())
        after = change.verdict
        if after.state is change.before:
            return
        text = f"{change.name} is {after.state}" + (f": {after.reason}" if after.reason else "")
        event = Event(
            SEVERITIES.get(after.state, Severity.INFO),
            "node-state",
            text,
            change.node,
            before={"state": change.before.value},
            after={"state": after.state.value},
        )
        events.record(connection, event, ENGINE, self._clock())

    def _forget_absent(self) -> None:
        with self._deciding:
            with self._store.write() as connection:
                gone = forget_absent(connection, self._room, self._clock())
                waiting = {row.id for row in node_rows.list_waiting(connection)}
            for node in gone:
                self._room.forget(node)
            self._room.keep_only(waiting)
        self._looked = self._steady()

    def _prune(self) -> None:
        settings = self._settings()
        with self._store.write() as connection:
            oldest = self._clock() - settings.event_days * 86400
            gone = event_rows.prune_events(connection, before=oldest, keep=settings.max_events)
        self._pruned = self._steady()
        logger.info("events: forgot %d", gone)
