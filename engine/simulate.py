"""Many nodes in one process, with real keys, TLS, registrations and heartbeats; and what they measured."""

import asyncio
import contextlib
import itertools
import json
import logging
import random
import ssl
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from engine.pki import KeyPair, make_key_pair, pins_of
from nodelib.codec import decode_lenient, encode
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Cpu, Facts, Hardware, Memory
from nodelib.jsonrpc import Reply, Request, dump_request, parse_message
from nodelib.link import (
    HEARTBEAT,
    HEARTBEAT_INTERVAL,
    HELLO,
    LINK_PATH,
    MAX_FRAME,
    PROTOCOL,
    REGISTER,
    Heartbeat,
    Hello,
    RegisterReply,
    RegisterRequest,
    Verb,
    register_proof,
)

logger = logging.getLogger(__name__)

Q = TypeVar("Q")
R = TypeVar("R")
TIMEOUT = 60.0
AWAY = (OSError, WebSocketException, TimeoutError, EOFError)
"""What tells that the engine is not there."""


@dataclass(frozen=True)
class SimulateOptions:
    """How many nodes to be, of which engine, and for how long."""

    host: str
    port: int
    pin: str
    token: str
    nodes: int = 100
    seconds: float = 60.0
    at_once: int = 50
    heartbeat_interval: float = HEARTBEAT_INTERVAL
    updates: str = ""
    """What becomes of updates: succeed, roll-back or fail; without it nodes answer nothing."""


@dataclass(frozen=True)
class Report:
    """What was measured; latencies in milliseconds."""

    nodes: int
    registered: int
    registrations_per_second: float
    heartbeats: int
    heartbeats_per_second: float
    register_ms: tuple[float, float, float]
    """Median, 99th percentile, worst."""
    heartbeat_ms: tuple[float, float, float]
    errors: tuple[str, ...] = ()


@dataclass
class Measurements:
    """What is being measured."""

    register: list[float] = field(default_factory=list)
    heartbeat: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


Live = Callable[["SimulateOptions", str, "SimulatedNode", Measurements], Awaitable[None]]


class SimulatedNode:
    """A node: its key, what it says it is, and its certificate once it has one."""

    def __init__(
        self, number: int = 0, *, hardware: Hardware | None = None, key: KeyPair | None = None
    ) -> None:
        self.key = key or make_key_pair()
        made_up = Hardware("virtnode", "simulated", f"S{number:06}", str(uuid.uuid4()))
        self.facts = Facts(
            hostname=f"sim-{number:05}",
            product="virtnode 0.1.0 (simulated)",
            build_id="simulated-0",
            hardware=hardware or made_up,
            cpu=Cpu(model="simulated", architecture="x86_64", sockets=1, cores=4, threads=8),
            memory=Memory(total_bytes=64 << 30, available_bytes=48 << 30),
        )
        self.certificate = ""
        self.id = ""

    def register_request(self, nonce: str, token: str = "") -> RegisterRequest:
        """Ask to be let in, on the connection that a nonce belongs to."""
        proof = self.key.sign(register_proof(nonce))
        return RegisterRequest(PROTOCOL, self.key.make_csr(), proof, self.facts, token)

    def heartbeat(self, now: float, *, with_facts: bool = False) -> Heartbeat:
        """Say that it lives."""
        return Heartbeat(now, 100.0, 0.5, 48 << 30, facts=self.facts if with_facts else None)


class Wire:
    """A connection from a node's side."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._numbers = itertools.count(1)
        self.asked: list[Request] = []
        """What the engine asked meanwhile."""

    async def receive(self) -> Request | Reply:
        """Read one message."""
        async with asyncio.timeout(TIMEOUT):
            return parse_message(await self.connection.recv())

    async def hello(self) -> Hello:
        """Read the engine's first message."""
        message = await self.receive()
        if not isinstance(message, Request) or message.method != HELLO.name:
            raise VirtnodeError(Code.INVALID, "the engine did not begin with hello")
        return decode_lenient(Hello, message.params)

    async def call(self, verb: Verb[Q, R], request: Q) -> R:
        """Ask the engine, and wait for its answer."""
        number = next(self._numbers)
        document = dump_request(Request(verb.name, encode(request), number))
        await self.connection.send(json.dumps(document))
        while True:
            message = await self.receive()
            if isinstance(message, Request):
                self.asked.append(message)
            elif message.id == number:
                if message.error is not None:
                    raise message.error
                return decode_lenient(verb.reply, message.result)

    async def expect(self, verb: Verb[Q, R]) -> Q:
        """Wait until the engine asks something."""
        while not self.asked:
            message = await self.receive()
            if isinstance(message, Request):
                self.asked.append(message)
        asked = self.asked.pop(0)
        if asked.method != verb.name:
            raise VirtnodeError(Code.INVALID, f"the engine asked {asked.method}, not {verb.name}")
        return decode_lenient(verb.request, asked.params)


def dial(host: str, port: int, context: ssl.SSLContext, *, path: str = LINK_PATH) -> connect:
    """Open a connection to the engine; to be entered as a context."""
    address = f"[{host}]" if ":" in host else host
    return connect(
        f"wss://{address}:{port}{path}",
        ssl=context,
        proxy=None,
        compression=None,
        max_size=MAX_FRAME,
        open_timeout=TIMEOUT,
        close_timeout=2,
        ping_interval=None,
        user_agent_header=None,
    )


