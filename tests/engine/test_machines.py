"""One key on two machines: a copied state disk, or a node that moved; nobody comes in unnoticed."""

import dataclasses

import pytest

from engine.simulate import SimulatedNode
from engine.store import event_rows
from nodelib.errors import VirtnodeError
from nodelib.facts import Facts, Hardware, Nic
from nodelib.link import MaintenanceWish, NodeState
from tests.engine.test_nodes import beat, connect, state
from tests.engine.worlds import ADMIN, World

OTHER = Hardware("Acme", "Server", "S-2", "22222222-2222-3333-4444-555555555555")


def warnings(world: World) -> list[str]:
    """List what the log says of machines."""
    with world.store.read() as connection:
        events = event_rows.list_events(connection, limit=1000, newest_first=False)
    return [one.text for one in events if one.kind == "node-machine"]


def on_other_machine(node: SimulatedNode) -> Facts:
    """Take a node's facts to another machine."""
    return dataclasses.replace(node.facts, hardware=OTHER)


def test_a_copied_disk_is_told(world: World) -> None:
    """Both machines are named once, in the log and in the node's reason, however they take turns."""
    node = world.joined()
    connect(world, node)
    beat(world, node, facts=node.facts)
    assert state(world, node) is NodeState.UP
    for _ in range(3):
        connect(world, node)
        beat(world, node, facts=on_other_machine(node))
        world.pass_by(1)
        connect(world, node)
        beat(world, node, facts=node.facts)
        world.pass_by(1)
        found = world.nodes.get(node.id)
        assert found.state is NodeState.NON_OPERATIONAL
        for word in ("S-2", OTHER.uuid, node.facts.hardware.serial):
            assert word in found.reason
        assert "new-key" in found.action
    (warning,) = warnings(world)
    assert "S-2" in warning
    assert node.facts.hardware.serial in warning
    assert "took the place of a connection" in warning


def test_a_copy_that_registers_is_told(world: World) -> None:
    """A copy without a certificate registers with the known key, and is noticed before a heartbeat."""
    node = world.joined()
    hardware, node.facts = node.facts.hardware, on_other_machine(node)
    assert world.register(node).certificate
    world.pass_by(1)
    assert len(warnings(world)) == 1
    connect(world, node)
    beat(world, node, facts=node.facts)
    assert state(world, node) is NodeState.NON_OPERATIONAL
    assert hardware.serial in world.nodes.get(node.id).reason


def test_a_node_that_moved_is_accepted_by_an_administrator(world: World) -> None:
    """Not by the node itself; then the other machine is the right one, also after a restart."""
    node = world.joined()
    connect(world, node)
    beat(world, node, facts=on_other_machine(node))
    for on in (True, False):
        world.nodes.wish_maintenance(node.id, MaintenanceWish(on, "root"))
    assert state(world, node) is NodeState.NON_OPERATIONAL
    assert world.nodes.activate(node.id, ADMIN).state is NodeState.UP
    with pytest.raises(VirtnodeError, match="active already"):
        world.nodes.activate(node.id, ADMIN)
    again = world.restarted()
    connect(again, node)
    beat(again, node, facts=on_other_machine(node))
    again.pass_by(1)
    assert state(again, node) is NodeState.UP
    assert len(warnings(again)) == 1
    beat(again, node, facts=node.facts)
    assert state(again, node) is NodeState.NON_OPERATIONAL


@pytest.mark.parametrize("hardware", [Hardware(serial="", uuid="x"), Hardware(serial="S-9", uuid="")])
def test_what_is_not_known_is_no_other_machine(world: World, hardware: Hardware) -> None:
    """Firmware tables that cannot be read, and new NICs, change nothing."""
    node = world.joined()
    connect(world, node)
    nics = (Nic("eno9", "physical", "52:54:00:00:00:09"),)
    beat(world, node, facts=dataclasses.replace(node.facts, nics=nics))
    assert state(world, node) is NodeState.UP
    beat(world, node, facts=dataclasses.replace(node.facts, hardware=hardware))
    world.pass_by(1)
    assert state(world, node) is NodeState.UP
    assert warnings(world) == []


def test_who_is_there_now_is_accepted(world: World) -> None:
    """The copy got a key of its own; the machine that was let in stays the right one."""
    node = world.joined()
    connect(world, node)
    beat(world, node, facts=on_other_machine(node))
    connect(world, node)
    beat(world, node, facts=node.facts)
    assert state(world, node) is NodeState.NON_OPERATIONAL
    assert world.nodes.activate(node.id, ADMIN).state is NodeState.UP
    beat(world, node, facts=node.facts)
    world.pass_by(1)
    assert state(world, node) is NodeState.UP
    assert len(warnings(world)) == 1
