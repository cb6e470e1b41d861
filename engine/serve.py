"""The engine at work: one process, one loop; the link for nodes, the API for people, the control socket."""

import asyncio
import contextlib
import functools
import logging
import secrets
import signal
import socket
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TextIO, TypeVar

from engine.accounts import Accounts, SessionLimits, create_administrator
from engine.administration import Administration
from engine.archives import Archives
from engine.backup import finish_restore
from engine.control import ControlServer
from engine.events import Actor
from engine.files import write_file
from engine.home import find_names, listen, locked_home
from engine.images import Images
from engine.link_server import Limits, LinkServer
from engine.nodes import Nodes
from engine.options import ServeOptions, Settings, database_url
from engine.pki import Pki
from engine.process import allow_many_files, collect_seldom, keep_connections_small, take_short_turns
from engine.rest.app import make_app
from engine.rest.metrics import Metric, Metrics, Sample
from engine.rest.services import Services
from engine.rest_server import RestServer
from engine.rolls import Rolls
from engine.store.database import Store, open_store
from engine.update_driver import UpdateDriver
from engine.update_verbs import UpdateAdministration
from engine.updates import POLL_TIMEOUT, Updatable, Updates
from nodelib.bus_update import PackageChange
from nodelib.errors import VirtnodeError
from nodelib.link import Verb

logger = logging.getLogger(__name__)

Q = TypeVar("Q")
R = TypeVar("R")
TICK = 1.0
RENEWAL_CHECK = 3600.0
TRUST_TIMEOUT = 60.0
FIRST_ADMINISTRATOR = "admin"
DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Clocks:
    """The time of day, and one that never jumps."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Sockets:
    """Where an engine listens."""

    link: socket.socket
    rest: socket.socket


@dataclass(frozen=True)
class Updating:
    """What updates nodes: images, updates, rolls, and what keeps them going."""

    images: Images
    updates: Updates
    rolls: Rolls


@dataclass(frozen=True)
class Engine:
    """A running engine's parts."""

    names: tuple[str, ...]
    store: Store
    pki: Pki
    nodes: Nodes
    link: LinkServer
    rest: RestServer
    control: ControlServer
    sockets: Sockets
    updating: Updating
    clock: Callable[[], float]

    @property
    def link_port(self) -> int:
        """The port that nodes dial."""
        return int(self.sockets.link.getsockname()[1])

    @property
    def rest_port(self) -> int:
        """The port that people and tools use."""
        return int(self.sockets.rest.getsockname()[1])


DEFAULT_CLOCKS = Clocks()


def serve(options: ServeOptions, output: TextIO = sys.stdout) -> None:
    """Run an engine until SIGTERM or SIGINT."""
    allow_many_files()
    keep_connections_small()
    take_short_turns()
    with locked_home(options.home, make=True):
        finish_restore(options.home)
        asyncio.run(_run_until_signal(options, output))


async def _run_until_signal(options: ServeOptions, output: TextIO) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running_engine(options, output):
        collect_seldom()
        await stop.wait()
        logger.info("stopping")


@contextlib.asynccontextmanager
async def running_engine(
    options: ServeOptions, output: TextIO, *, limits: Limits = DEFAULT_LIMITS, clocks: Clocks = DEFAULT_CLOCKS
) -> AsyncIterator[Engine]:
    """Run an engine in this loop. Whoever calls has locked its folder."""
    pki, names = Pki(options.home), find_names(options.names)
    pki.prepare(clocks.wall())
    pki.renew_server_certificate(names, clocks.wall())
    async with contextlib.AsyncExitStack() as stack:
        store = open_store(database_url(options))
        stack.callback(store.close)
        sockets = Sockets(
            stack.enter_context(listen(options.listen, options.link_port, "--link-port")),
            stack.enter_context(listen(options.listen, options.rest_port, "--rest-port")),
        )
        nodes = Nodes(store, pki, clock=clocks.wall, steady=clocks.steady)
        updating = _make_updating(options.home, store, nodes, clocks.wall)
        link = LinkServer(
            nodes,
            pki,
            Archives(options.home, store, clocks.wall),
            updating.images,
            engine_id=load_identifier(options.home),
            version=own_version(),
            limits=limits,
            clock=clocks.wall,
        )
        rest = RestServer(
            make_app(_make_services(options, store, pki, nodes, link, updating, clocks)), pki.server_file
        )
        loop = asyncio.get_running_loop()
        administration = Administration(
            options.home,
            store,
            pki,
            nodes,
            clocks.wall,
            announce=functools.partial(_announce_trust, loop, link, rest, pki, names, clocks.wall),
            reboot=functools.partial(_reboot, loop, link),
            updating=_make_update_administration(loop, link, updating),
        )
        control = ControlServer(options.home, administration)
        engine = Engine(names, store, pki, nodes, link, rest, control, sockets, updating, clocks.wall)
        await _start(engine, stack)
        _welcome(engine, make_first_administrator(store), output)
        yield engine


