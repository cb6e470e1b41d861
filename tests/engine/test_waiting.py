"""Nodes that wait for approval: who is here, who is forgotten, and whose way becomes free."""

import asyncio
from pathlib import Path

import pytest

from engine.simulate import SimulatedNode, Wire
from engine.store import event_rows
from engine.tokens import list_tokens
from engine.waiting import NEWEST
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Facts, Hardware
from nodelib.link import HEARTBEAT, REGISTER, NodeState
from tests.engine.links import join, make_token, open_link
from tests.engine.test_nodes import Recorder, connect
from tests.engine.test_registration import twin
from tests.engine.worlds import ADMIN, World, engine_at_work, eventually, in_loop
from tests.nodeagent.engine_double import wait_for
from tests.nodeagent.node_double import Settings, linked_node

HOUR = 3600.0


def names(world: World) -> list[str]:
    """List the names of all nodes."""
    return [node.name for node in world.nodes.list()]


def fill(world: World, count: int) -> None:
    """Have nodes ask and go, so that none of those before is among the newest."""
    for number in range(count):
        world.register(SimulatedNode(1000 + number), address="198.51.100.1")


def test_a_machine_that_starts_again_and_again_waits_once(world: World) -> None:
    """Each start has another key and the same hardware; the row of the last one is what is left."""
    world.set("max_pending_per_address", "3")
    first = SimulatedNode(1)
    world.register(first)
    for _ in range(10):
        last = world.register(twin(first))
    (waiting,) = world.nodes.list()
    assert (waiting.id, waiting.state) == (last.node, NodeState.PENDING)
    assert world.event_kinds().count("node-forgotten") == 10


def test_a_liar_takes_the_place_of_nobody_who_is_here(world: World) -> None:
    """Who waits on a connection stays, whoever shows its hardware; once it is gone it may be replaced."""
    honest, connection = SimulatedNode(1), object()
    waiting = world.register(honest, connection=connection)
    world.register(twin(honest), connection=object())
    assert {node.id for node in world.nodes.list()} > {waiting.node}
    assert all(node.connected for node in world.nodes.list())
    world.nodes.left(connection)
    (gone,) = (node for node in world.nodes.list() if not node.connected)
    assert gone.id == waiting.node
    world.register(twin(honest))
    assert waiting.node not in {node.id for node in world.nodes.list()}
    assert len(world.nodes.list()) == 2


def test_half_a_hardware_identity_replaces_nobody(world: World) -> None:
    """Boards without a serial number wait side by side."""
    for number in range(2):
        world.register(SimulatedNode(number, hardware=Hardware(uuid="same", serial="")))
    assert len(world.nodes.list()) == 2


def test_a_waiting_node_that_left_is_forgotten(world: World) -> None:
    """After an hour, counted from when it left, and not while it is here; the log says so."""
    connection = object()
    stays, leaves = SimulatedNode(1), SimulatedNode(2)
    world.register(stays, connection=object())
    left = world.register(leaves, connection=connection)
    world.pass_by(10 * HOUR)
    fill(world, NEWEST)
    world.nodes.left(connection)
    left_at = world.clock()
    world.pass_by(60)
    for number in range(NEWEST):
        world.register(SimulatedNode(2000 + number), address="198.51.100.2")
    assert world.nodes.get(left.node).last_seen == left_at
    world.pass_by(HOUR - 120)
    assert {"sim-00001", "sim-00002"} < set(names(world))
    world.pass_by(120)
    assert "sim-00002" not in names(world)
    assert "sim-00001" in names(world)
    with world.store.read() as transaction:
        texts = [one.text for one in event_rows.list_events(transaction) if one.node_id == left.node]
    assert "away for too long" in texts[0]


def test_the_newest_are_kept_for_a_day(world: World) -> None:
    """Whoever put a machine into the rack in the evening finds it in the list the next morning."""
    world.register(SimulatedNode(1))
    world.pass_by(23 * HOUR)
    assert names(world) == ["sim-00001"]
    world.pass_by(2 * HOUR)
    assert names(world) == []


def test_a_start_of_the_engine_gives_waiting_nodes_time_to_come_back(world: World) -> None:
    """The engine was away itself, so nobody is blamed."""
    fill(world, NEWEST + 5)
    world.clock.pass_by(10 * HOUR)
    world.steady.pass_by(10 * HOUR)
    again = world.restarted()
    again.pass_by(HOUR / 2)
    assert len(again.nodes.list()) == NEWEST + 5
    again.pass_by(HOUR)
    assert len(again.nodes.list()) == NEWEST


def test_a_queue_that_was_full_has_room_again(world: World) -> None:
    """Those who left make room; what was let in is not touched."""
    world.set("max_pending", str(NEWEST + 1))
    member = world.joined(1)
    fill(world, NEWEST + 1)
    with pytest.raises(VirtnodeError) as refused:
        world.register(SimulatedNode(5))
    assert refused.value.code is Code.BUSY
    world.pass_by(HOUR + 1)
    world.register(SimulatedNode(5))
    assert world.nodes.get(member.id).state is not NodeState.PENDING


