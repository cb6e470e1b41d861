"""The bus's methods about installation: which disks there are, what would happen to one, and doing it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from nodelib.facts import Facts
from nodelib.link import Nothing, Verb
from nodelib.slots import Region

SURVEY_SCHEMA = 1


@dataclass(frozen=True)
class InstallDisk:
    """A disk, what is on it, and what stands against installing to it."""

    name: str
    path: str = ""
    """The stable name below /dev/disk/by-path."""
    ids: tuple[str, ...] = ()
    """Names below /dev/disk/by-id, without the folder."""
    model: str = ""
    serial: str = ""
    size_bytes: int = 0
    rotational: bool = False
    bus: str = ""
    holds: tuple[str, ...] = ()
    """What is on it, one line each, as a person says it."""
    systems: tuple[str, ...] = ()
    """Operating systems and hypervisors that its content looks like."""
    last_mounted: float = 0.0
    """When one of its file systems was last mounted, seconds since 1970; 0 where that is not known."""
    refusals: tuple[str, ...] = ()
    """Why it can never be installed to now, one line each; `boot medium` and the like."""
    treasures: tuple[str, ...] = ()
    """Names that `wipe` must have: volume groups, RAID and the like that would be destroyed."""
    contents: tuple[str, ...] = ()
    """Devices with something on them that none of these names covers."""
    installed: str = ""
    """Product and version of the node that is installed on it."""
    build: str = ""
    """The build that was installed, as its BUILD_ID."""
    unfinished: bool = False
    """An installation began and never ended."""
    begun: bool = False
    """It was one that kept nothing: what there is of a node is of no use to anybody."""
    confirmation: str = ""
    """What a person types to say that it is this disk: the end of its serial number, or its name."""
    sector_bytes: int = 0
    """What it reads and writes at least; 0 where that is not known."""
    mirror: str = ""
    """The volume group of a state that this disk shares with a second one; empty for a disk of its own."""


@dataclass(frozen=True)
class InstallRegion:
    """A partition of the new layout; `content` says what is written to it."""

    name: str
    size_bytes: int
    content: str


@dataclass(frozen=True)
class InstallRequest:
    """What is to be installed where; what is empty is as [install] of the configuration says.

    `rule` is a rule or a path of a device. With `keep`, state and data of a node that is there stay. `wipe`
    names treasures of the disk that may be destroyed, or says `all`. `data` has rules of other disks for the
    volume group, and `thin` asks for its thin pool. `mirror` is a rule for a second disk that gets the same.
    """

    rule: str = ""
    keep: bool = False
    wipe: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    thin: bool = False
    mirror: str = ""
    repair: bool = False
    """Nothing is installed: the disk becomes the second one of the node that runs."""


@dataclass(frozen=True)
class InstallPlan:
    """What would be done, in order; with problems nothing is."""

    id: str
    """Names this plan: it changes with the disk, its content and what was asked."""
    disk: InstallDisk
    keep: bool = False
    regions: tuple[InstallRegion, ...] = ()
    erased: tuple[str, ...] = ()
    """What is lost, one line each."""
    steps: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """Why it cannot be done, each with what to do."""
    may_keep: bool = False
    """A node is installed there: whoever asks offers to keep its state and data."""
    data: tuple[InstallDisk, ...] = ()
    """Other disks that are erased, and join the volume group for guests' disks."""
    thin: bool = False
    """The volume group gets a thin pool."""
    mirror: InstallDisk | None = None
    """The second disk, which gets the same, and starts the node when the first one does not."""
    confirmation: str = ""
    """What a person types: the end of the serial number of each disk that the node starts from."""
    repair: bool = False
    """The disk becomes the second one of the node that runs."""


@dataclass(frozen=True)
class InstallRun:
    """Do what a plan says; raises `conflict` if the plan is no more what it was."""

    request: InstallRequest
    plan: str
    confirmation: str


@dataclass(frozen=True)
class InstallView:
    """The disks, and the boot medium's way of installing."""

    disks: tuple[InstallDisk, ...]
    asked: bool = False
    """The boot menu's entry said to ask a person: `node.install=ask`."""
    rule: str = ""
    """The rule that holds where none is given."""
    problem: str = ""
    """Why this system cannot install, whatever the disk."""


class InstallState(StrEnum):
    """How an installation stands."""

    IDLE = "idle"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class InstallProgress:
    """How far an installation is."""

    state: InstallState = InstallState.IDLE
    disk: str = ""
    percent: int = 0
    step: str = ""
    """What is being done, or was done last."""
    error: str = ""
    hint: str = ""
    """What to do next."""


@dataclass(frozen=True)
class Survey:
    """A machine's recorded hardware, to try answers on elsewhere."""

    facts: Facts
    disks: tuple[InstallDisk, ...]
    schema: int = SURVEY_SCHEMA
    layouts: Mapping[str, tuple[Region, ...]] = field(default_factory=dict)
    """Partitions of the disks that a node is installed on, by the disk's name."""
    image_bytes: int = 0
    """Size of the squashfs of the system that recorded it; 0 where that is not known."""


INSTALL_DISKS = Verb("InstallDisks", Nothing, InstallView)
INSTALL_PLAN = Verb("InstallPlan", InstallRequest, InstallPlan)
INSTALL_RUN = Verb("InstallRun", InstallRun, Nothing)
INSTALL_PROGRESS = Verb("InstallProgress", Nothing, InstallProgress)
SURVEY = Verb("Survey", Nothing, Survey)

METHODS = (INSTALL_DISKS, INSTALL_PLAN, INSTALL_RUN, INSTALL_PROGRESS, SURVEY)
GUARDED = (INSTALL_RUN,)
