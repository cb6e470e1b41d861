"""The border: no number of a node, however it lies, gets any further than a reader can follow."""

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.node_state import Graces, Situation, Verdict, judge
from engine.simulate import SimulatedNode
from engine.store import node_rows
from engine.store.database import Store
from engine.store.node_rows import NodeRow
from engine.wire import LARGEST_WHOLE, LATEST, _bounded, bound_time, read_from_node
from nodelib.bus_update import UpdateView
from nodelib.codec import encode, parse_json, to_json
from nodelib.errors import VirtnodeError
from nodelib.facts import Facts
from nodelib.jsonrpc import parse_message
from nodelib.link import ArchivePart, EventsRequest, Heartbeat, NodeState, RegisterRequest
from nodelib.link_update import PackagesReply
from tests.engine.numbers import EXTREMES, Json, example, number_paths, numbers, with_number
from tests.engine.test_nodes import beat, connect, state
from tests.engine.worlds import NONCE, World

KINDS: tuple[type[Any], ...] = (Heartbeat, RegisterRequest, EventsRequest, Facts, UpdateView, PackagesReply)
PLACES = [(kind, path) for kind in KINDS for path in number_paths(example(kind))]


def said(document: object) -> Json:
    """Send a document and read it, as the link does."""
    return parse_json(json.dumps(document))


def test_the_examples_have_every_number() -> None:
    """What is tried below grows with the protocol."""
    names = {path[-1] for _, path in PLACES}
    assert {"guests", "uptime", "booted_at", "speed_mbps", "size_bytes", "since", "time", "percent"} <= names


@pytest.mark.parametrize(("kind", "path"), PLACES, ids=lambda one: str(one).replace(" ", ""))
def test_a_number_out_of_bounds_is_brought_back_or_refused(kind: type[Any], path: tuple[str | int]) -> None:
    """Each field of the protocol, with each extreme."""
    for extreme in EXTREMES:
        try:
            found = read_from_node(kind, said(with_number(example(kind), path, extreme)))
        except VirtnodeError:
            continue
        free = "before" in path or "after" in path
        for number in numbers(found):
            assert math.isfinite(number)
            assert -LATEST * 1e5 < number <= LATEST * 1e5
            assert number >= 0 or free


@settings(max_examples=200, deadline=None)
@given(
    whole=st.integers(),
    other=st.floats(),
    past=st.integers(min_value=-(10**4000), max_value=10**4000),
)
def test_any_number_is_bounded(whole: int, other: float, past: int) -> None:
    """Whatever it is: whole ones stay whole, small ones stay what they are."""
    beat = Heartbeat(time=other, uptime=other, load=other, memory_available_bytes=whole, guests=past)
    found = read_from_node(Heartbeat, encode(beat))
    assert 0 <= found.guests <= LARGEST_WHOLE
    assert 0 <= found.memory_available_bytes <= LARGEST_WHOLE
    assert 0 <= found.load <= LATEST
    if 0 <= whole <= LARGEST_WHOLE:
        assert found.memory_available_bytes == whole
    if 0 <= other <= LATEST:
        assert found.load == other


@pytest.mark.parametrize("extreme", EXTREMES)
def test_a_heartbeat_of_lies_breaks_nothing(world: World, extreme: float) -> None:
    """The liar and its neighbour are judged on, listed, stored, and known after a restart."""
    liar, neighbour = world.joined(1), world.joined(2)
    connection = connect(world, liar)
    connect(world, neighbour)
    document = example(Heartbeat) | {"healthy": True}
    for path in number_paths(document):
        try:
            heartbeat = read_from_node(Heartbeat, said(with_number(document, path, extreme)))
        except VirtnodeError:
            continue
        world.nodes.heartbeat(liar.id, heartbeat)
        assert len(world.nodes.list()) == 2
    world.pass_by(61)
    beat(world, neighbour)
    again = world.restarted()
    assert len(again.nodes.list()) == 2
    world.nodes.disconnected(liar.id, connection)
    world.pass_by(700)
    assert state(world, liar) is NodeState.UNREACHABLE