async def find_authority(host: str, port: int, pin: str) -> str:
    """Take the authority, as PEM, that the engine shows first, if it is the pinned one. Raises (denied)."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    async with dial(host, port, blind) as connection:
        hello = await Wire(connection).hello()
    authority = pins_of(hello.ca).get(pin)
    if authority is None:
        raise VirtnodeError(Code.DENIED, "the engine is not the pinned one", "virtnode-engine ca show")
    return authority


def node_context(authority: str, node: SimulatedNode | None = None) -> ssl.SSLContext:
    """Trust an authority, and show a node's certificate if it is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=authority)
    if node is not None:
        with tempfile.NamedTemporaryFile("w", prefix="virtnode-", suffix=".pem") as file:
            file.write(node.key.pem + node.certificate)
            file.flush()
            context.load_cert_chain(file.name)
    return context


async def register(
    host: str, port: int, context: ssl.SSLContext, node: SimulatedNode, token: str
) -> RegisterReply:
    """Register a node on a connection of its own, and keep its certificate."""
    async with dial(host, port, context) as connection:
        wire = Wire(connection)
        hello = await wire.hello()
        reply = await wire.call(REGISTER, node.register_request(hello.nonce, token))
    node.certificate, node.id = reply.certificate, reply.node
    return reply


async def simulate(options: SimulateOptions, live: "Live | None" = None) -> Report:
    """Register all nodes, keep them connected with heartbeats for a time, and tell how it went.

    `live` is how each spends its time, if not with heartbeats alone.
    """
    measurements = Measurements()
    try:
        authority = await find_authority(options.host, options.port, options.pin)
    except (OSError, WebSocketException, TimeoutError) as error:
        raise VirtnodeError(
            Code.UNAVAILABLE, f"the engine does not answer: {error}", "is --engine its link port?"
        ) from error
    nodes = [SimulatedNode(number) for number in range(options.nodes)]
    turns = asyncio.Semaphore(options.at_once)
    begun = time.perf_counter()
    context = node_context(authority)
    await asyncio.gather(*(_register_measured(options, context, node, turns, measurements) for node in nodes))
    registered = time.perf_counter() - begun
    begun = time.perf_counter()
    joined = [node for node in nodes if node.certificate]
    if live is not None:
        await asyncio.gather(*(live(options, authority, node, measurements) for node in joined))
    else:
        await asyncio.gather(*(_live(options, authority, node, turns, measurements) for node in joined))
    lived = time.perf_counter() - begun
    return Report(
        nodes=options.nodes,
        registered=len(joined),
        registrations_per_second=round(len(joined) / registered, 1),
        heartbeats=len(measurements.heartbeat),
        heartbeats_per_second=round(len(measurements.heartbeat) / lived, 1),
        register_ms=_summary(measurements.register),
        heartbeat_ms=_summary(measurements.heartbeat),
        errors=tuple(sorted(set(measurements.errors)))[:20],
    )


def report_lines(report: Report) -> list[str]:
    """Lay a report out for a person."""
    shown = [
        f"registered  {report.registered} of {report.nodes}, {report.registrations_per_second} a second",
        "            median {} ms, 99 of 100 within {} ms, worst {} ms".format(*report.register_ms),
        f"heartbeats  {report.heartbeats}, {report.heartbeats_per_second} a second",
        "            median {} ms, 99 of 100 within {} ms, worst {} ms".format(*report.heartbeat_ms),
    ]
    return [*shown, *(f"error       {error}" for error in report.errors)]


async def _register_measured(
    options: SimulateOptions,
    context: ssl.SSLContext,
    node: SimulatedNode,
    turns: asyncio.Semaphore,
    measurements: Measurements,
) -> None:
    async with turns:
        begun = time.perf_counter()
        try:
            await register(options.host, options.port, context, node, options.token)
        except (OSError, WebSocketException, TimeoutError, VirtnodeError) as error:
            measurements.errors.append(f"register: {error or type(error).__name__}")
        else:
            measurements.register.append(time.perf_counter() - begun)


async def _live(
    options: SimulateOptions,
    authority: str,
    node: SimulatedNode,
    turns: asyncio.Semaphore,
    measurements: Measurements,
) -> None:
    """Be one node that is joined, until the time is over."""
    end = time.perf_counter() + options.seconds
    try:
        async with contextlib.AsyncExitStack() as stack:
            async with turns:
                dialled = dial(options.host, options.port, node_context(authority, node))
                wire = Wire(await stack.enter_async_context(dialled))
                await wire.hello()
            first = True
            while time.perf_counter() < end:
                begun = time.perf_counter()
                await wire.call(HEARTBEAT, node.heartbeat(time.time(), with_facts=first))
                measurements.heartbeat.append(time.perf_counter() - begun)
                first = False
                pause = options.heartbeat_interval * random.uniform(0.8, 1.2)
                await asyncio.sleep(max(0.0, min(pause, end - time.perf_counter())))
    except (OSError, WebSocketException, TimeoutError, VirtnodeError) as error:
        measurements.errors.append(f"heartbeat: {error or type(error).__name__}")


def _summary(seconds: Sequence[float]) -> tuple[float, float, float]:
    if not seconds:
        return (0.0, 0.0, 0.0)
    ordered = sorted(seconds)
    worst = ordered[-1]
    late = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return (round(statistics.median(ordered) * 1e3, 1), round(late * 1e3, 1), round(worst * 1e3, 1))
