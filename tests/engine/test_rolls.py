"""Updates and rolls of simulated nodes over the real link, and an engine that stops or dies meanwhile."""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from engine.administration import Administration
from engine.images import Images
from engine.nodes import Nodes
from engine.options import save_setting
from engine.pki import Pki
from engine.rolls import Roll, Rolls, RollState, RollWish, Turn
from engine.serve import Engine
from engine.simulate import SimulatedNode, node_context, register
from engine.simulate_updates import LivingNode, Outcome
from engine.store import event_rows
from engine.store.database import open_store
from engine.tokens import create_token
from engine.updates import Updates, UpdateWish
from nodelib.link import NodeState
from tests.engine.bundles import write_bundle
from tests.engine.processes import serving
from tests.engine.test_killed import free_port
from tests.engine.worlds import ADMIN, engine_at_work, eventually, in_loop

NODES = 20
BUILD = "build-0.2.0"
CLUSTER = "Default"
STEP = 0.02


def poll_often(engine: Engine) -> None:
    """Have nodes be asked without much waiting."""
    with engine.store.write() as connection:
        engine.nodes.apply_settings(save_setting(connection, "update_poll_seconds", "0.05"))


@contextlib.asynccontextmanager
async def living(
    port: int,
    authority: str,
    token: str,
    count: int,
    outcomes: dict[int, Outcome] | None = None,
    *,
    step: float = STEP,
) -> AsyncIterator[list[LivingNode]]:
    """Have nodes join and live."""
    context = node_context(authority)
    nodes = [SimulatedNode(number) for number in range(count)]
    for node in nodes:
        await register("127.0.0.1", port, context, node, token)
    found = [
        LivingNode(
            node,
            (outcomes or {}).get(number, Outcome.SUCCEED),
            heartbeat_interval=0.2,
            step_seconds=step,
        )
        for number, node in enumerate(nodes)
    ]
    tasks = [asyncio.create_task(one.live("127.0.0.1", port, authority)) for one in found]
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def up(
    engine: Engine, count: int, outcomes: dict[int, Outcome] | None = None, *, step: float = STEP
) -> AsyncIterator[list[LivingNode]]:
    """Have nodes of an engine join, live and be up."""
    poll_often(engine)
    token = create_token(engine.store, uses=count, seconds=3600, actor=ADMIN, now=time.time()).token
    authority = engine.pki.trust_bundle()
    async with living(engine.link_port, authority, token, count, outcomes, step=step) as nodes:
        await eventually(lambda: are(engine, NodeState.UP) == count)
        yield nodes


def are(engine: Engine, state: NodeState) -> int:
    """Count the nodes of a state."""
    return sum(node.state is state for node in engine.nodes.list())


def latest(engine: Engine) -> Roll:
    """Load the latest roll."""
    found = engine.updating.rolls.latest(CLUSTER)
    assert found is not None
    return found


async def finished(engine: Engine) -> Roll:
    """Wait for the end of the latest roll."""
    await eventually(lambda: latest(engine).row.finished is not None, 50.0)
    return latest(engine)


def check_one_at_a_time(nodes: Sequence[LivingNode]) -> None:
    """See that no two nodes were at work together, and that they came in order of their names."""
    spans = [span for node in nodes for span in node.spans]
    assert spans == sorted(spans)
    assert all(former[1] <= later[0] for former, later in itertools.pairwise(spans))


@in_loop
async def test_a_node_is_updated_and_back(tmp_path: Path, database: str) -> None:
    """It goes through installing and rebooting, ends up, and each event has what it was asked by."""
    async with engine_at_work(tmp_path, database=database) as engine, up(engine, 1, step=0.3) as (one,):
        engine.updating.images.add(write_bundle(tmp_path, size=1 << 20), ADMIN)
        node = one.node.id
        await asyncio.to_thread(engine.updating.updates.begin, node, UpdateWish(), ADMIN)
        assert engine.nodes.get(node).maintenance
        await eventually(lambda: engine.nodes.get(node).state is NodeState.UP)
        assert engine.nodes.get(node).facts.build_id == BUILD
        update = engine.updating.updates.find(node)
        assert update is not None
        assert (update.phase, update.standing, update.build_before) == ("kept", False, "simulated-0")
        with engine.store.read() as connection:
            seen = event_rows.list_events(connection, node_id=node, newest_first=False)
        assert {"update-ordered", "update-kept"} <= {
            event.kind for event in seen if event.actor == ADMIN.name
        }
        texts = " ".join(event.text for event in seen)
        assert "is installing" in texts
        assert "is rebooting" in texts


