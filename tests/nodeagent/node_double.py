"""The agent as the link sees it: facts and configuration as a test wants them."""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from nodeagent.bell import Bell
from nodeagent.clocks import Clocks
from nodeagent.events import EventQueue
from nodeagent.identity import load_identity
from nodeagent.link_session import Joining
from nodeagent.link_thread import LinkThread
from nodeagent.progress import Progress, ProgressBoard
from nodeagent.update.engine_image import EngineImages
from nodeagent.uploads import Uploads
from nodeagent.wishes import Wishes
from nodelib.bus_update import RollBack, UpdateView
from nodelib.facts import Facts
from nodelib.ladder import Rung
from nodelib.link import ApplyReply, ApplyRequest, ConfigReply, Heartbeat
from nodelib.link_update import PackagesReply, UpdateOrder


@dataclass(frozen=True)
class Settings:
    """What the configuration says about the engine."""

    address: str = ""
    ca: tuple[str, ...] = ()
    token: str = ""
    proxy: str = ""


@dataclass
class NodeDouble:
    """Answers the link."""

    found: Facts = field(default_factory=lambda: Facts(hostname="node1", boot_id="boot"))
    applied: list[ApplyRequest] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    reboots: int = 0
    orders: list[UpdateOrder] = field(default_factory=list)
    taken_back: list[RollBack] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)

    def hostname(self) -> str:
        """Name it."""
        return self.found.hostname

    def facts(self) -> Facts:
        """Tell its facts."""
        return self.found

    def ladder(self) -> tuple[Rung, ...]:
        """Tell its ladder."""
        return ()

    def heartbeat(self) -> Heartbeat:
        """Tell that it lives."""
        return Heartbeat(time.time(), 1.0, 0.0, 4096)

    def show_config(self) -> ConfigReply:
        """Show a configuration."""
        return ConfigReply({"version": 1}, {"version": "built-in"})

    def apply_config(self, request: ApplyRequest) -> ApplyReply:
        """Apply nothing."""
        self.threads.add(threading.current_thread().name)
        self.applied.append(request)
        return ApplyReply(("one change",), "ticket")

    def confirm_config(self, ticket: str) -> None:
        """Confirm it."""
        self.confirmed.append(ticket)

    def reboot(self) -> None:
        """Count it."""
        self.reboots += 1

    def begin_update(self, order: UpdateOrder) -> None:
        """Note it."""
        self.orders.append(order)

    def show_update(self) -> UpdateView:
        """Tell of an update."""
        return UpdateView(version="2.0")

    def roll_back(self, request: RollBack) -> None:
        """Note it."""
        self.taken_back.append(request)

    def packages(self) -> PackagesReply:
        """Tell of a package."""
        return PackagesReply("abcdef12", {"bash": "5.2"})


@dataclass
class LinkedNode:
    """A node whose link runs."""

    node: NodeDouble
    joining: Joining
    thread: LinkThread
    history: list[Progress]
    settings: Settings = Settings()

    @property
    def progress(self) -> Progress:
        """How far it got."""
        return self.joining.board.now


@contextlib.contextmanager
def linked_node(
    root: Path, settings: Settings, clocks: Clocks | None = None, *, ping: float = 15.0
) -> Iterator[LinkedNode]:
    """Run a node's link until the context ends."""
    clocks = clocks or Clocks(random=lambda: 0.05)
    history: list[Progress] = []
    node = NodeDouble()
    with ThreadPoolExecutor(1, thread_name_prefix="deeds") as deeds:
        bell = Bell()
        joining = Joining(
            load_identity(root),
            node,
            ProgressBoard(history.append),
            EventQueue(root, clocks.wall, bell.ring),
            deeds,
            clocks,
            Wishes(bell.ring),
            Uploads(bell.ring),
            EngineImages(bell.ring),
            bell,
        )
        linked: LinkedNode
        thread = LinkThread(
            joining, lambda: linked.settings, ping_interval=ping, ping_timeout=ping, dial_timeout=3
        )
        linked = LinkedNode(node, joining, thread, history, settings)
        thread.start()
        try:
            yield linked
        finally:
            thread.stop()
            thread.join(20)
            assert not thread.is_alive()
