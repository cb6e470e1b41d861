"""Who dials waits for a turn, and those that are there are answered meanwhile."""

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest

from engine import admission
from engine.admission import Crowded, Turns
from engine.link_server import Limits
from engine.serve import Engine
from engine.simulate import SimulatedNode, Wire
from nodelib.link import HEARTBEAT, REGISTER, NodeState
from tests.engine.links import join, open_link
from tests.engine.worlds import engine_at_work, eventually, in_loop

FOREVER = 3600.0


async def hold(turns: Turns, network: str, begun: list[str], done: asyncio.Event) -> None:
    """Take a turn, say so, and keep it until told."""
    async with turns.turn(network):
        begun.append(network)
        await done.wait()


@in_loop
async def test_who_comes_to_a_crowd_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one network, or of all: each that waits costs an open file."""
    monkeypatch.setattr(admission, "MOST_OF_NETWORK", 2)
    monkeypatch.setattr(admission, "MOST_WAITING", 3)
    turns, done, begun = Turns(1, FOREVER), asyncio.Event(), list[str]()
    async with asyncio.TaskGroup() as group:
        for network in ("a", "a", "a"):
            group.create_task(hold(turns, network, begun, done))
        await eventually(lambda: turns.waiting == 2)
        with pytest.raises(Crowded):
            await hold(turns, "a", begun, done)
        group.create_task(hold(turns, "b", begun, done))
        await eventually(lambda: turns.waiting == 3)
        with pytest.raises(Crowded):
            await hold(turns, "c", begun, done)
        done.set()
    assert sorted(begun) == ["a", "a", "a", "b"]


@in_loop
async def test_no_more_turns_than_allowed_are_taken_at_once() -> None:
    """A hundred that come together take all their turns, eight at a time."""
    turns, done = Turns(8, FOREVER), asyncio.Event()
    begun: list[str] = []
    async with asyncio.TaskGroup() as group:
        for _ in range(100):
            group.create_task(hold(turns, "a", begun, done))
        await eventually(lambda: turns.waiting == 92)
        assert len(begun) == 8
        done.set()
    assert (len(begun), turns.most_taken, turns.taken, turns.waiting) == (100, 8, 0, 0)


@in_loop
async def test_networks_take_turns_by_rota() -> None:
    """Whoever dials a hundred times holds up another network by one turn, not by a hundred."""
    turns, first, done = Turns(1, FOREVER), asyncio.Event(), asyncio.Event()
    done.set()
    begun: list[str] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(hold(turns, "many", begun, first))
        for _ in range(100):
            group.create_task(hold(turns, "many", begun, done))
        await eventually(lambda: turns.waiting == 100)
        group.create_task(hold(turns, "one", begun, done))
        await eventually(lambda: turns.waiting == 101)
        first.set()
    assert begun.index("one") == 2


@in_loop
async def test_who_takes_long_holds_up_others_for_a_while_only() -> None:
    """The turn ends, what goes on in it does not, and nothing is given back twice."""
    turns, done = Turns(1, 0.01), asyncio.Event()
    begun: list[str] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(hold(turns, "slow", begun, done))
        group.create_task(hold(turns, "next", begun, done))
        await eventually(lambda: begun == ["slow", "next"])
        await eventually(lambda: turns.taken == 0)
        done.set()
    assert turns.taken == 0


@in_loop
async def test_who_gives_up_leaves_the_line() -> None:
    """Neither one that waits nor one that was just let in keeps a turn that it does not take."""
    turns, done = Turns(1, FOREVER), asyncio.Event()
    begun: list[str] = []
    async with turns.turn("a"):
        waiting = [asyncio.create_task(hold(turns, "a", begun, done)) for _ in range(2)]
        await eventually(lambda: turns.waiting == 2)
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
        assert turns.waiting == 1
    # It was let in a moment ago, and has not come so far as to notice.
    assert (turns.taken, turns.waiting) == (1, 0)
    waiting[1].cancel()
    await asyncio.gather(waiting[1], return_exceptions=True)
    assert (turns.taken, turns.waiting, begun) == (0, 0, [])


@in_loop
async def test_a_node_is_answered_while_others_wait_for_their_handshake(tmp_path: Path) -> None:
    """All turns are with peers that say nothing, a crowd waits, and a heartbeat is answered all the same."""
    limits = Limits(handshakes=2, handshake_patience=FOREVER)
    async with contextlib.AsyncExitStack() as stack:
        engine = await stack.enter_async_context(engine_at_work(tmp_path, limits=limits))
        node = await join(engine)
        wire = Wire(await stack.enter_async_context(open_link(engine, node)))
        await wire.hello()
        for _ in range(2):
            await _dial_silently(stack, engine.link_port)
        await eventually(lambda: engine.link.turns.taken == 2)
        for _ in range(20):
            await _dial_silently(stack, engine.link_port)
        await eventually(lambda: engine.link.turns.waiting == 20)
        reply = await wire.call(HEARTBEAT, node.heartbeat(1.0))
        assert reply.state is NodeState.UP
        assert engine.link.turns.waiting == 20
    assert engine.link.turns.most_taken == 2


@in_loop
async def test_a_node_is_answered_while_registrations_wait_for_the_database(tmp_path: Path) -> None:
    """However many of them wait, and for however long, a heartbeat waits for none."""
    async with engine_at_work(tmp_path, limits=Limits(register_within=FOREVER)) as engine:
        node = await join(engine)
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            # Whoever writes waits until this transaction ends.
            with engine.store.write():
                joining = [asyncio.create_task(_ask_to_join(engine, number)) for number in range(1, 13)]
                await eventually(lambda: engine.link.stranger_count == len(joining))
                for _ in range(20):
                    reply = await wire.call(HEARTBEAT, node.heartbeat(1.0))
                    assert reply.state is NodeState.UP
                assert not any(task.done() for task in joining)
            states = await asyncio.gather(*joining)
        assert states == [NodeState.PENDING] * len(joining)


@in_loop
async def test_a_storm_comes_in_by_turns(tmp_path: Path) -> None:
    """Forty that dial at once all get in, and never more than two shake hands."""
    async with engine_at_work(tmp_path, limits=Limits(handshakes=2)) as engine:

        async def greet() -> str:
            async with open_link(engine) as connection:
                return (await Wire(connection).hello()).nonce

        nonces = await asyncio.gather(*(greet() for _ in range(40)))
        assert len(set(nonces)) == 40
        await eventually(lambda: engine.link.turns.taken == 0)
        assert (engine.link.turns.most_taken, engine.link.turns.waiting) == (2, 0)


@in_loop
async def test_who_speaks_no_tls_gives_its_turn_back(tmp_path: Path) -> None:
    """The connection is closed, and the next one gets in."""
    limits = Limits(handshakes=1, handshake_patience=FOREVER)
    async with engine_at_work(tmp_path, limits=limits) as engine:
        reader, writer = await asyncio.open_connection("127.0.0.1", engine.link_port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await reader.read()
        writer.close()
        async with open_link(engine) as connection:
            assert (await Wire(connection).hello()).nonce
        await eventually(lambda: engine.link.turns.taken == 0)


async def _ask_to_join(engine: Engine, number: int) -> NodeState:
    """Register without a token, and tell what became of it."""
    async with open_link(engine) as connection:
        wire = Wire(connection)
        hello = await wire.hello()
        return (await wire.call(REGISTER, SimulatedNode(number).register_request(hello.nonce))).state


async def _dial_silently(stack: contextlib.AsyncExitStack, port: int) -> None:
    """Open a connection, and say nothing on it until the end."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    stack.callback(writer.close)
