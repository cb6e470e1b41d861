"""The bus's methods for whoever helps: the journal, the self-check, the archive."""

from dataclasses import dataclass
from enum import StrEnum

from nodelib.link import Nothing, Verb


class Verdict(StrEnum):
    """What a check says, or the worst of a group."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class BundlePlace(StrEnum):
    """Where the archive goes."""

    USB = "usb"
    ENGINE = "engine"
    URL = "url"


@dataclass(frozen=True)
class JournalRequest:
    """Entries of this boot: the last `lines` (1 to 1000), or those after `cursor`."""

    unit: str = ""
    """Empty for all."""
    priority: int = 7
    """As syslog counts: 0 emergencies to 7 everything."""
    lines: int = 200
    cursor: str = ""


@dataclass(frozen=True)
class JournalEntry:
    """A line of the journal; its text has no control characters and no secrets."""

    time: float
    priority: int
    unit: str
    """The unit, or what else the line came from."""
    text: str


@dataclass(frozen=True)
class JournalReply:
    """Entries from old to new, and the cursor after which there may be more."""

    entries: tuple[JournalEntry, ...] = ()
    cursor: str = ""


@dataclass(frozen=True)
class UnitsReply:
    """Names of the units that this node has loaded, in order."""

    units: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """One check: what was found, and what to do about it."""

    name: str
    verdict: Verdict
    text: str
    hint: str = ""


@dataclass(frozen=True)
class CheckGroup:
    """Checks that belong together: hardware, virtualisation, storage, network, time, services, engine."""

    name: str
    verdict: Verdict
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class SelfCheckReply:
    """The groups in order, and the worst of them."""

    verdict: Verdict
    groups: tuple[CheckGroup, ...]


@dataclass(frozen=True)
class UsbDrive:
    """A partition of a removable disk that an archive can be written to."""

    device: str
    """`/dev/sdb1`."""
    label: str = ""
    filesystem: str = ""
    size_bytes: int = 0


@dataclass(frozen=True)
class UsbReply:
    """The removable partitions that are there now."""

    drives: tuple[UsbDrive, ...] = ()


@dataclass(frozen=True)
class BundleRequest:
    """Make the archive, without secrets, and bring it somewhere; `device` is for USB alone."""

    place: BundlePlace
    device: str = ""


@dataclass(frozen=True)
class BundleReply:
    """Where it is now: a file's name, the engine's identifier of it, or a URL."""

    where: str
    size_bytes: int = 0
    seconds_left: float = 0.0
    """How long a URL works; 0 for what stays."""


JOURNAL = Verb("Journal", JournalRequest, JournalReply)
UNITS = Verb("Units", Nothing, UnitsReply)
SELF_CHECK = Verb("SelfCheck", Nothing, SelfCheckReply)
USB_DRIVES = Verb("UsbDrives", Nothing, UsbReply)
BUNDLE = Verb("Bundle", BundleRequest, BundleReply)

METHODS = (JOURNAL, UNITS, SELF_CHECK, USB_DRIVES, BUNDLE)
GUARDED = (BUNDLE,)
