"""The agent's object on the system bus: each method declared once, as its request and its reply.

Every method takes one string and returns one string, the JSON of these types; every signal carries one. A
failure is the error `org.virtnode.Error.Code`, whose text is the JSON of `Failure`. Areas of their own are
declared in the modules beside this one, and `bus_methods` lists all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.facts import Facts
from nodelib.ladder import Rung
from nodelib.link import ApplyReply, ApplyRequest, ConfirmRequest, Nothing, Verb

BUS_NAME = "org.virtnode.Node1"
BUS_PATH = "/org/virtnode/Node1"
INTERFACE = "org.virtnode.Node1"
ERROR_PREFIX = "org.virtnode.Error."
ENGINE_ORIGIN = "engine"


@dataclass(frozen=True)
class Failure:
    """What a failed method says."""

    message: str
    hint: str = ""


@dataclass(frozen=True)
class PendingChange:
    """A change of the configuration that goes back by itself unless it is confirmed."""

    ticket: str
    seconds_left: float
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notice:
    """Something that somebody should look after: one sentence, and what to do."""

    text: str
    hint: str = ""


class AskedKind(StrEnum):
    """How the value of a key is written by a person."""

    TEXT = "text"
    NUMBER = "number"
    SWITCH = "switch"
    LIST = "list"
    """Several words."""
    LINE = "line"
    """A list whose items have blanks in them; a person gives one."""
    PASSWORD = "password"
    """The configuration has its hash (`nodelib.password_hash`)."""


@dataclass(frozen=True)
class AskedKey:
    """A key that the configuration leaves to whoever is at the node, and that nobody has answered yet."""

    key: str
    """Dotted, as `system.hostname`."""
    kind: AskedKind = AskedKind.TEXT
    allowed: str = ""
    """What a value may be, in words."""
    words: tuple[str, ...] = ()
    """All values that there are, or for a list the words that stand for one."""
    secret: bool = False


class SourceState(StrEnum):
    """What came of a source."""

    USED = "used"
    KEPT = "kept"
    """In force as it was fetched before; it is tried again."""
    NONE = "none"
    TRYING = "trying"


@dataclass(frozen=True)
class SourceStep:
    """A place that a configuration may come from, as the agent looks at one after the other."""

    name: str
    state: SourceState
    text: str
    """What came of it, in a word or two: `none`, `not given`, `not fetched, tries again`."""


@dataclass(frozen=True)
class Status:
    """How the node stands, in a person's words; what there is none of is empty."""

    hostname: str = ""
    product: str = ""
    addresses: tuple[str, ...] = ()
    """One line an interface: `eth0: 192.0.2.5/24, 2001:db8::5/64`."""
    engine: str = ""
    """The engine's address, as it was given."""
    connected: bool = False
    state: str = ""
    """What the engine said last: a `NodeState`, or empty before it said anything."""
    reason: str = ""
    node: str = ""
    name: str = ""
    approval_code: str = ""
    fingerprint: str = ""
    ladder: str = ""
    """The step that the join stands at, as one sentence; empty once all hold."""
    hint: str = ""
    """What a person can do about it."""
    pending: PendingChange | None = None
    problems: tuple[str, ...] = ()
    """What is wrong now, one line each."""
    warnings: tuple[Notice, ...] = ()
    """Certificate, clock, disk, failed units: the problems among them, each with what to do."""
    engine_url: str = ""
    """Where a browser finds the engine."""
    engine_pins: tuple[str, ...] = ()
    """SHA-256 of the certificate authorities that are trusted."""
    certificate_until: float = 0.0
    """When this node's certificate ends: seconds since 1970; 0 without one."""
    asked: tuple[AskedKey, ...] = ()
    """What is still to be answered, in the order of the configuration."""
    sources: tuple[SourceStep, ...] = ()
    """Where a configuration was looked for beside the image, and what came of each, the first one first."""
    stateless: bool = False
    """It has no disk for what it is told: a restart forgets all of it."""
    has_room: bool = False
    """There is a disk that it does not run from, and that could be installed to."""
    installed_to: str = ""
    """The disk that it was installed to since it started, and does not run from yet."""


