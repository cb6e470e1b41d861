"""Statements on rolls: updates of all nodes of a cluster, one after the other."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, insert, select, update

from engine.store.schema import ROLL_NODES, ROLLS

Value = str | float | bool | None


@dataclass(frozen=True)
class RollRow:
    """A roll; `finished` is None while it is under way."""

    id: str
    cluster_id: str
    digest: str
    version: str
    build_id: str
    state: str
    reason: str
    stop_guests: bool
    actor: str
    correlation: str
    started: float
    since: float
    """When the last node was begun or done with."""
    finished: float | None = None


@dataclass(frozen=True)
class RollNodeRow:
    """What a roll does with one node."""

    roll_id: str
    position: int
    node_id: str
    name: str
    state: str
    reason: str = ""


def insert_roll(connection: Connection, row: RollRow, nodes: Sequence[RollNodeRow]) -> None:
    """Add a roll and its nodes; a second one that is under way in a cluster is a conflict."""
    connection.execute(insert(ROLLS), [asdict(row)])
    if nodes:
        connection.execute(insert(ROLL_NODES), [asdict(node) for node in nodes])


def change_roll(connection: Connection, roll_id: str, **values: Value) -> None:
    """Change some columns of a roll."""
    connection.execute(update(ROLLS).where(ROLLS.c.id == roll_id).values(**values))


def change_roll_node(connection: Connection, roll_id: str, node_id: str, **values: str) -> None:
    """Change what a roll does with a node."""
    here = (ROLL_NODES.c.roll_id == roll_id) & (ROLL_NODES.c.node_id == node_id)
    connection.execute(update(ROLL_NODES).where(here).values(**values))


def list_under_way(connection: Connection) -> tuple[RollRow, ...]:
    """List the rolls that are not finished."""
    rows = connection.execute(select(ROLLS).where(ROLLS.c.finished.is_(None)).order_by(ROLLS.c.started))
    return tuple(RollRow(**row._mapping) for row in rows)


def list_rolls(connection: Connection, cluster_id: str, most: int | None = None) -> tuple[RollRow, ...]:
    """List the rolls of a cluster, the latest first."""
    query = select(ROLLS).where(ROLLS.c.cluster_id == cluster_id)
    rows = connection.execute(query.order_by(ROLLS.c.started.desc(), ROLLS.c.id).limit(most))
    return tuple(RollRow(**row._mapping) for row in rows)


def list_roll_nodes(connection: Connection, roll_id: str) -> tuple[RollNodeRow, ...]:
    """List the nodes of a roll in their order."""
    query = select(ROLL_NODES).where(ROLL_NODES.c.roll_id == roll_id).order_by(ROLL_NODES.c.position)
    return tuple(RollNodeRow(**row._mapping) for row in connection.execute(query))


def delete_roll(connection: Connection, roll_id: str) -> None:
    """Forget a roll."""
    connection.execute(delete(ROLLS).where(ROLLS.c.id == roll_id))
