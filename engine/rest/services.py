"""What the endpoints are built on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from engine.accounts import Accounts
from engine.archives import Archives
from engine.events import Actor
from engine.images import Images
from engine.nodes import Nodes
from engine.rest.authentication import Doorkeeper
from engine.rest.metrics import Metrics
from engine.rolls import Rolls
from engine.store.database import Store
from engine.updates import Caller, Updates


class Link(Caller, Protocol):
    """The way to the nodes."""

    async def reboot(self, node: str, actor: Actor) -> None:
        """Have a node reboot. Raises VirtnodeError (unavailable) if it is not connected."""


@dataclass(frozen=True)
class Services:
    """What a request may need."""

    store: Store
    accounts: Accounts
    nodes: Nodes
    link: Link
    archives: Archives
    images: Images
    updates: Updates
    rolls: Rolls
    authority: Callable[[], str]
    """The certificates of the engine's CA, as PEM."""
    engine_id: str
    version: str
    metrics: Metrics = field(default_factory=Metrics)
    clock: Callable[[], float] = time.time
    doorkeeper: Doorkeeper = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "doorkeeper", Doorkeeper(self.accounts))
