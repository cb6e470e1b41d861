"""An engine that is killed again and again while nodes register: nothing that it promised is lost."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import time
from pathlib import Path

from websockets.exceptions import WebSocketException

from engine.nodes import Nodes
from engine.pki import Pki
from engine.simulate import SimulatedNode, node_context, register
from engine.store.database import check_sqlite, open_store
from engine.tokens import create_token, list_tokens
from tests.engine.processes import serving
from tests.engine.test_registration import identity
from tests.engine.worlds import ADMIN

NODES = 200
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


def kill_now_and_then(home: Path, port: int, chance: random.Random, stop: asyncio.Event) -> int:
    """Run an engine, kill it at some moment, and do that again; the last one runs until all is done."""
    kills = 0
    for _ in range(KILLS):
        with serving(home, port=port) as engine:
            until = time.monotonic() + chance.uniform(0.02, 0.4)
            while time.monotonic() < until and not stop.is_set():
                time.sleep(0.01)
            if stop.is_set():
                return kills
            os.kill(engine.process.pid, signal.SIGKILL)
            kills += 1
    with serving(home, port=port):
        begun = time.monotonic()
        while not stop.is_set() and time.monotonic() - begun < DEADLINE:
            time.sleep(0.05)
    return kills


def test_no_approval_is_lost_when_the_engine_is_killed(tmp_path: Path) -> None:
    """Who got a certificate is known, nobody is there twice, and the token was used once for each."""
    home, port = tmp_path / "home", free_port()
    with serving(home, port=port):
        pass
    with contextlib.closing(open_store(f"sqlite:///{home}/engine.db")) as store:
        token = create_token(store, uses=NODES, seconds=3600, actor=ADMIN, now=time.time()).token
    nodes = [SimulatedNode(number) for number in range(NODES)]
    authority = Pki(home).active().pem

    async def run() -> tuple[int, list[SimulatedNode]]:
        stop = asyncio.Event()
        killer = asyncio.create_task(asyncio.to_thread(kill_now_and_then, home, port, random.Random(7), stop))
        try:
            given = await keep_registering(port, authority, token, nodes, asyncio.Semaphore(3))
        finally:
            stop.set()
            kills = await killer
        return kills, given

    kills, given = asyncio.run(run())
    assert kills >= 2
    check_sqlite(home / "engine.db")
    pki = Pki(home)
    assert pki.active().pem == authority
    with contextlib.closing(open_store(f"sqlite:///{home}/engine.db")) as store:
        known = Nodes(store, pki)
        assert len(known.list()) == NODES
        assert sorted(node.facts.hostname for node in known.list()) == [
            f"sim-{number:05}" for number in range(NODES)
        ]
        assert [known.authenticate(*identity(node)).node for node in given] == [node.id for node in given]
        assert list_tokens(store)[0].used == NODES
    assert [path.name for path in (home / "ca").iterdir()] == ["active.pem"]
