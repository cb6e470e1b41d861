"""What the engine may ask of this node over the link."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nodeagent.configuration import Configuration
from nodeagent.decided import Deciding
from nodeagent.events import EventQueue
from nodeagent.facts.processor import collect_memory
from nodeagent.facts.virtualisation import count_guests
from nodeagent.health import read_load, read_uptime
from nodeagent.lookout import Lookout
from nodeagent.update.image import read_packages
from nodeagent.update.mirror_watch import MirrorWatch
from nodeagent.update.update import Update
from nodelib.bus_update import RollBack, UpdateView
from nodelib.facts import Facts
from nodelib.ladder import Rung
from nodelib.link import ApplyReply, ApplyRequest, ConfigReply, Heartbeat
from nodelib.link_update import PackagesReply, UpdateOrder
from nodelib.run import run

ENGINE = "engine"
"""Who has done something, where it was not a person on the node."""


@dataclass(frozen=True)
class EngineSide:
    """Answers for the node: `nodeagent.link_session.NodeSide`."""

    root: Path
    lookout: Lookout
    configuration: Configuration
    update: Update
    mirror: MirrorWatch
    events: EventQueue
    wall: Callable[[], float]

    def hostname(self) -> str:
        """Name this machine."""
        return self.lookout.hostname()

    def facts(self) -> Facts:
        """Tell what was found last."""
        return self.lookout.facts

    def ladder(self) -> tuple[Rung, ...]:
        """Tell how the join stands."""
        return self.lookout.ladder

    def heartbeat(self) -> Heartbeat:
        """Tell how the node fares."""
        return Heartbeat(
            time=self.wall(),
            uptime=read_uptime(self.root),
            load=read_load(self.root),
            memory_available_bytes=collect_memory(self.root).available_bytes,
            guests=count_guests(self.root),
            healthy=self.lookout.health.healthy,
            problems=(*self.lookout.health.problems, *(notice.text for notice in self.mirror.notices)),
            ladder=self.lookout.ladder,
        )

    def show_config(self) -> ConfigReply:
        """Show what is in force."""
        view = self.configuration.show()
        return ConfigReply(view.document, view.origins)

    def apply_config(self, request: ApplyRequest) -> ApplyReply:
        """Apply a change."""
        return self.configuration.apply(request.patch, request.window, ENGINE, Deciding.ENGINE)

    def confirm_config(self, ticket: str) -> None:
        """Keep a change."""
        self.configuration.confirm(ticket, ENGINE)

    def reboot(self) -> None:
        """Restart the machine."""
        self.events.add(kind="reboot", text="the engine restarts this node", actor=ENGINE)
        run(["systemctl", "reboot"], timeout=30)

    def begin_update(self, order: UpdateOrder) -> None:
        """Take a bundle."""
        self.update.order(order, ENGINE)

    def show_update(self) -> UpdateView:
        """Tell how the newest update stands."""
        return self.update.view()

    def roll_back(self, request: RollBack) -> None:
        """Go back to the other slot's image."""
        self.update.roll_back(request, ENGINE)

    def packages(self) -> PackagesReply:
        """Tell what the image was made of."""
        return PackagesReply(self.lookout.facts.build_id, read_packages(self.root))
