"""Engines for tests: the rules above a store, and a whole engine in this process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from engine.events import Actor
from engine.link_server import Limits
from engine.nodes import Nodes
from engine.options import ServeOptions, save_setting
from engine.pki import Pki
from engine.serve import Engine, running_engine
from engine.simulate import SimulatedNode
from engine.store import event_rows
from engine.store.database import Store
from engine.tokens import create_token
from nodelib.link import RegisterReply

ADMIN = Actor("tester")
START = 1_800_000_000.0
NONCE = "0123456789abcdef"


@dataclass
class Clock:
    """A clock that a test moves."""

    now: float = START

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds


@dataclass
class World:
    """The rules of an engine, without sockets, and a clock to move."""

    store: Store
    pki: Pki
    nodes: Nodes
    clock: Clock
    steady: Clock

    def token(self, uses: int = 1, seconds: float = 3600.0) -> str:
        """Make a join token."""
        made = create_token(self.store, uses=uses, seconds=seconds, actor=ADMIN, now=self.clock())
        return made.token

    def register(
        self,
        node: SimulatedNode,
        token: str = "",
        address: str = "192.0.2.1",
        connection: object | None = None,
    ) -> RegisterReply:
        """Have a node ask to be let in."""
        reply = self.nodes.register(node.register_request(NONCE, token), NONCE, address, connection)
        node.id, node.certificate = reply.node, reply.certificate
        return reply

    def joined(self, number: int = 0) -> SimulatedNode:
        """Make a node that was let in."""
        node = SimulatedNode(number)
        self.register(node, self.token())
        return node

    def set(self, name: str, value: str) -> None:
        """Change a setting."""
        with self.store.write() as connection:
            self.nodes.apply_settings(save_setting(connection, name, value))

    def pass_by(self, seconds: float) -> None:
        """Let time go by, and see what it brings."""
        self.clock.pass_by(seconds)
        self.steady.pass_by(seconds)
        self.nodes.tick()

    def event_kinds(self) -> list[str]:
        """List the kinds of all events, the oldest first."""
        with self.store.read() as connection:
            return [one.kind for one in event_rows.list_events(connection, limit=1000, newest_first=False)]

    def restarted(self) -> "World":
        """Start the rules anew over the same database."""
        nodes = Nodes(self.store, self.pki, clock=self.clock, steady=self.steady)
        return World(self.store, self.pki, nodes, self.clock, self.steady)


@contextlib.asynccontextmanager
async def engine_at_work(
    home: Path, *, database: str = "", limits: Limits | None = None
) -> AsyncIterator[Engine]:
    """Run a whole engine in this loop, on ports that are free."""
    home.mkdir(exist_ok=True, mode=0o700)
    options = ServeOptions(home, database, "127.0.0.1", 0, 0, ("127.0.0.1",))
    async with running_engine(options, StringIO(), limits=limits or Limits()) as engine:
        yield engine


def in_loop(function: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """Run a test that is a coroutine, with a bound on its time."""

    async def bounded(**words: object) -> None:
        async with asyncio.timeout(60):
            await function(**words)

    def run(**words: object) -> None:
        asyncio.run(bounded(**words))

    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__dict__["__wrapped__"] = function
    return run


async def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