def test_what_was_stored_without_bounds_is_read_with_them(world: World) -> None:
    """An engine starts over such rows, and shows all nodes."""
    bad, worse = world.joined(1), world.joined(2)
    beats = {
        bad.id: Heartbeat(time=-1e300, uptime=1e300, load=0, memory_available_bytes=1, guests=10**309),
        worse.id: "[[[",
    }
    with world.store.write() as connection:
        for node, heartbeat in beats.items():
            text = heartbeat if isinstance(heartbeat, str) else to_json(heartbeat)
            node_rows.update_node(connection, node, heartbeat=text)
        node_rows.update_node(connection, worse.id, facts='{"cpu": 7}', ladder="{}")
    again = world.restarted()
    assert [node.id for node in again.nodes.list()] == [bad.id, worse.id]
    again.pass_by(5000)
    assert [node.state for node in again.nodes.list()] == [NodeState.UNREACHABLE] * 2
    assert again.nodes.get(worse.id).facts == Facts()


def test_one_node_that_cannot_be_judged_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays what it was, the log says so once, and the others go on."""
    odd, good = world.joined(1), world.joined(2)
    for node in (odd, good):
        connect(world, node)
        beat(world, node)
    world.pass_by(1)

    def judge_all_but_one(now: Situation, graces: Graces) -> Verdict:
        if now.guests == 13:
            raise OverflowError
        return judge(now, graces)

    monkeypatch.setattr("engine.presence.judge", judge_all_but_one)
    beat(world, odd, guests=13)
    beat(world, good, healthy=False)
    world.pass_by(1)
    world.pass_by(1)
    states = {node.id: node.state for node in world.nodes.list()}
    assert states == {odd.id: NodeState.UP, good.id: NodeState.NON_OPERATIONAL}
    assert stored_states(world.store) == {"up", "non-operational"}
    assert caplog.text.count("does not follow") == 1


def stored_states(store: Store) -> set[str]:
    """Tell the states that the database knows."""
    with store.read() as connection:
        rows: tuple[NodeRow, ...] = node_rows.list_nodes(connection)
    return {row.state for row in rows}


def test_a_registration_of_lies_breaks_nothing(world: World) -> None:
    """Facts and ladder with numbers out of bounds are kept within them."""
    node = SimulatedNode()
    request = node.register_request(NONCE)
    facts = {**example(Facts), "hardware": encode(node.facts.hardware)}
    for path in number_paths(facts):
        facts = with_number(facts, path, 10**308)
    document = encode(request) | {"facts": facts, "ladder": example(RegisterRequest)["ladder"]}
    document["ladder"][0]["since"] = 1e300
    world.nodes.register(read_from_node(RegisterRequest, said(document)), NONCE, "192.0.2.1")
    (listed,) = world.nodes.list()
    assert listed.facts.memory.total_bytes == LARGEST_WHOLE
    assert listed.ladder[0].since == LATEST


def test_what_is_compared_anyway_is_left_alone() -> None:
    """A part of an archive is refused by its own rules; another offset would begin it anew."""
    part = read_from_node(ArchivePart, {"digest": "", "size_bytes": -1, "offset": -1, "data": ""})
    assert (part.size_bytes, part.offset) == (-1, -1)


def test_events_keep_their_negative_numbers() -> None:
    """What was before and after is the node's own, and may be below zero."""
    event = {**example(EventsRequest)["events"][0], "before": -5, "after": {"x": [-(10**400), 1.5]}}
    (found,) = read_from_node(EventsRequest, {"events": [event]}).events
    assert (found.before, found.after) == (-5, {"x": [-LARGEST_WHOLE, 1.5]})


def test_what_is_nested_without_end_is_refused() -> None:
    """It gets an error like any other mistake."""
    deep: object = 1
    for _ in range(990):
        deep = [deep]
    event = {**example(EventsRequest)["events"][0], "before": deep}
    with pytest.raises(VirtnodeError, match="nested"):
        read_from_node(EventsRequest, {"events": [event]})


def test_the_number_of_a_call_is_bounded() -> None:
    """An answer repeats it, so it must be one that can be written."""
    call = {"jsonrpc": "2.0", "method": "heartbeat", "params": {}, "id": 10**400}
    with pytest.raises(VirtnodeError, match="id of a message"):
        parse_message(json.dumps(call))


def test_a_time_can_always_be_written() -> None:
    """Too early, too late, and none at all."""
    assert [bound_time(one) for one in (-1e300, 1e300, float("nan"), 5.5)] == [0.0, LATEST, 0.0, 5.5]


def test_nothing_that_is_right_is_changed() -> None:
    """A heartbeat as nodes send it is the same afterwards."""
    node = SimulatedNode()
    beat = dataclasses.replace(node.heartbeat(1.0, with_facts=True), guests=3)
    assert read_from_node(Heartbeat, said(encode(beat))) == beat
    assert _bounded(beat) is beat
