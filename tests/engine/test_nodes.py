"""What administrators decide, what heartbeats tell, and what time brings."""

import dataclasses
import threading
from collections.abc import Callable

import pytest

from engine.keeper import GLANCE, MOST_KEPT
from engine.node import Node
from engine.simulate import SimulatedNode
from engine.store import event_rows, node_rows
from nodelib.errors import Code, VirtnodeError
from nodelib.link import EventsRequest, Heartbeat, MaintenanceWish, NodeEvent, NodeState, Severity
from tests.engine.test_registration import identity, twin
from tests.engine.worlds import ADMIN, World


class Recorder:
    """Remembers what a link would have been told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def approved(self, waiting: str, node: str) -> None:
        """Remember an approval."""
        self.told.append(("approved", waiting, node))

    def rejected(self, node: str, reason: str) -> None:
        """Remember a rejection."""
        self.told.append(("rejected", node, reason))

    def barred(self, node: str, reason: str) -> None:
        """Remember that a node is barred."""
        self.told.append(("barred", node))


def connect(world: World, node: SimulatedNode) -> object:
    """Have a node connect."""
    connection = object()
    world.nodes.connected(world.nodes.authenticate(*identity(node)), connection)
    return connection


def beat(world: World, node: SimulatedNode, **values: object) -> None:
    """Have a node send a heartbeat."""
    known: dict[str, object] = {
        "time": world.clock(),
        "uptime": 1.0,
        "load": 0.1,
        "memory_available_bytes": 1,
    }
    world.nodes.heartbeat(node.id, Heartbeat(**{**known, **values}))  # type: ignore[arg-type]


def state(world: World, node: SimulatedNode) -> NodeState:
    """Tell a node's state."""
    return world.nodes.get(node.id).state


def stored_state(world: World, node: SimulatedNode) -> str:
    """Tell a node's state as the database knows it."""
    with world.store.read() as connection:
        row = node_rows.find_node(connection, node.id)
    assert row is not None
    return row.state


@pytest.mark.parametrize("spell", ["code", "lower code without dash", "id", "name"])
def test_approving(world: World, spell: str) -> None:
    """A code may be typed as it was read out; a name or an identifier does as well."""
    audience = world.nodes.audience = Recorder()
    node = SimulatedNode()
    found = world.nodes.get(world.register(node).node)
    words = {"code": found.code, "id": found.id, "name": found.name}
    words["lower code without dash"] = found.code.lower().replace("-", "")
    approved = world.nodes.approve(words[spell], ADMIN)
    assert (approved.state, approved.approved_by) == (NodeState.CONNECTING, "tester")
    assert audience.told == [("approved", found.id, found.id)]
    assert world.nodes.issue(found.id).certificate
    assert world.register(node).certificate
    assert world.event_kinds() == ["node-pending", "node-approved"]


def test_approving_twice_is_a_conflict(world: World) -> None:
    """What is decided is decided, and said so."""
    node = world.joined()
    with pytest.raises(VirtnodeError, match="does not wait") as refused:
        world.nodes.approve(node.id, ADMIN)
    assert refused.value.code is Code.CONFLICT


@pytest.mark.parametrize("words", ["", "nobody", "AAAAA-AAAAA", "\0", "\ud800", "x" * 5000])
def test_a_node_that_is_not_there(world: World, words: str) -> None:
    """Whatever is typed gets one line and a hint."""
    with pytest.raises(VirtnodeError, match="there is no node") as refused:
        world.nodes.approve(words, ADMIN)
    assert refused.value.code is Code.NOT_FOUND
    assert refused.value.hint


def test_a_rejected_key_stays_rejected_until_it_is_removed(world: World) -> None:
    """Neither asking again nor a token changes an administrator's mind."""
    audience = world.nodes.audience = Recorder()
    node = SimulatedNode()
    first = world.register(node)
    assert world.nodes.reject(first.node, ADMIN, "not ours\n").reason == "not ours"
    assert audience.told == [("rejected", first.node, "not ours")]
    for token in ("", world.token()):
        reply = world.register(node, token)
        assert (reply.state, reply.reason, reply.certificate) == (NodeState.REJECTED, "not ours", "")
    world.nodes.remove(first.node, ADMIN)
    again = world.register(node)
    assert again.state is NodeState.PENDING
    assert again.node != first.node


