"""What happened on the node, kept until the engine has acknowledged it, over restarts and losses of power."""

import json
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from nodeagent.durable import write_durably
from nodeagent.support import hide
from nodelib.codec import decode_lenient, encode, parse_json
from nodelib.errors import VirtnodeError
from nodelib.link import EventsRequest, NodeEvent, Severity

logger = logging.getLogger(__name__)

QUEUE = "var/lib/virtnode/events.json"
LONGEST = 1000
"""How many events wait at most; the oldest go first."""
BATCH = 100
"""How many are reported at once."""


class EventQueue:
    """Events in order, each in the state folder before anybody is told of it."""

    def __init__(
        self, root: Path, wall: Callable[[], float], on_new: Callable[[], None] = lambda: None
    ) -> None:
        self._on_new = on_new
        """Called when there is something to report."""
        self._path = root / QUEUE
        self._wall = wall
        self._lock = threading.Condition()
        self._events = list(_load(self._path))

    def add(
        self,
        *,
        kind: str,
        text: str,
        actor: str,
        severity: Severity = Severity.INFO,
        before: object = None,
        after: object = None,
    ) -> None:
        """Keep something that happened just now; what looks like a secret is hidden."""
        text = hide(text)
        event = NodeEvent(
            str(uuid.uuid4()), self._wall(), severity, actor, kind, text, _hidden(before), _hidden(after)
        )
        logger.info("%s: %s", kind, text)
        with self._lock:
            self._events = [*self._events, event][-LONGEST:]
            self._save()
        self._on_new()

    def waiting(self) -> tuple[NodeEvent, ...]:
        """Return the oldest events that were not acknowledged yet."""
        with self._lock:
            return tuple(self._events[:BATCH])

    def acknowledge(self, events: tuple[NodeEvent, ...]) -> None:
        """Forget events that the engine has."""
        known = {event.identifier for event in events}
        with self._lock:
            self._events = [event for event in self._events if event.identifier not in known]
            self._save()
            self._lock.notify_all()

    def wait_until_reported(self, seconds: float) -> bool:
        """Wait until the engine has acknowledged everything; tell whether it did in time."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._events, seconds)

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(self._path, json.dumps(encode(EventsRequest(tuple(self._events)))).encode())


def _hidden(value: object) -> object:
    """Copy a value with what looks like a secret hidden in each of its texts."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, Mapping):
        return {str(name): _hidden(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(item) for item in value]
    return value


def _load(path: Path) -> tuple[NodeEvent, ...]:
    try:
        return decode_lenient(EventsRequest, parse_json(path.read_bytes())).events
    except FileNotFoundError:
        return ()
    except (OSError, VirtnodeError) as error:
        logger.warning("%s cannot be read and begins anew: %s", path, error)
        return ()