def _make_updating(home: Path, store: Store, nodes: Nodes, clock: Callable[[], float]) -> Updating:
    images = Images(home, store, clock)
    updates = Updates(store, nodes, images, clock)
    return Updating(images, updates, Rolls(store, nodes, images, updates, clock))


def _make_update_administration(
    loop: asyncio.AbstractEventLoop, link: LinkServer, updating: Updating
) -> UpdateAdministration:
    def compare(found: Updatable) -> tuple[PackageChange, ...]:
        """Ask a node what it is made of; called from a thread."""
        work = updating.updates.compare_packages(found, link)
        return asyncio.run_coroutine_threadsafe(work, loop).result(TRUST_TIMEOUT)

    return UpdateAdministration(
        updating.images, updating.updates, updating.rolls, need_engine=lambda: None, compare=compare
    )


def _make_services(
    options: ServeOptions,
    store: Store,
    pki: Pki,
    nodes: Nodes,
    link: LinkServer,
    updating: Updating,
    clocks: Clocks,
) -> Services:
    return Services(
        store=store,
        accounts=Accounts(
            store, clocks.wall, limits=lambda: session_limits(nodes.settings), steady=clocks.steady
        ),
        nodes=nodes,
        link=_LinkFromAfar(link, asyncio.get_running_loop()),
        archives=Archives(options.home, store, clocks.wall),
        updates=updating.updates,
        rolls=updating.rolls,
        images=updating.images,
        authority=pki.trust_bundle,
        engine_id=load_identifier(options.home),
        version=own_version(),
        metrics=Metrics([_metrics_of(link)], [link.answer_times]),
        clock=clocks.wall,
    )


class _LinkFromAfar:
    """The link, for the loop that serves the API."""

    def __init__(self, link: LinkServer, loop: asyncio.AbstractEventLoop) -> None:
        self._link = link
        self._loop = loop

    async def reboot(self, node: str, actor: Actor) -> None:
        """Have a node reboot."""
        work = asyncio.run_coroutine_threadsafe(self._link.reboot(node, actor), self._loop)
        await asyncio.wrap_future(work)

    async def call(self, node: str, verb: Verb[Q, R], request: Q, timeout: float = POLL_TIMEOUT) -> R:
        """Ask a node."""
        work = asyncio.run_coroutine_threadsafe(self._link.call(node, verb, request, timeout), self._loop)
        return await asyncio.wrap_future(work)


async def _start(engine: Engine, stack: contextlib.AsyncExitStack) -> None:
    """Start all parts. What is started last is stopped first; states are kept before connections go."""
    stack.push_async_callback(engine.link.stop)
    await engine.link.start(engine.sockets.link)
    stack.callback(engine.nodes.tick, everything=True)
    await stack.enter_async_context(_in_background(_tick_forever(engine)))
    driver = UpdateDriver(
        engine.updating.updates,
        engine.updating.rolls,
        engine.link,
        lambda: engine.nodes.settings.update_poll_seconds,
    )
    await stack.enter_async_context(_in_background(driver.run()))
    await engine.rest.start(engine.sockets.rest)
    stack.push_async_callback(engine.rest.stop)
    await engine.control.start()
    stack.push_async_callback(engine.control.stop)