def test_revoking(world: World) -> None:
    """Certificate and key are good no more, until the node is removed."""
    audience = world.nodes.audience = Recorder()
    node = world.joined()
    assert world.nodes.revoke(node.id, ADMIN).state is NodeState.REJECTED
    assert audience.told == [("barred", node.id)]
    shown = identity(node)
    with pytest.raises(VirtnodeError, match="revoked"):
        world.nodes.authenticate(*shown)
    assert world.register(node, world.token()).state is NodeState.REJECTED
    world.nodes.remove(node.id, ADMIN)
    with pytest.raises(VirtnodeError, match="revoked"):
        world.nodes.authenticate(*shown)
    assert world.register(node).state is NodeState.PENDING


class InterruptedLock:
    """A lock behind which somebody else waits: they have their say as soon as it is free, once."""

    def __init__(self, interruption: Callable[[], object]) -> None:
        self._interruption: Callable[[], object] | None = interruption
        self._lock = threading.RLock()
        self._depth = 0

    def __enter__(self) -> None:
        """Take it."""
        self._lock.acquire()
        self._depth += 1

    def __exit__(self, *error: object) -> None:
        """Leave it to whoever waits."""
        self._depth -= 1
        free = self._depth == 0
        self._lock.release()
        if free and self._interruption is not None:
            interruption, self._interruption = self._interruption, None
            interruption()