@in_loop
async def test_bad_ends_stand_until_somebody_acknowledges_them(tmp_path: Path) -> None:
    """Through a restart, each with its reason, until an administrator activates or deactivates it."""
    outcomes = {0: Outcome.ROLL_BACK, 1: Outcome.FAIL}
    async with engine_at_work(tmp_path / "home") as engine, up(engine, 2, outcomes) as nodes:
        engine.updating.images.add(write_bundle(tmp_path), ADMIN)
        ids = [one.node.id for one in nodes]
        for node in ids:
            await asyncio.to_thread(engine.updating.updates.begin, node, UpdateWish(), ADMIN)
        states = [NodeState.NON_OPERATIONAL, NodeState.FAILED]
        await eventually(lambda: [engine.nodes.get(node).state for node in ids] == states)
        reasons = [engine.nodes.get(node).reason for node in ids]
        assert reasons[0] == "0.2.0 was taken back: libvirt does not answer"
        assert "no key that this node trusts" in reasons[1]
        assert engine.nodes.get(ids[1]).action == "sign it"
        # A state is seen at once, and its last error when it is stored.
        await eventually(lambda: [engine.nodes.get(node).last_error for node in ids] == reasons)
        again = Nodes(engine.store, engine.pki)
        assert [again.get(node).state for node in ids] == states
        engine.nodes.activate(ids[0], ADMIN)
        engine.nodes.deactivate(ids[1], ADMIN)
        assert engine.nodes.get(ids[0]).state is NodeState.UP
        assert engine.nodes.get(ids[1]).state is NodeState.MAINTENANCE
        nodes[0].outcome = Outcome.SUCCEED
        await asyncio.to_thread(engine.updating.updates.begin, ids[0], UpdateWish(), ADMIN)
        await eventually(lambda: nodes[0].build == BUILD and engine.nodes.get(ids[0]).state is NodeState.UP)


@in_loop
async def test_a_cluster_is_rolled(tmp_path: Path, database: str) -> None:
    """Twenty nodes, one after the other; one runs that build already, one stays in maintenance."""
    async with engine_at_work(tmp_path, database=database) as engine, up(engine, NODES) as nodes:
        engine.updating.images.add(write_bundle(tmp_path), ADMIN)
        await asyncio.to_thread(engine.updating.updates.begin, nodes[3].node.id, UpdateWish(), ADMIN)
        await eventually(lambda: are(engine, NodeState.UP) == NODES and nodes[3].build == BUILD)
        await asyncio.to_thread(engine.nodes.deactivate, nodes[5].node.id, ADMIN)
        await asyncio.to_thread(engine.updating.rolls.start, CLUSTER, RollWish(), ADMIN)
        roll = await finished(engine)
        assert (roll.row.state, roll.percent) == (RollState.DONE, 100)
        assert [turn.state for turn in roll.nodes].count(Turn.KEPT) == NODES - 1
        assert roll.nodes[3].reason == "it runs that build already"
        assert {node.build for node in nodes} == {BUILD}
        assert engine.nodes.get(nodes[5].node.id).state is NodeState.MAINTENANCE
        check_one_at_a_time([node for node in nodes if node is not nodes[3]])


@in_loop
async def test_a_roll_stops_at_the_first_failure(tmp_path: Path) -> None:
    """The seventh is taken back: it is named with its reason, and those after it were not touched."""
    outcomes = {6: Outcome.ROLL_BACK}
    async with engine_at_work(tmp_path) as engine, up(engine, NODES, outcomes) as nodes:
        engine.updating.images.add(write_bundle(tmp_path), ADMIN)
        await asyncio.to_thread(engine.updating.rolls.start, CLUSTER, RollWish("0.2.0"), ADMIN)
        roll = await finished(engine)
        assert roll.row.state == RollState.FAILED
        assert roll.row.reason.startswith("sim-00006: 0.2.0 was taken back: libvirt does not answer")
        wanted = [Turn.KEPT] * 6 + [Turn.FAILED] + [Turn.WAITING] * (NODES - 7)
        assert [turn.state for turn in roll.nodes] == wanted
        assert [len(node.spans) for node in nodes] == [1] * 7 + [0] * (NODES - 7)


