"""The audit log as oVirt's events."""

import json

import anyio.to_thread

from engine.accounts import DOMAIN
from engine.rest.endpoint import API_PATH, Call
from engine.rest.resources import EVENT
from engine.rest.search import parse_search
from engine.rest.shapes import Document, Value
from engine.store import event_rows
from engine.store.event_rows import EventRow
from nodelib.codec import parse_json
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Severity

SEARCHED = 10_000
"""How many of the latest events a search looks at."""
SHOWN = 100
"""How many events are shown where the request gives no `max`."""
LARGEST = 2**63 - 1
_SEVERITIES = {Severity.INFO: "normal", Severity.WARNING: "warning", Severity.ERROR: "error"}


async def list_events(call: Call) -> Value:
    """List events, the latest first; with `from`, those after that number."""
    most = call.number("max")
    after = min(call.number("from") or 0, LARGEST)
    sensitive = call.flag("case_sensitive", default=True)
    search = parse_search(call.text("search"), EVENT.search, case_sensitive=sensitive)
    looked_at = SEARCHED if call.text("search") else min(SHOWN if most is None else most, SEARCHED)

    def load() -> tuple[tuple[EventRow, ...], dict[str, str]]:
        with call.services.store.read() as connection:
            rows = event_rows.list_events(connection, after=after, limit=looked_at)
        return rows, {node.id: node.name for node in call.services.nodes.list()}

    rows, names = await anyio.to_thread.run_sync(load)
    return search.select([event_document(row, names) for row in rows], SHOWN if most is None else most)


async def get_event(call: Call) -> Value:
    """Show an event."""
    identifier = call.path["id"]
    known = identifier.isascii() and identifier.isdigit() and int(identifier[:20]) <= LARGEST

    def load() -> EventRow | None:
        with call.services.store.read() as connection:
            return event_rows.find_event(connection, int(identifier)) if known else None

    row = await anyio.to_thread.run_sync(load)
    if row is None:
        raise VirtnodeError(Code.NOT_FOUND, f"there is no event {identifier[:60]}", f"see {API_PATH}/events")
    return event_document(row, {})


def event_document(row: EventRow, node_names: dict[str, str]) -> Document:
    """Describe an event."""
    document: dict[str, Value] = {
        "id": str(row.id),
        "href": f"{API_PATH}/events/{row.id}",
        "index": row.id,
        "time": row.time,
        "severity": _SEVERITIES[Severity(row.severity)],
        "description": row.text,
        "comment": row.kind,
        "correlation_id": row.correlation,
        "origin": "node" if row.actor.startswith("node:") else "engine",
    }
    changed = {"before": row.before, "after": row.after}
    custom = {name: parse_json(value) for name, value in changed.items() if value is not None}
    if row.actor.startswith("node:") and (there := row.actor.partition("/")[2]):
        custom["actor"] = there
    if custom:
        document["custom_data"] = json.dumps(custom)
    if row.node_id is not None:
        name = {"name": node_names[row.node_id]} if row.node_id in node_names else {}
        document["host"] = {"id": row.node_id, "href": f"{API_PATH}/hosts/{row.node_id}", **name}
    if row.actor.endswith(f"@{DOMAIN}"):
        document["user"] = {"user_name": row.actor}
    return document
