"""What the console knows of its node: the last that was heard, kept while the agent is away."""

from dataclasses import dataclass, field

from nodelib.bus import Status
from nodelib.bus_access import Access
from nodelib.bus_system import Meters
from nodelib.ladder import Ladder


@dataclass(frozen=True)
class Seen:
    """The last answers; `trouble` says why there are no newer ones."""

    status: Status = field(default_factory=Status)
    access: Access = field(default_factory=Access)
    meters: Meters = field(default_factory=Meters)
    ladder: Ladder = ()
    heard: bool = False
    """The agent has answered at least once."""
    trouble: str = ""
    hint: str = ""

    @property
    def locked(self) -> bool:
        """A change would ask for the password first."""
        return self.access.password_set and not self.access.unlocked