@in_loop
async def test_a_roll_that_is_stopped_ends_with_the_node_at_hand(tmp_path: Path) -> None:
    """No other is begun, and another roll may begin then and not before."""
    async with engine_at_work(tmp_path) as engine, up(engine, 4) as nodes:
        engine.updating.images.add(write_bundle(tmp_path), ADMIN)
        rolls = engine.updating.rolls
        await asyncio.to_thread(rolls.start, CLUSTER, RollWish(), ADMIN)
        await eventually(lambda: latest(engine).nodes[1].state == Turn.UPDATING)
        await asyncio.to_thread(rolls.stop, CLUSTER, ADMIN)
        roll = await finished(engine)
        assert roll.row.state == RollState.STOPPED
        assert [turn.state for turn in roll.nodes] == [Turn.KEPT] * 2 + [Turn.WAITING] * 2
        await asyncio.to_thread(rolls.start, CLUSTER, RollWish(), ADMIN)
        assert (await finished(engine)).row.state == RollState.DONE
        check_one_at_a_time(nodes)


def directly(home: Path) -> tuple[Administration, Rolls]:
    """Open what an engine knows while none runs."""
    store, pki = open_store(f"sqlite:///{home}/engine.db"), Pki(home)
    nodes, images = Nodes(store, pki), Images(home, store, time.time)
    updates = Updates(store, nodes, images, time.time)
    return (
        Administration(home, store, pki, nodes, time.time),
        Rolls(store, nodes, images, updates, time.time),
    )


def kill_now_and_then(
    home: Path, port: int, chance: random.Random, stop: threading.Event, *, number: int, kills: int
) -> int:
    """Run an engine and end it by a signal at some moment, so many times; the last one runs until the end."""
    for done in range(kills):
        with serving(home, port=port) as engine:
            if stop.wait(chance.uniform(0.3, 1.5)):
                return done
            os.kill(engine.process.pid, number)
            engine.process.wait()
    with serving(home, port=port):
        assert stop.wait(90)
    return kills


def roll_with_kills(tmp_path: Path, number: int, kills: int) -> tuple[int, Roll, list[LivingNode]]:
    """Roll a cluster while its engine is ended again and again."""
    home, port = tmp_path / "home", free_port()
    with serving(home, port=port):
        pass
    administration, rolls = directly(home)
    with administration.store.write() as connection:
        save_setting(connection, "update_poll_seconds", "0.05")
    token = create_token(administration.store, uses=NODES, seconds=3600, actor=ADMIN, now=time.time()).token
    Images(home, administration.store, time.time).add(write_bundle(tmp_path, size=1 << 19), ADMIN)
    authority = administration.pki.active().pem

    def find_roll() -> Roll | None:
        return rolls.latest(CLUSTER)

    async def run() -> tuple[int, list[LivingNode]]:
        stop = threading.Event()
        chance = random.Random(11)
        with contextlib.ExitStack() as stack:
            first = await asyncio.to_thread(stack.enter_context, serving(home, port=port))
            async with living(port, authority, token, NODES) as nodes:
                await eventually(lambda: all(node.connected for node in nodes))
                await asyncio.to_thread(rolls.start, CLUSTER, RollWish(), ADMIN)
                os.kill(first.process.pid, number)
                await asyncio.to_thread(stack.close)
                killer = asyncio.create_task(
                    asyncio.to_thread(kill_now_and_then, home, port, chance, stop, number=number, kills=kills)
                )
                try:
                    await eventually(
                        lambda: (found := find_roll()) is not None and bool(found.row.finished), 90
                    )
                finally:
                    stop.set()
                    done = await killer
                return done, nodes

    done, nodes = asyncio.run(run())
    roll = find_roll()
    assert roll is not None
    administration.store.close()
    return done, roll, nodes


def test_a_roll_survives_restarts_of_the_engine(tmp_path: Path) -> None:
    """What is under way goes on where it was, each node once and one at a time."""
    done, roll, nodes = roll_with_kills(tmp_path, signal.SIGTERM, 3)
    assert done >= 1
    assert (roll.row.state, roll.row.reason) == (RollState.DONE, "")
    assert [len(node.spans) for node in nodes] == [1] * NODES
    check_one_at_a_time(nodes)


def test_a_roll_survives_an_engine_that_is_killed(tmp_path: Path) -> None:
    """Killed at random moments, it brings each node to its end once, and one at a time."""
    done, roll, nodes = roll_with_kills(tmp_path, signal.SIGKILL, 6)
    assert done >= 2
    assert (roll.row.state, roll.row.reason) == (RollState.DONE, "")
    assert [len(node.spans) for node in nodes] == [1] * NODES
    assert {node.build for node in nodes} == {BUILD}
    check_one_at_a_time(nodes)
