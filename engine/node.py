"""A node, as people and tools see it: what is stored, and what is known of it this moment."""

import functools
import logging
from dataclasses import dataclass, field
from typing import TypeVar

from engine.store.node_rows import NodeRow
from engine.wire import read_from_node
from nodelib.codec import parse_json
from nodelib.errors import VirtnodeError
from nodelib.facts import Facts
from nodelib.ladder import Rung
from nodelib.link import Heartbeat, NodeState

logger = logging.getLogger(__name__)

T = TypeVar("T")
U = TypeVar("U")
CACHED_FACTS = 4096


@dataclass(frozen=True)
class Node:
    """All about a node. Times are seconds since 1970."""

    id: str
    name: str
    comment: str
    cluster_id: str
    state: NodeState
    reason: str
    action: str
    """The recommended action; empty when all is well."""
    since: float
    maintenance: bool
    fingerprint: str
    code: str
    claims: str | None
    """The node whose hardware this one says it is, with another key."""
    address: str
    connected: bool
    last_seen: float | None
    last_error: str
    created_at: float
    approved_at: float | None
    approved_by: str | None
    certificate_expires: float | None
    facts: Facts = field(repr=False)
    ladder: tuple[Rung, ...] = field(repr=False)
    heartbeat: Heartbeat | None = field(repr=False)


def make_node(row: NodeRow, *, connected: bool = False) -> Node:
    """Read what is stored of a node."""
    return Node(
        id=row.id,
        name=row.name,
        comment=row.comment,
        cluster_id=row.cluster_id,
        state=NodeState(row.state),
        reason=row.reason,
        action=row.action,
        since=row.since,
        maintenance=row.maintenance,
        fingerprint=row.fingerprint,
        code=row.code,
        claims=row.claims,
        address=row.address,
        connected=connected,
        last_seen=row.last_seen,
        last_error=row.last_error,
        created_at=row.created_at,
        approved_at=row.approved_at,
        approved_by=row.approved_by,
        certificate_expires=row.certificate_expires,
        facts=read_facts(row.facts),
        ladder=read_ladder(row.ladder),
        heartbeat=None if row.heartbeat is None else read_heartbeat(row.heartbeat),
    )


@functools.lru_cache(CACHED_FACTS)
def read_facts(text: str) -> Facts:
    """Read stored facts; they seldom change and are read with every list."""
    return _read(Facts, text, Facts())


@functools.lru_cache(CACHED_FACTS)
def read_ladder(text: str) -> tuple[Rung, ...]:
    """Read a stored ladder."""
    return _read(tuple[Rung, ...], text, ())


@functools.lru_cache(CACHED_FACTS)
def read_heartbeat(text: str) -> Heartbeat | None:
    """Read a stored heartbeat."""
    return _read(Heartbeat, text, None)


def _read(kind: type[T], text: str, otherwise: U) -> T | U:
    """Read what is stored of a node; one row that makes no sense is no reason to show no nodes."""
    try:
        return read_from_node(kind, parse_json(text))
    except VirtnodeError as error:
        logger.warning("what is stored of a node cannot be read: %s", error.message)
        return otherwise
