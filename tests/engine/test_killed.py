"""An engine that is killed again and again while nodes are let in: nothing that it promised is lost."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path

from websockets.exceptions import WebSocketException

from engine.administration import NODES_APPROVE, OnNode
from engine.control import call_engine
from engine.nodes import Nodes
from engine.pki import Pki
from engine.simulate import SimulatedNode, node_context, register
from engine.store import event_rows
from engine.store.database import Store, check_sqlite, open_store
from engine.tokens import create_token, list_tokens
from nodelib.errors import Code, VirtnodeError
from nodelib.link import NodeState
from tests.engine.processes import serving
from tests.engine.test_registration import identity
from tests.engine.worlds import ADMIN, NONCE

NODES = 200
WAITING = 40
"""Nodes that an administrator lets in."""
KILLS = 6
DEADLINE = 80.0


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


async def keep_registering(
    port: int, authority: str, token: str, nodes: list[SimulatedNode], turns: asyncio.Semaphore
) -> list[SimulatedNode]:
    """Register each node, again and again while the engine is away; return who got a certificate."""
    given: list[SimulatedNode] = []

    async def one(node: SimulatedNode) -> None:
        context = node_context(authority)
        while not node.certificate:
            async with turns:
                with contextlib.suppress(OSError, WebSocketException, TimeoutError, EOFError):
                    await register("127.0.0.1", port, context, node, token)
            # The engine is away; a node waits before it dials again.
            await asyncio.sleep(0 if node.certificate else 0.1)
        given.append(node)

    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*(one(node) for node in nodes))
    return given


def keep_approving(home: Path, waiting: list[str]) -> list[str]:
    """Approve each waiting node, again while the engine is away; return who was said to be let in."""
    promised: list[str] = []
    until = time.monotonic() + DEADLINE
    for node in waiting:
        while time.monotonic() < until:
            try:
                answer = call_engine(home, NODES_APPROVE, OnNode("host:tester", node))
            except VirtnodeError as error:
                if error.code is Code.CONFLICT:
                    # It was approved, and the engine died before it could say so.
                    break
                answer = None
            if answer is not None:
                promised.append(answer.id)
                break
            # The engine is away; a person tries again.
            time.sleep(0.05)
    return promised


def kill_now_and_then(
    home: Path, database: str, port: int, chance: random.Random, stop: threading.Event
) -> int:
    """Run an engine, kill it at some moment, and do that again; the last one runs until all is done."""
    kills = 0
    for _ in range(KILLS):
        with serving(home, "--database", database, port=port) as engine:
            until = time.monotonic() + chance.uniform(0.02, 0.4)
            while time.monotonic() < until and not stop.is_set():
                time.sleep(0.01)
            if stop.is_set():
                return kills
            os.kill(engine.process.pid, signal.SIGKILL)
            kills += 1
    with serving(home, "--database", database, port=port):
        begun = time.monotonic()
        while not stop.is_set() and time.monotonic() - begun < DEADLINE:
            time.sleep(0.05)
    return kills


def prepare(home: Path, database: str, port: int) -> tuple[str, list[str]]:
    """Start an engine once, and have nodes wait; return a join token, and who waits."""
    with serving(home, "--database", database, port=port):
        pass
    with contextlib.closing(open_store(database)) as store:
        token = create_token(store, uses=NODES, seconds=3600, actor=ADMIN, now=time.time()).token
        nodes = Nodes(store, Pki(home))
        asking = [SimulatedNode(NODES + number) for number in range(WAITING)]
        waiting = [nodes.register(one.register_request(NONCE), NONCE, "192.0.2.1").node for one in asking]
    return token, waiting


def check_approvals(store: Store, known: Nodes, waiting: list[str], promised: list[str]) -> None:
    """See that every approval holds that was told, or written, and that none was written twice."""
    with store.read() as connection:
        events = event_rows.list_events(connection, limit=10_000)
    written = Counter(one.node_id for one in events if one.kind == "node-approved")
    assert set(promised) <= set(waiting)
    for node in waiting:
        found = known.get(node)
        assert found.state is not NodeState.PENDING
        assert found.approved_by == "host:tester"
        assert written[node] == 1
    assert len(promised) > WAITING / 2


def test_no_approval_is_lost_when_the_engine_is_killed(tmp_path: Path, database: str) -> None:
    """Tokens and an administrator let nodes in meanwhile.

    Who got a certificate is known, nobody is there twice, the token was used once for each, and whoever the
    administrator was told is let in, is.
    """
    home, port = tmp_path / "home", free_port()
    token, waiting = prepare(home, database, port)
    nodes = [SimulatedNode(number) for number in range(NODES)]
    authority = Pki(home).active().pem

    async def run() -> tuple[int, list[SimulatedNode], list[str]]:
        stop, chance = threading.Event(), random.Random(7)
        killer = asyncio.create_task(asyncio.to_thread(kill_now_and_then, home, database, port, chance, stop))
        administrator = asyncio.create_task(asyncio.to_thread(keep_approving, home, waiting))
        try:
            given = await keep_registering(port, authority, token, nodes, asyncio.Semaphore(3))
            promised = await administrator
        finally:
            stop.set()
            kills = await killer
        return kills, given, promised

    kills, given, promised = asyncio.run(run())
    assert kills >= 2
    if database.startswith("sqlite"):
        check_sqlite(home.parent / "engine.db")
    pki = Pki(home)
    assert pki.active().pem == authority
    with contextlib.closing(open_store(database)) as store:
        known = Nodes(store, pki)
        assert sorted(node.facts.hostname for node in known.list()) == [
            f"sim-{number:05}" for number in range(NODES + WAITING)
        ]
        assert [known.authenticate(*identity(node)).node for node in given] == [node.id for node in given]
        assert list_tokens(store)[0].used == NODES
        check_approvals(store, known, waiting, promised)
    assert [path.name for path in (home / "ca").iterdir()] == ["active.pem"]
