"""Statements on the audit log."""

from dataclasses import dataclass, fields

from sqlalchemy import Connection, delete, func, insert, select

from engine.store.schema import EVENTS


@dataclass(frozen=True)
class EventRow:
    """Something that happened; `before` and `after` are JSON."""

    time: float
    severity: str
    kind: str
    text: str
    actor: str
    correlation: str
    node_id: str | None = None
    identifier: str | None = None
    before: str | None = None
    after: str | None = None
    id: int = 0
    """Counts up; given by the database."""


INSERT = insert(EVENTS)
GIVEN = tuple(field.name for field in fields(EventRow) if field.name != "id")


def insert_event(connection: Connection, row: EventRow) -> None:
    """Add an event."""
    connection.execute(INSERT, [{name: getattr(row, name) for name in GIVEN}])


def known_identifiers(connection: Connection, node_id: str, identifiers: tuple[str, ...]) -> frozenset[str]:
    """Tell which of a node's own events are in the log already."""
    query = select(EVENTS.c.identifier).where(
        EVENTS.c.node_id == node_id, EVENTS.c.identifier.in_(identifiers)
    )
    return frozenset(str(name) for name in connection.execute(query).scalars())


def list_events(
    connection: Connection,
    *,
    after: int = 0,
    node_id: str | None = None,
    limit: int = 100,
    newest_first: bool = True,
) -> tuple[EventRow, ...]:
    """List events with a greater number than `after`, of all nodes or of one."""
    query = select(EVENTS).where(EVENTS.c.id > after)
    if node_id is not None:
        query = query.where(EVENTS.c.node_id == node_id)
    order = EVENTS.c.id.desc() if newest_first else EVENTS.c.id
    rows = connection.execute(query.order_by(order).limit(limit))
    return tuple(EventRow(**row._mapping) for row in rows)


def find_event(connection: Connection, event_id: int) -> EventRow | None:
    """Find an event by its number."""
    row = connection.execute(select(EVENTS).where(EVENTS.c.id == event_id)).first()
    return None if row is None else EventRow(**row._mapping)


def prune_events(connection: Connection, *, before: float, keep: int) -> int:
    """Forget what is older than `before`, and all but the last `keep`; return how many went."""
    newest = connection.execute(select(func.max(EVENTS.c.id))).scalar() or 0
    gone = connection.execute(
        delete(EVENTS).where((EVENTS.c.time < before) | (EVENTS.c.id <= int(newest) - keep))
    )
    return gone.rowcount