@dataclass(frozen=True)
class LadderReply:
    """The join ladder, from the first step to the last."""

    rungs: tuple[Rung, ...]


@dataclass(frozen=True)
class ConfigView:
    """The configuration in force: secrets are replaced, `origins` says where each key came from.

    What the engine decided has the origin ENGINE_ORIGIN: people at the node see it and do not change it.
    """

    document: Mapping[str, Any]
    origins: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    """Keys that the configuration leaves to a person, and that nobody has answered yet."""


@dataclass(frozen=True)
class CheckRequest:
    """The text of a `node.toml` that somebody wants to know about."""

    text: str


@dataclass(frozen=True)
class CheckReply:
    """All that is wrong with it, one line each."""

    problems: tuple[str, ...] = ()


PATCH_NAME = "the change"
"""How the lines of an error call a patch: whoever has its file knows its name and lines."""


@dataclass(frozen=True)
class PlanRequest:
    """A change of the configuration, as tables; None takes a key away."""

    patch: Mapping[str, Any]


@dataclass(frozen=True)
class PlanReply:
    """What would be done, in order, one line each."""

    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RevertRequest:
    """Put the last confirmed configuration back; without a ticket, whatever is pending."""

    ticket: str = ""


@dataclass(frozen=True)
class JoinRequest:
    """The engine to join: its address, the pins of its certificate authority, a token or none."""

    address: str
    ca: tuple[str, ...]
    token: str = ""


@dataclass(frozen=True)
class SupportRequest:
    """Where to write the archive that describes this node to whoever helps."""

    folder: str


@dataclass(frozen=True)
class SupportReply:
    """The archive's path."""

    path: str


STATUS = Verb("Status", Nothing, Status)
FACTS = Verb("Facts", Nothing, Facts)
LADDER = Verb("Ladder", Nothing, LadderReply)
CONFIG_SHOW = Verb("ConfigShow", Nothing, ConfigView)
CONFIG_CHECK = Verb("ConfigCheck", CheckRequest, CheckReply)
CONFIG_PLAN = Verb("ConfigPlan", PlanRequest, PlanReply)
CONFIG_APPLY = Verb("ConfigApply", ApplyRequest, ApplyReply)
CONFIG_CONFIRM = Verb("ConfigConfirm", ConfirmRequest, Nothing)
CONFIG_REVERT = Verb("ConfigRevert", RevertRequest, Nothing)
JOIN = Verb("Join", JoinRequest, Nothing)
LEAVE = Verb("Leave", Nothing, Nothing)
NEW_KEY = Verb("NewKey", Nothing, Nothing)
SUPPORT = Verb("Support", SupportRequest, SupportReply)
METHODS = (
    STATUS,
    FACTS,
    LADDER,
    CONFIG_SHOW,
    CONFIG_CHECK,
    CONFIG_PLAN,
    CONFIG_APPLY,
    CONFIG_CONFIRM,
    CONFIG_REVERT,
    JOIN,
    LEAVE,
    NEW_KEY,
    SUPPORT,
)
GUARDED = (CONFIG_APPLY, CONFIG_CONFIRM, CONFIG_REVERT, JOIN, LEAVE, NEW_KEY, SUPPORT)

STATUS_CHANGED = "StatusChanged"
"""Signal: carries `Status`."""
LADDER_CHANGED = "LadderChanged"
"""Signal: carries `LadderReply`."""
CONFIG_PENDING = "ConfigPending"
"""Signal: carries `PendingChange` when a change waits for its confirmation."""


def error_name(code: Code) -> str:
    """Name a code as the bus does: not-found is org.virtnode.Error.NotFound."""
    return ERROR_PREFIX + "".join(word.capitalize() for word in code.value.split("-"))


CODES = {error_name(code): code for code in Code}
"""Each error name's code."""


def make_error(name: str, failure: Failure) -> VirtnodeError:
    """Make the error that was sent: an unknown name is `failed`."""
    code = CODES.get(name, Code.FAILED)
    if code is Code.INVALID:
        return InvalidInput(failure.message.splitlines(), failure.hint)
    return VirtnodeError(code, failure.message, failure.hint)
