"""The bus's methods about the machine as a whole: its meters, versions, power, maintenance."""

from dataclasses import dataclass
from enum import StrEnum

from nodelib.link import Nothing, Verb


class PowerDeed(StrEnum):
    """How a node ends."""

    REBOOT = "reboot"
    POWEROFF = "poweroff"


@dataclass(frozen=True)
class LinkMeter:
    """Traffic of a link in bytes a second, since it was asked before."""

    name: str
    received: float = 0.0
    sent: float = 0.0


@dataclass(frozen=True)
class StorageMeter:
    """A file system: what it is for, and how full it is."""

    name: str
    """state, data, or memory: the changes of a node without a disk."""
    used_bytes: int = 0
    size_bytes: int = 0


@dataclass(frozen=True)
class Meters:
    """How busy the node is."""

    uptime: float = 0.0
    load: float = 0.0
    cpu_percent: float = 0.0
    """Of all processors together, since it was asked before."""
    memory_total_bytes: int = 0
    memory_used_bytes: int = 0
    links: tuple[LinkMeter, ...] = ()
    storage: tuple[StorageMeter, ...] = ()
    guests_running: int = 0


@dataclass(frozen=True)
class Slot:
    """A place for an image on the disk."""

    name: str
    """a or b."""
    version: str = ""
    """Empty where there is none, or it is not known."""
    booted: bool = False
    device: str = ""


@dataclass(frozen=True)
class System:
    """What this node runs and how it is set."""

    product: str = ""
    build_id: str = ""
    kernel: str = ""
    booted_from: str = ""
    """A person's words: the CD, a USB stick, the network, slot a of a disk."""
    stateless: bool = False
    """Nothing is kept over a reboot."""
    slots: tuple[Slot, ...] = ()
    keymap: str = ""
    timezone: str = ""
    maintenance: bool = False
    """As the engine says; a node without one has none."""
    guests_running: int = 0


@dataclass(frozen=True)
class ChoicesReply:
    """What a setting can be, in order; none where the image has no list."""

    keymaps: tuple[str, ...] = ()
    timezones: tuple[str, ...] = ()


@dataclass(frozen=True)
class PowerRequest:
    """Restart or switch off. With virtual machines running it is `conflict`, unless they may be stopped."""

    deed: PowerDeed
    stop_guests: bool = False


@dataclass(frozen=True)
class MaintenanceRequest:
    """Ask the engine to put this node into maintenance, or to take it back."""

    on: bool


@dataclass(frozen=True)
class ResetRequest:
    """Forget all that was decided on this node, and restart; `confirmation` is the host name, typed."""

    confirmation: str
    stop_guests: bool = False


METERS = Verb("Meters", Nothing, Meters)
SYSTEM = Verb("System", Nothing, System)
CHOICES = Verb("Choices", Nothing, ChoicesReply)
POWER = Verb("Power", PowerRequest, Nothing)
MAINTENANCE = Verb("Maintenance", MaintenanceRequest, Nothing)
FACTORY_RESET = Verb("FactoryReset", ResetRequest, Nothing)

METHODS = (METERS, SYSTEM, CHOICES, POWER, MAINTENANCE, FACTORY_RESET)
GUARDED = (POWER, MAINTENANCE, FACTORY_RESET)
