"""Statements on nodes."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import BindParameter, Connection, Row, Update, bindparam, delete, func, insert, select, update

from engine.store.schema import NODES

Value = str | float | bool | None


@dataclass(frozen=True)
class NodeRow:
    """A node as it is stored; `facts`, `ladder` and `heartbeat` are JSON as the link's codec writes it."""

    id: str
    name: str
    comment: str
    cluster_id: str
    state: str
    reason: str
    action: str
    """The one thing that a person is advised to do; empty when all is well."""
    since: float
    maintenance: bool
    public_key: str
    """DER in hexadecimal."""
    fingerprint: str
    code: str
    hardware_uuid: str
    serial_number: str
    claims: str | None
    """The node whose hardware this one says it is, with another key."""
    certificate_serial: str | None
    certificate_expires: float | None
    facts: str
    ladder: str
    heartbeat: str | None
    address: str
    last_seen: float | None
    last_error: str
    created_at: float
    approved_at: float | None
    approved_by: str | None
    token_id: str | None


@dataclass(frozen=True)
class WaitingRow:
    """What tells of a node that waits for approval who it is, and when it was seen last."""

    id: str
    name: str
    code: str
    last_seen: float | None


ALL_COLUMNS = select(*(NODES.c[field.name] for field in fields(NodeRow)))
BY_ID = ALL_COLUMNS.where(NODES.c.id == bindparam("wanted"))
BY_KEY = ALL_COLUMNS.where(NODES.c.fingerprint == bindparam("wanted"))
BY_HARDWARE = ALL_COLUMNS.where(
    NODES.c.hardware_uuid == bindparam("uuid"), NODES.c.serial_number == bindparam("serial")
).order_by(NODES.c.created_at)
INSERT = insert(NODES)
BY_NAME = ALL_COLUMNS.where(NODES.c.name == bindparam("wanted"))


def insert_node(connection: Connection, row: NodeRow) -> None:
    """Add a node; a second one of the same key or name is a conflict."""
    connection.execute(INSERT, [{field.name: getattr(row, field.name) for field in fields(row)}])


def update_node(connection: Connection, node_id: str, **values: Value) -> None:
    """Change some columns of one node."""
    given = {f"new_{name}": value for name, value in values.items()}
    connection.execute(_update(tuple(values)), {"wanted": node_id, **given})


def delete_node(connection: Connection, node_id: str) -> None:
    """Forget a node."""
    connection.execute(delete(NODES).where(NODES.c.id == node_id))


def find_node(connection: Connection, node_id: str) -> NodeRow | None:
    """Find a node by its identifier."""
    return _one(connection.execute(BY_ID, {"wanted": node_id}).first())


def find_node_by_key(connection: Connection, fingerprint: str) -> NodeRow | None:
    """Find the node that a key belongs to."""
    return _one(connection.execute(BY_KEY, {"wanted": fingerprint}).first())


def find_nodes_by_code(connection: Connection, code: str) -> tuple[NodeRow, ...]:
    """Find the nodes of an approval code: one, unless somebody took great pains."""
    return _all(connection.execute(ALL_COLUMNS.where(NODES.c.code == code)).all())


def find_nodes_by_hardware(connection: Connection, uuid: str, serial: str) -> tuple[NodeRow, ...]:
    """Find the nodes that were seen on some hardware, the oldest first."""
    return _all(connection.execute(BY_HARDWARE, {"uuid": uuid, "serial": serial}).all())


def find_node_by_name(connection: Connection, name: str) -> NodeRow | None:
    """Find a node by its name."""
    return _one(connection.execute(BY_NAME, {"wanted": name}).first())


def list_nodes(connection: Connection, most: int | None = None) -> tuple[NodeRow, ...]:
    """List nodes by name: all of them, or the first ones."""
    return _all(connection.execute(ALL_COLUMNS.order_by(NODES.c.name).limit(most)).all())


def list_waiting(connection: Connection) -> tuple[WaitingRow, ...]:
    """List the nodes that wait for approval, without all that they told."""
    columns = (NODES.c[field.name] for field in fields(WaitingRow))
    rows = connection.execute(select(*columns).where(NODES.c.state == "pending")).all()
    return tuple(WaitingRow(**row._mapping) for row in rows)


def count_nodes(connection: Connection, state: str, address: str | None = None) -> int:
    """Count nodes of a state, of all addresses or of one."""
    query = select(func.count()).select_from(NODES).where(NODES.c.state == state)
    if address is not None:
        query = query.where(NODES.c.address == address)
    return int(connection.execute(query).scalar_one())


@functools.cache
def _update(names: tuple[str, ...]) -> Update:
    """Make the statement that changes some columns: a registration takes long enough without it."""
    values: dict[str, BindParameter[Value]] = {name: bindparam(f"new_{name}") for name in names}
    return update(NODES).where(NODES.c.id == bindparam("wanted")).values(values)


def _one(row: Row[tuple[object, ...]] | None) -> NodeRow | None:
    return None if row is None else NodeRow(**row._mapping)


def _all(rows: Sequence[Row[tuple[object, ...]]]) -> tuple[NodeRow, ...]:
    return tuple(NodeRow(**row._mapping) for row in rows)
