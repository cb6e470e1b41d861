"""The audit log: who did what to which node, what it was before and after, and what nodes report."""

import contextlib
import json
import uuid
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

from engine.printable import printable
from engine.store import event_rows
from engine.store.database import Connection
from engine.store.event_rows import EventRow
from nodelib.link import NodeEvent, Severity

LONGEST_TEXT = 2000
"""Letters of an event's text, and of what was before and after, that are kept."""
LONGEST_IDENTIFIER = 200


_REQUEST: ContextVar[str] = ContextVar("correlation", default="")


@contextlib.contextmanager
def one_request() -> Iterator[None]:
    """Give all events of one request of a node, or of the command line, the same new correlation."""
    former = _REQUEST.set(str(uuid.uuid4()))
    try:
        yield
    finally:
        _REQUEST.reset(former)


@dataclass(frozen=True)
class Actor:
    """Who asks: an account, a node, or the engine; `correlation` ties together what came of one request.

    Whoever names no other belongs to the request that is being answered, if there is one.
    """

    name: str
    correlation: str = field(default_factory=lambda: _REQUEST.get())


ENGINE = Actor("engine")


@dataclass(frozen=True)
class Event:
    """What is to be remembered."""

    severity: Severity
    kind: str
    """A word to filter by: `node-approved`."""
    text: str
    node: str | None = None
    before: object = None
    after: object = None


def record(connection: Connection, event: Event, actor: Actor, now: float) -> None:
    """Write an event in the transaction that it tells of."""
    event_rows.insert_event(
        connection,
        EventRow(
            time=now,
            severity=event.severity,
            kind=event.kind,
            text=printable(event.text, LONGEST_TEXT),
            actor=actor.name,
            correlation=actor.correlation or _correlation(),
            node_id=event.node,
            before=_json(event.before),
            after=_json(event.after),
        ),
    )


def record_of_node(connection: Connection, node: str, events: Sequence[NodeEvent], now: float) -> int:
    """Write what a node reports, each event once however often it is reported; return how many were new."""
    by_identifier = {printable(event.identifier, LONGEST_IDENTIFIER): event for event in events}
    known = event_rows.known_identifiers(connection, node, tuple(by_identifier))
    correlation = _correlation()
    for identifier, event in by_identifier.items():
        if identifier in known:
            continue
        event_rows.insert_event(
            connection,
            EventRow(
                time=min(event.time, now),
                severity=event.severity,
                kind=printable(event.kind, 100),
                text=printable(event.text, LONGEST_TEXT),
                actor=f"node:{node}/{printable(event.actor, 100)}",
                correlation=correlation,
                node_id=node,
                identifier=identifier,
                before=_json(event.before),
                after=_json(event.after),
            ),
        )
    return len(by_identifier) - len(known)


def _correlation() -> str:
    """Name the request that is being answered; what comes by itself is a matter of its own."""
    return _REQUEST.get() or str(uuid.uuid4())


def _json(value: object) -> str | None:
    if value is None:
        return None
    text = json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= LONGEST_TEXT else json.dumps(text[: LONGEST_TEXT - 100])
