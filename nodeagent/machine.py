"""The machine as a whole: what it runs, how busy it is, and how it ends."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nodeagent.boot_medium import describe_boot, read_slots
from nodeagent.events import EventQueue
from nodeagent.factory_reset import ask_for_reset, take_back_reset
from nodeagent.facts.sources import Command
from nodeagent.facts.virtualisation import running_guests
from nodeagent.guest_stop import clear_guests
from nodeagent.meters import MeterReader
from nodeagent.progress import Progress
from nodeagent.settings.keymap import read_keymap
from nodeagent.settings.timezone import read_timezone
from nodeagent.state_disk import read_state
from nodeagent.tree_files import TreeFiles
from nodelib.bus_system import (
    MaintenanceRequest,
    Meters,
    PowerDeed,
    PowerRequest,
    ResetRequest,
    System,
)
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.facts import Facts
from nodelib.link import MAINTENANCE, MaintenanceWish, NodeState, Severity
from nodelib.places import Place, at
from nodelib.run import run

logger = logging.getLogger(__name__)

POWER_TIMEOUT = 30.0
TELL_SECONDS = 5.0
"""How long the engine may take to hear of a restart or a reset."""
WISH_SECONDS = 40.0
AFTERWARDS = {PowerDeed.REBOOT: "restarting", PowerDeed.POWEROFF: "off"}
WORDS = {PowerDeed.REBOOT: "restarts", PowerDeed.POWEROFF: "switches off"}


@dataclass(frozen=True)
class Senses:
    """What the machine hears from the rest of the agent."""

    facts: Callable[[], Facts]
    progress: Callable[[], Progress]
    hostname: Callable[[], str]
    ask_engine: Callable[..., object]
    """Calls a verb of the engine, and waits."""


class Machine:
    """Answers what the bus asks about the machine; deeds come one after the other."""

    def __init__(
        self,
        root: Path,
        events: EventQueue,
        senses: Senses,
        clock: Callable[[], float],
        command: Command,
        deed: Callable[[Sequence[str]], object] = lambda argv: run(argv, timeout=POWER_TIMEOUT),
    ) -> None:
        self._root = root
        self._events = events
        self._senses = senses
        self._command = command
        self._deed = deed
        self._meters = MeterReader(root, clock)

    def meters(self) -> Meters:
        """Tell how busy the node is."""
        return self._meters.read([nic.name for nic in self._senses.facts().nics])

    def system(self) -> System:
        """Tell what the node runs and how it is set."""
        facts = self._senses.facts()
        tree = TreeFiles(self._root)
        return System(
            product=facts.product,
            build_id=facts.build_id,
            kernel=facts.kernel,
            booted_from=describe_boot(self._root, facts.disks),
            stateless=read_state(self._root).kind != "disk",
            slots=read_slots(self._root),
            keymap=read_keymap(tree),
            timezone=read_timezone(tree),
            maintenance=self._senses.progress().state == NodeState.MAINTENANCE,
            guests_running=len(running_guests(self._root)),
        )

    def power(self, request: PowerRequest, actor: str) -> None:
        """Restart or switch off; raises VirtnodeError (conflict) where virtual machines run."""
        self._clear(stop=request.stop_guests)
        self._events.add(
            kind=request.deed.value,
            text=f"{actor} {WORDS[request.deed]} this node",
            actor=actor,
            before={"machine": "running"},
            after={"machine": AFTERWARDS[request.deed]},
        )
        self._tell_engine()
        self._deed(["systemctl", request.deed.value])

    def set_maintenance(self, request: MaintenanceRequest, actor: str) -> None:
        """Have the engine put this node into maintenance, or take it back."""
        if not self._senses.progress().connected:
            raise VirtnodeError(
                Code.CONFLICT,
                "maintenance is the engine's to decide, and this node is not connected to one",
                at(Place.LADDER),
            )
        self._senses.ask_engine(MAINTENANCE, MaintenanceWish(request.on, actor), WISH_SECONDS)
        self._events.add(
            kind="maintenance",
            text=f"{actor} {'asked for' if request.on else 'ended'} maintenance",
            actor=actor,
            before={"maintenance": not request.on},
            after={"maintenance": request.on},
        )

    def reset(self, request: ResetRequest, actor: str) -> None:
        """Forget everything at the next start, which is now; raises InvalidInput without the host's name."""
        name = self._senses.hostname()
        if not name or request.confirmation != name:
            raise InvalidInput(["the confirmation is not the name of this host"], f"type it as it is: {name}")
        self._clear(stop=request.stop_guests)
        self._events.add(
            kind="factory-reset",
            text=f"{actor} has this node forget everything and restarts it",
            actor=actor,
            severity=Severity.WARNING,
            before={"hostname": name, "engine": self._senses.progress().engine},
            after={"hostname": "", "engine": ""},
        )
        self._tell_engine()
        ask_for_reset(self._root)
        try:
            self._deed(["systemctl", PowerDeed.REBOOT.value])
        except VirtnodeError:
            take_back_reset(self._root)
            raise

    def _tell_engine(self) -> None:
        """Let the engine hear of it before the connection ends, and what this node remembers with it."""
        if self._senses.progress().connected and not self._events.wait_until_reported(TELL_SECONDS):
            logger.warning("the engine did not hear in time how this node ends")

    def _clear(self, *, stop: bool) -> None:
        left = clear_guests(self._root, self._command, stop=stop)
        if left:
            logger.warning("they did not shut down in time: %s", ", ".join(left))
