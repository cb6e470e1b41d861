"""What came of one request can be found together in the log; nothing in it is without a correlation."""

import asyncio
from pathlib import Path

from engine.administration import NODES_DEACTIVATE, NODES_REVOKE, OnNode
from engine.control import call_engine
from engine.events import ENGINE, Actor, one_request
from engine.simulate import SimulatedNode, Wire
from engine.store import event_rows
from engine.store.database import Store
from engine.store.event_rows import EventRow
from nodelib.link import HEARTBEAT, REGISTER, REPORT_EVENTS, EventsRequest, NodeEvent, Severity
from tests.engine.links import join, open_link
from tests.engine.test_nodes import beat, connect
from tests.engine.worlds import ADMIN, World, engine_at_work, in_loop


def log(store: Store) -> tuple[EventRow, ...]:
    """Read the log, the oldest first."""
    with store.read() as connection:
        return event_rows.list_events(connection, limit=1000, newest_first=False)


def correlations(store: Store, *kinds: str) -> list[str]:
    """List the correlations of some kinds of events."""
    return [one.correlation for one in log(store) if one.kind in kinds]


@in_loop
async def test_each_call_has_its_own(tmp_path: Path) -> None:
    """Of the command line, and of nodes; the threads that answer them go on with it."""
    async with engine_at_work(tmp_path) as engine:
        node = await join(engine)
        for verb in (NODES_DEACTIVATE, NODES_REVOKE):
            await asyncio.to_thread(call_engine, tmp_path, verb, OnNode("host:anna", node.id))
        decided = correlations(engine.store, "node-approved", "node-deactivated", "node-revoked")
        assert len(set(decided)) == 3
        other = await join(engine, 2)
        async with open_link(engine, other) as connection:
            wire = Wire(connection)
            await wire.hello()
            await wire.call(HEARTBEAT, other.heartbeat(1.0))
            events = tuple(
                NodeEvent(str(number), 1.0, Severity.INFO, "root", "test", "x") for number in range(2)
            )
            await wire.call(REPORT_EVENTS, EventsRequest(events))
        first, second = correlations(engine.store, "test")
        assert first == second
        assert all(one.correlation for one in log(engine.store))


@in_loop
async def test_what_one_registration_causes_belongs_together(tmp_path: Path) -> None:
    """A waiting row that goes, and the one that takes its place."""
    async with engine_at_work(tmp_path) as engine:
        first = SimulatedNode(1)
        for node in (first, SimulatedNode(2, hardware=first.facts.hardware)):
            async with open_link(engine) as connection:
                wire = Wire(connection)
                hello = await wire.hello()
                await wire.call(REGISTER, node.register_request(hello.nonce))
            while any(one.connected for one in engine.nodes.list()):
                await asyncio.sleep(0.02)
        before, *others = correlations(engine.store, "node-pending", "node-forgotten")
        assert len(set(others)) == 1
        assert before not in others


def test_what_comes_by_itself_has_one_too(world: World) -> None:
    """A change of state is a matter of its own."""
    node = world.joined()
    connect(world, node)
    beat(world, node)
    world.pass_by(1)
    world.nodes.deactivate(node.id, ADMIN)
    found = [one.correlation for one in log(world.store)]
    assert all(found)
    assert len(set(found)) == len(found)


def test_who_names_one_keeps_it() -> None:
    """A request of the API brings its own; outside of any request there is none."""
    with one_request():
        assert Actor("anna", "its-own").correlation == "its-own"
        assert Actor("anna").correlation == Actor("bert").correlation != ""
    assert Actor("anna").correlation == ""
    assert ENGINE.correlation == ""