def test_a_token_opens_the_door_when_the_former_is_gone(world: World) -> None:
    """The node that waits is let in without asking again, and one token is used."""
    audience = world.nodes.audience = Recorder()
    former = world.joined()
    connection = connect(world, former)
    new, token = twin(former), world.token()
    waiting = world.register(new, token, connection=object())
    assert waiting.state is NodeState.PENDING
    world.nodes.reconsider(former.id)
    assert audience.told == []
    world.nodes.disconnected(former.id, connection)
    assert world.nodes.has_heirs(former.id)
    world.nodes.reconsider(former.id)
    assert audience.told == [("barred", former.id), ("approved", waiting.node, former.id)]
    assert not world.nodes.has_heirs(former.id)
    assert [one.used for one in list_tokens(world.store) if one.id == token[4:12]] == [1]
    assert [node.id for node in world.nodes.list()] == [former.id]


def test_of_two_who_wait_for_the_same_one_gets_it(world: World) -> None:
    """The second shows the hardware of a node that was just let in, and waits on."""
    audience = world.nodes.audience = Recorder()
    former = world.joined()
    connection = connect(world, former)
    token = world.token(uses=5)
    first, second = (world.register(twin(former), token, connection=object()) for _ in range(2))
    world.nodes.disconnected(former.id, connection)
    world.nodes.reconsider(former.id)
    assert [one[1] for one in audience.told if one[0] == "approved"] == [first.node]
    assert world.nodes.get(second.node).state is NodeState.PENDING


def test_a_token_that_is_good_no_more_lets_nobody_in_later(world: World) -> None:
    """It is looked at again when the way is free, and the node waits for an administrator."""
    former = world.joined()
    connection = connect(world, former)
    waiting = world.register(twin(former), world.token(seconds=60), connection=object())
    world.pass_by(61)
    world.nodes.disconnected(former.id, connection)
    for _ in range(2):
        world.nodes.reconsider(former.id)
    assert world.nodes.get(waiting.node).state is NodeState.PENDING
    assert world.event_kinds()[-1] == "token-refused"
    assert world.event_kinds().count("token-refused") == 1
    assert not world.nodes.has_heirs(former.id)


def test_who_waits_for_a_rejected_node_is_let_in_when_that_is_removed(world: World) -> None:
    """Nothing stands in the way of the token any more."""
    audience = world.nodes.audience = Recorder()
    former = world.joined()
    world.nodes.revoke(former.id, ADMIN)
    waiting = world.register(twin(former), world.token(), connection=object())
    assert waiting.state is NodeState.PENDING
    world.nodes.remove(former.id, ADMIN)
    assert ("approved", waiting.node, waiting.node) in audience.told
    assert world.nodes.get(waiting.node).state is NodeState.CONNECTING


@in_loop
async def test_a_waiting_node_counts_as_connected_while_it_is(tmp_path: Path) -> None:
    """Each key that registered on a connection, until that connection ends."""
    async with engine_at_work(tmp_path) as engine:
        async with open_link(engine) as connection:
            wire = Wire(connection)
            hello = await wire.hello()
            for number in range(2):
                await wire.call(REGISTER, SimulatedNode(number).register_request(hello.nonce))
            assert [node.connected for node in engine.nodes.list()] == [True, True]
        await eventually(lambda: not any(node.connected for node in engine.nodes.list()))


@in_loop
async def test_a_node_without_state_comes_back_by_its_token(tmp_path: Path) -> None:
    """A real agent with another key finds its former connection still open, and is let in when that ends."""
    hardware = Hardware("Acme", "Server", "S-1", "11111111-2222-3333-4444-555555555555")
    async with engine_at_work(tmp_path / "engine") as engine:
        former = SimulatedNode(1, hardware=hardware)
        await join(engine, node=former)
        (tmp_path / "node").mkdir()
        pins = (engine.pki.active().pin,)
        settings = Settings("", pins, make_token(engine))

        async with open_link(engine, former) as stale:
            wire = Wire(stale)
            await wire.hello()
            await wire.call(HEARTBEAT, former.heartbeat(1.0))
            with linked_node(tmp_path / "node", settings) as node:
                node.node.found = Facts(hostname="node1", boot_id="boot", hardware=hardware)
                node.settings = Settings(f"127.0.0.1:{engine.link_port}", pins, settings.token)
                node.thread.redial()
                await asyncio.to_thread(wait_for, lambda: node.progress.state == "pending")
                assert len(engine.nodes.list()) == 2
                await stale.close()
                await asyncio.to_thread(wait_for, lambda: node.progress.connected)
                assert node.joining.identity.membership().node == former.id
        assert [known.id for known in engine.nodes.list()] == [former.id]