def test_a_registration_does_not_undo_a_revocation(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A revocation that comes while its node registers again is not lost, in memory or in the database."""
    node = world.joined()
    lock = InterruptedLock(lambda: world.nodes.revoke(node.id, ADMIN))
    monkeypatch.setattr(world.nodes, "_deciding", lock)
    world.register(node)
    assert stored_state(world, node) == "rejected"
    world.pass_by(1000)
    assert state(world, node) is NodeState.REJECTED
    assert stored_state(world, node) == "rejected"


def test_removing(world: World) -> None:
    """A removed node's certificate opens nothing, and the log keeps what was."""
    audience = world.nodes.audience = Recorder()
    node = world.joined()
    connect(world, node)
    world.nodes.remove(node.id, ADMIN)
    assert audience.told == [("barred", node.id)]
    with pytest.raises(VirtnodeError):
        world.nodes.authenticate(*identity(node))
    with pytest.raises(VirtnodeError, match="removed"):
        beat(world, node)
    assert world.nodes.list() == ()
    assert world.event_kinds()[-1] == "node-removed"


def test_a_heartbeat_brings_a_node_up(world: World) -> None:
    """Facts and figures are seen at once, and are stored."""
    node = world.joined()
    connect(world, node)
    assert state(world, node) is NodeState.CONNECTING
    facts = dataclasses.replace(node.facts, kernel="6.12")
    beat(world, node, guests=3, facts=facts)
    found = world.nodes.get(node.id)
    assert (found.state, found.reason, found.action) == (NodeState.UP, "", "")
    assert (found.connected, found.last_seen, found.facts.kernel) == (True, world.clock(), "6.12")
    world.pass_by(1)
    assert stored_state(world, node) == "up"
    again: Node = world.restarted().nodes.get(node.id)
    assert again.facts == facts
    assert again.heartbeat is not None
    assert again.heartbeat.guests == 3


def test_heartbeats_are_not_written_one_by_one(world: World) -> None:
    """The database hears of a node that is well once a minute."""
    node = world.joined()
    connect(world, node)
    beat(world, node)
    world.pass_by(1)
    seen = []
    for _ in range(20):
        world.pass_by(10)
        beat(world, node)
        with world.store.read() as connection:
            row = node_rows.find_node(connection, node.id)
        assert row is not None
        seen.append(row.last_seen)
    assert 3 <= len(set(seen)) <= 5


def test_a_tick_stores_what_changed_of_all_nodes(world: World) -> None:
    """They are looked at by fifties and stored by hundreds; none is left out, and none is stored twice."""
    nodes = [SimulatedNode(number) for number in range(2 * MOST_KEPT + GLANCE // 2)]
    token = world.token(uses=len(nodes))
    for node in nodes:
        world.register(node, token)
        connect(world, node)
        beat(world, node)
    before = len(world.event_kinds())
    world.pass_by(1)
    with world.store.read() as connection:
        assert node_rows.count_nodes(connection, NodeState.UP) == len(nodes)
    assert world.event_kinds()[before:] == ["node-state"] * len(nodes)


def test_problems_make_a_node_non_operational(world: World) -> None:
    """The reason says what the node said, and it is remembered after it is over."""
    node = world.joined()
    connect(world, node)
    beat(world, node, healthy=False, problems=("libvirtd failed",))
    found = world.nodes.get(node.id)
    assert (found.state, found.reason) == (NodeState.NON_OPERATIONAL, "libvirtd failed")
    world.pass_by(1)
    beat(world, node)
    world.pass_by(1)
    found = world.nodes.get(node.id)
    assert (found.state, found.last_error) == (NodeState.UP, "libvirtd failed")
    with world.store.read() as connection:
        texts = [one.text for one in event_rows.list_events(connection, newest_first=False)]
    assert texts[-2:] == ["sim-00000 is non-operational: libvirtd failed", "sim-00000 is up"]


def test_a_lost_node_has_its_grace(world: World) -> None:
    """Connecting first, unreachable after 60 s and half a second for each guest, and nothing is deleted."""
    node = world.joined()
    connection = connect(world, node)
    beat(world, node, guests=20)
    world.nodes.disconnected(node.id, connection)
    assert state(world, node) is NodeState.CONNECTING
    world.pass_by(69.9)
    assert state(world, node) is NodeState.CONNECTING
    world.pass_by(0.2)
    found = world.nodes.get(node.id)
    assert found.state is NodeState.UNREACHABLE
    assert found.last_error
    connect(world, node)
    assert state(world, node) is NodeState.CONNECTING
    beat(world, node)
    assert state(world, node) is NodeState.UP


def test_after_a_start_no_node_becomes_unreachable_for_a_while(world: World) -> None:
    """An engine that was away for long does not blame the nodes for it."""
    node = world.joined()
    connect(world, node)
    beat(world, node)
    world.pass_by(1)
    world.clock.pass_by(86400)
    world.steady.pass_by(86400)
    again = world.restarted()
    assert state(again, node) is NodeState.CONNECTING
    again.pass_by(299)
    assert state(again, node) is NodeState.CONNECTING
    again.pass_by(2)
    assert state(again, node) is NodeState.UNREACHABLE


def test_maintenance_stays_across_reconnects_and_restarts(world: World) -> None:
    """Only an administrator ends it."""
    node = world.joined()
    connection = connect(world, node)
    beat(world, node)
    assert world.nodes.deactivate(node.id, ADMIN).state is NodeState.MAINTENANCE
    world.nodes.disconnected(node.id, connection)
    world.pass_by(10_000)
    assert state(world, node) is NodeState.MAINTENANCE
    again = world.restarted()
    connect(again, node)
    beat(again, node)
    assert state(again, node) is NodeState.MAINTENANCE
    assert again.nodes.activate(node.id, ADMIN).state is NodeState.UP
    for decide in (again.nodes.activate, again.nodes.approve):
        with pytest.raises(VirtnodeError) as refused:
            decide(node.id, ADMIN)
        assert refused.value.code is Code.CONFLICT


def test_maintenance_may_be_asked_for_at_the_node(world: World) -> None:
    """It is the same as an administrator's word, and the log says who asked."""
    node = world.joined()
    connect(world, node)
    beat(world, node)
    world.nodes.wish_maintenance(node.id, MaintenanceWish(True, "anna\n"))
    assert state(world, node) is NodeState.MAINTENANCE
    with pytest.raises(VirtnodeError) as refused:
        world.nodes.wish_maintenance(node.id, MaintenanceWish(True))
    assert refused.value.code is Code.CONFLICT
    world.nodes.wish_maintenance(node.id, MaintenanceWish(False, "anna"))
    assert state(world, node) is NodeState.UP
    assert world.event_kinds()[-3:].count("node-activated") == 1
    with world.store.read() as connection:
        events = event_rows.list_events(connection, limit=100)
    actors = {one.actor for one in events if one.kind in ("node-activated", "node-deactivated")}
    assert all("anna" in actor and "\n" not in actor for actor in actors)


def test_maintenance_is_for_nodes_that_were_let_in(world: World) -> None:
    """A waiting node is decided about first."""
    waiting = world.register(SimulatedNode())
    with pytest.raises(VirtnodeError, match="is pending"):
        world.nodes.deactivate(waiting.node, ADMIN)


def test_a_reboot_that_was_asked_for(world: World) -> None:
    """The node is expected back for a while; a heartbeat before it went down does not end that."""
    node = world.joined()
    connection = connect(world, node)
    beat(world, node)
    world.nodes.note_reboot(node.id, ADMIN)
    beat(world, node)
    assert state(world, node) is NodeState.REBOOTING
    world.nodes.disconnected(node.id, connection)
    world.pass_by(200)
    assert state(world, node) is NodeState.REBOOTING
    connect(world, node)
    beat(world, node)
    assert state(world, node) is NodeState.UP


def test_a_reboot_without_return(world: World) -> None:
    """After its time the node is unreachable, and the reason says why."""
    node = world.joined()
    connection = connect(world, node)
    world.nodes.note_reboot(node.id, ADMIN)
    world.nodes.disconnected(node.id, connection)
    world.pass_by(601)
    found = world.nodes.get(node.id)
    assert found.state is NodeState.UNREACHABLE
    assert "reboot" in found.reason


def test_the_end_of_a_replaced_connection_changes_nothing(world: World) -> None:
    """The second connection counts from its start."""
    node = world.joined()
    first = connect(world, node)
    connect(world, node)
    beat(world, node)
    world.nodes.disconnected(node.id, first)
    assert state(world, node) is NodeState.UP


def test_a_taken_over_node_closes_the_former_connection(world: World) -> None:
    """An administrator's word reaches even a former node that is connected."""
    audience = world.nodes.audience = Recorder()
    former = world.joined()
    connect(world, former)
    waiting = world.register(twin(former))
    world.nodes.approve(waiting.node, ADMIN, replace=True)
    assert audience.told == [("barred", former.id), ("approved", waiting.node, former.id)]


def test_a_nodes_own_events_count_once(world: World) -> None:
    """A report that is repeated, or says a thing twice, changes nothing."""
    node = world.joined()
    event = NodeEvent("boot-1/7", world.clock(), Severity.WARNING, "root", "unit-failed", "a\0b failed")
    other = dataclasses.replace(event, identifier="boot-1/8", before={"x": 1})
    for events in ((event, event), (event, other), ()):
        world.nodes.report_events(node.id, EventsRequest(events))
    with world.store.read() as connection:
        found = event_rows.list_events(connection, node_id=node.id, newest_first=False)
    own = [one for one in found if one.actor == f"node:{node.id}/root"]
    assert [(one.identifier, one.text, one.before) for one in own] == [
        ("boot-1/7", "a b failed", None),
        ("boot-1/8", "a b failed", '{"x": 1}'),
    ]


def test_events_are_forgotten_in_time(world: World) -> None:
    """The log has a bound, looked at once an hour."""
    world.joined()
    world.set("max_events", "1")
    world.pass_by(3601)
    assert len(world.event_kinds()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("rekey", "always"), ("max_pending", "many"), ("max_pending", "0"), ("certificate_days", "1e999")],
)
def test_a_wrong_setting_is_refused(world: World, name: str, value: str) -> None:
    """It gets one line, and the setting stays."""
    before = world.nodes.settings
    with pytest.raises(VirtnodeError) as refused:
        world.set(name, value)
    assert refused.value.code is Code.INVALID
    assert world.nodes.settings == before
    with pytest.raises(VirtnodeError, match="there is no setting"):
        world.set("nonsense", "1")
