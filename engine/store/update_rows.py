"""Statements on updates: the newest one of each node."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from engine.store.schema import UPDATES

Value = str | float | bool | None


@dataclass(frozen=True)
class UpdateRow:
    """A node's newest update."""

    node_id: str
    digest: str
    size_bytes: int
    version: str
    build_id: str
    build_before: str
    phase: str
    reason: str
    """Of a phase that is an end: what the node said."""
    action: str
    mark: float | None
    """What the node said of an earlier update's time before it was asked; None until it was looked at."""
    was_active: bool
    """It was not in maintenance, and leaves it at a good end."""
    stop_guests: bool
    standing: bool
    """It has a say in the node's state: it is under way, or ended badly and nobody has acknowledged that."""
    roll_id: str | None
    actor: str
    correlation: str
    started: float
    deadline: float
    since: float


def put_update(connection: Connection, row: UpdateRow) -> None:
    """Put an update in the place of the node's former one."""
    connection.execute(delete(UPDATES).where(UPDATES.c.node_id == row.node_id))
    connection.execute(insert(UPDATES), [asdict(row)])


def change_update(connection: Connection, node_id: str, **values: Value) -> None:
    """Change some columns of a node's update."""
    connection.execute(update(UPDATES).where(UPDATES.c.node_id == node_id).values(**values))


def find_update(connection: Connection, node_id: str) -> UpdateRow | None:
    """Find a node's newest update."""
    row = connection.execute(select(UPDATES).where(UPDATES.c.node_id == node_id)).first()
    return None if row is None else UpdateRow(**row._mapping)


def list_standing(connection: Connection) -> tuple[UpdateRow, ...]:
    """List the updates that have a say in a node's state, the oldest first."""
    query = select(UPDATES).where(UPDATES.c.standing.is_(True)).order_by(UPDATES.c.started)
    return tuple(UpdateRow(**row._mapping) for row in connection.execute(query))


def acknowledge(connection: Connection, node_id: str) -> bool:
    """Let a node's update have no say any more; false where it had none."""
    here = (UPDATES.c.node_id == node_id) & UPDATES.c.standing.is_(True)
    return connection.execute(update(UPDATES).where(here).values(standing=False)).rowcount > 0


def count_updates(connection: Connection, digest: str, phases: tuple[str, ...]) -> int:
    """Count the updates to an image that are in one of some phases."""
    query = select(func.count()).where(UPDATES.c.digest == digest, UPDATES.c.phase.in_(phases))
    return int(connection.execute(query).scalar_one())
