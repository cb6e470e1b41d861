"""The verbs of the link between node and engine: each declared once, as its request and its reply.

The node dials; both sides call. The first message is the engine's `hello`, which proves what the node pinned:
only then does the node say anything. On a connection without a client certificate nothing but `register` is
answered. Times are seconds since 1970.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from nodelib.facts import Facts
from nodelib.ladder import Rung

LINK_PORT = 7443
REST_PORT = 8443
"""Where a browser finds the engine, unless it was told otherwise."""
LINK_PATH = "/link"
PROTOCOL = 1
MAX_FRAME = 1 << 20
"""Bytes of the largest frame that either side takes."""
HEARTBEAT_INTERVAL = 10.0
"""Seconds between heartbeats; each waits 0.8 to 1.2 times as long."""

ARCHIVE_PART = 512 << 10
"""Bytes of an archive that one frame brings at most."""
LARGEST_ARCHIVE = 64 << 20

REVOKED = "revoked"
"""Why the engine closes the connection of a node that it has just shut out."""

Q = TypeVar("Q")
R = TypeVar("R")


class NodeState(StrEnum):
    """The states of a node, as the engine sees it."""

    PENDING = "pending"
    INSTALLING = "installing"
    UP = "up"
    NON_OPERATIONAL = "non-operational"
    CONNECTING = "connecting"
    UNREACHABLE = "unreachable"
    MAINTENANCE = "maintenance"
    REBOOTING = "rebooting"
    FAILED = "failed"
    REJECTED = "rejected"


class Severity(StrEnum):
    """How much an event matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Verb(Generic[Q, R]):
    """A method of the link."""

    name: str
    request: type[Q]
    reply: type[R]


@dataclass(frozen=True)
class Nothing:
    """No content."""


@dataclass(frozen=True)
class Hello:
    """The engine's first message.

    `ca` is PEM: the certificates that the engine's own may be issued by, the pinned one among them. The node
    signs `nonce`, which no other connection has.
    """

    protocol: int
    engine: str
    version: str
    ca: str
    nonce: str
    time: float


@dataclass(frozen=True)
class RegisterRequest:
    """A node asks to be let in, again or for the first time.

    `csr` is PEM. `proof` is the key's signature over `register_proof(nonce)`, in hexadecimal: a request that
    somebody recorded is worthless on another connection. `token` is empty without one.
    """

    protocol: int
    csr: str
    proof: str
    facts: Facts
    token: str = ""
    ladder: tuple[Rung, ...] = ()


@dataclass(frozen=True)
class RegisterReply:
    """What the engine decided so far: `certificate` is PEM, and there once the node is approved.

    While the state is pending the connection stays open: the engine calls `approved` or `rejected` on it.
    """

    state: NodeState
    node: str
    """The engine's identifier of this node, a UUID."""
    name: str = ""
    certificate: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Approved:
    """An administrator approved; the node dials again with this certificate, PEM."""

    node: str
    certificate: str


@dataclass(frozen=True)
class Rejected:
    """An administrator said no; the node tries again only when told to."""

    reason: str


@dataclass(frozen=True)
class Heartbeat:
    """The node lives. `facts` come when they changed, and with the first heartbeat of a connection."""

    time: float
    uptime: float
    load: float
    memory_available_bytes: int
    guests: int = 0
    healthy: bool = True
    problems: tuple[str, ...] = ()
    """Failed units and the like, one line each."""
    ladder: tuple[Rung, ...] = ()
    facts: Facts | None = None


@dataclass(frozen=True)
class HeartbeatReply:
    """What the engine thinks the node is."""

    state: NodeState
    name: str
    reason: str = ""
    time: float = 0.0


@dataclass(frozen=True)
class RenewRequest:
    """A joined node asks for a new certificate over the same key; `csr` is PEM."""

    csr: str


@dataclass(frozen=True)
class RenewReply:
    """The new certificate, PEM."""

    certificate: str


@dataclass(frozen=True)
class NodeEvent:
    """Something that happened on the node. `identifier` keeps a repeated report from counting twice."""

    identifier: str
    time: float
    severity: Severity
    actor: str
    kind: str
    """A word to filter by: `config-applied`, `config-reverted`, `unit-failed`."""
    text: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class EventsRequest:
    """Events that the engine has not acknowledged yet."""

    events: tuple[NodeEvent, ...]


@dataclass(frozen=True)
class ArchivePart:
    """A piece of a support archive; pieces come in order, and the first one begins anew."""

    digest: str
    """SHA-256 of the whole archive, in hexadecimal."""
    size_bytes: int
    """Of the whole archive: at most LARGEST_ARCHIVE."""
    offset: int
    data: str
    """At most ARCHIVE_PART bytes, as base64."""


@dataclass(frozen=True)
class ArchiveReply:
    """How many bytes the engine has; with the last piece, what it calls the archive."""

    received: int
    identifier: str = ""


@dataclass(frozen=True)
class ConfigReply:
    """The node's intent: what is in force, and where each key came from."""

    document: Mapping[str, Any]
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ApplyRequest:
    """A change of intent from the engine: keys of `node.toml`, as tables. None takes a key away."""

    patch: Mapping[str, Any]
    window: float = 60.0
    """Seconds in which the change must be confirmed."""


@dataclass(frozen=True)
class ApplyReply:
    """What was changed, one line each, and what confirms it; no changes, nothing to confirm."""

    changes: tuple[str, ...]
    ticket: str = ""


@dataclass(frozen=True)
class ConfirmRequest:
    """Keep an applied change."""

    ticket: str


@dataclass(frozen=True)
class TrustRequest:
    """The certificate authorities to trust from now on, as PEM: sent before the engine changes its own."""

    ca: str


@dataclass(frozen=True)
class MaintenanceWish:
    """Somebody at the node asks for its maintenance, or to end it; `actor` is that user's name."""

    on: bool
    actor: str = ""


HELLO = Verb("hello", Hello, Nothing)
APPROVED = Verb("approved", Approved, Nothing)
REJECTED = Verb("rejected", Rejected, Nothing)
GET_FACTS = Verb("get_facts", Nothing, Facts)
GET_CONFIG = Verb("get_config", Nothing, ConfigReply)
APPLY_CONFIG = Verb("apply_config", ApplyRequest, ApplyReply)
CONFIRM_CONFIG = Verb("confirm_config", ConfirmRequest, Nothing)
TRUST = Verb("trust", TrustRequest, Nothing)
REBOOT = Verb("reboot", Nothing, Nothing)

REGISTER = Verb("register", RegisterRequest, RegisterReply)
HEARTBEAT = Verb("heartbeat", Heartbeat, HeartbeatReply)
RENEW = Verb("renew", RenewRequest, RenewReply)
REPORT_EVENTS = Verb("report_events", EventsRequest, Nothing)
MAINTENANCE = Verb("maintenance", MaintenanceWish, Nothing)
SEND_ARCHIVE = Verb("send_archive", ArchivePart, ArchiveReply)

ENGINE_CALLS = (HELLO, APPROVED, REJECTED, GET_FACTS, GET_CONFIG, APPLY_CONFIG, CONFIRM_CONFIG, TRUST, REBOOT)
"""What the engine calls on the node."""
NODE_CALLS = (REGISTER, HEARTBEAT, RENEW, REPORT_EVENTS, MAINTENANCE, SEND_ARCHIVE)
"""What the node calls on the engine."""


def register_proof(nonce: str) -> bytes:
    """Lay out what a node signs when it registers."""
    return f"virtnode register {PROTOCOL} {nonce}".encode()