def _announce_trust(
    loop: asyncio.AbstractEventLoop,
    link: LinkServer,
    rest: RestServer,
    pki: Pki,
    names: tuple[str, ...],
    clock: Callable[[], float],
) -> int:
    """Show and tell the authorities of now; called from a thread."""
    pki.renew_server_certificate(names, clock())
    rest.reload_certificate()
    return asyncio.run_coroutine_threadsafe(link.announce_trust(), loop).result(TRUST_TIMEOUT)


def _reboot(loop: asyncio.AbstractEventLoop, link: LinkServer, node: str, actor: Actor) -> None:
    """Have a node reboot; called from a thread."""
    asyncio.run_coroutine_threadsafe(link.reboot(node, actor), loop).result(TRUST_TIMEOUT)


def make_first_administrator(store: Store, password: str = "") -> str:
    """Make the first account if there is none, and return its password: nobody can ask for it again."""
    if Accounts(store).list():
        return ""
    password = password or secrets.token_urlsafe(15)
    create_administrator(store, FIRST_ADMINISTRATOR, password)
    return password


def load_identifier(home: Path) -> str:
    """Read the engine's own identifier, or make it up once."""
    path = home / "engine.id"
    if not path.exists():
        write_file(path, f"{uuid.uuid4()}\n".encode())
    return path.read_text().strip()


def session_limits(settings: Settings) -> SessionLimits:
    """Tell how long sessions live by the settings in force."""
    return SessionLimits(settings.session_idle_seconds, settings.session_absolute_seconds)


def own_version() -> str:
    """Name the version of this program."""
    try:
        return version("virtnode")
    except PackageNotFoundError:
        return "0"


def _welcome(engine: Engine, password: str, output: TextIO) -> None:
    lines = [
        f"virtnode-engine {own_version()}",
        f"  names     {', '.join(engine.names)}",
        f"  nodes     port {engine.link_port}",
        f"  API       https://{engine.names[0]}:{engine.rest_port}/ovirt-engine/api",
        f"  pin       {engine.pki.active().pin}",
    ]
    if password:
        lines += [
            f"  account   {FIRST_ADMINISTRATOR}@internal",
            f"  password  {password}",
            "            (shown this once; virtnode-engine user password admin changes it)",
        ]
    output.write("\n".join([*lines, ""]))
    output.flush()


@contextlib.asynccontextmanager
async def _in_background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _tick_forever(engine: Engine) -> None:
    clock = engine.clock
    checked = clock()
    while True:
        await asyncio.sleep(TICK)
        try:
            await asyncio.to_thread(engine.nodes.tick)
            if clock() - checked >= RENEWAL_CHECK:
                checked = clock()
                if await asyncio.to_thread(engine.pki.renew_server_certificate, engine.names, clock()):
                    engine.link.reload_certificate()
                    engine.rest.reload_certificate()
        except VirtnodeError as error:
            logger.error("states cannot be kept: %s; trying again", error.message)
        except Exception:  # The outermost loop: the engine goes on without this tick.
            logger.exception("a tick failed")


def _metrics_of(link: LinkServer) -> Callable[[], Iterable[Metric]]:
    def read() -> Iterable[Metric]:
        figures = (
            ("virtnode_link_sessions", "gauge", "Nodes that are connected.", link.session_count),
            ("virtnode_link_strangers", "gauge", "Connections without a certificate.", link.stranger_count),
            (
                "virtnode_link_waiting",
                "gauge",
                "Connections that wait for their handshake.",
                link.turns.waiting,
            ),
            ("virtnode_registrations_total", "counter", "Registrations taken.", link.counts.registrations),
            ("virtnode_heartbeats_total", "counter", "Heartbeats heard.", link.counts.heartbeats),
        )
        return [
            Metric(name, kind, about, (Sample(float(value), {}),)) for name, kind, about, value in figures
        ]

    return read
