"""The bus's methods about updates: another image in the idle slot, on trial, kept or taken back."""

from dataclasses import dataclass
from enum import StrEnum

from nodelib.link import Nothing, Verb


@dataclass(frozen=True)
class UpdateSource:
    """Where a bundle is: a file's path on this node, or an http or https URL."""

    where: str


@dataclass(frozen=True)
class PackageChange:
    """A package that differs; empty where it is absent."""

    name: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class UpdatePlan:
    """What an update would do; with problems nothing is."""

    version: str
    build_id: str
    system: str
    slot: str
    """The slot that would be written: a or b."""
    replaces: str = ""
    """The version that is in it now, and would be lost."""
    size_bytes: int = 0
    signed_by: str = ""
    """The name of the trusted key: its file's, without the suffix."""
    packages: tuple[PackageChange, ...] = ()
    warnings: tuple[str, ...] = ()
    """An older version, the same build, virtual machines that a restart would stop."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class UpdateRun:
    """Write the update to the idle slot and put it on trial; restart into it at once if `restart`.

    With virtual machines running a restart is `conflict`, unless `stop_guests`.
    """

    where: str
    restart: bool = True
    stop_guests: bool = False


class UpdateState(StrEnum):
    """How the newest update stands."""

    IDLE = "idle"
    FETCHING = "fetching"
    WRITING = "writing"
    READY = "ready"
    """Written; the next start tries it."""
    TRIAL = "trial"
    """It runs, and has not passed the health check yet."""
    KEPT = "kept"
    """It passed: it is what the node starts from now on."""
    ROLLED_BACK = "rolled-back"
    """It did not pass, or somebody took it back; the previous image runs."""
    FAILED = "failed"
    """It was refused or could not be written; nothing changed."""


@dataclass(frozen=True)
class UpdateView:
    """How the newest update stands. After a restart all of it is still told."""

    state: UpdateState = UpdateState.IDLE
    percent: int = 0
    step: str = ""
    version: str = ""
    build_id: str = ""
    slot: str = ""
    tries_left: int = 0
    """Starts that a slot on trial has left."""
    waits_for: tuple[str, ...] = ()
    """On trial: what the health check still misses, one line each. Rolled back: what it missed."""
    error: str = ""
    hint: str = ""
    time: float = 0.0
    """Since when it stands so."""
    can_roll_back: bool = False
    """The other slot holds an image that once passed."""


@dataclass(frozen=True)
class RollBack:
    """Start the other slot from now on, and restart; `conflict` where virtual machines run."""

    stop_guests: bool = False


UPDATE_PLAN = Verb("UpdatePlan", UpdateSource, UpdatePlan)
UPDATE_RUN = Verb("UpdateRun", UpdateRun, Nothing)
UPDATE_VIEW = Verb("UpdateView", Nothing, UpdateView)
ROLL_BACK = Verb("RollBack", RollBack, Nothing)

METHODS = (UPDATE_PLAN, UPDATE_RUN, UPDATE_VIEW, ROLL_BACK)
GUARDED = (UPDATE_RUN, ROLL_BACK)
