"""What the engine decided stays the engine's: shown as such over a restart, and free once it is left."""

import re
from pathlib import Path

import pytest

from nodeagent.decided import RECORD, Deciding, decide, read_decided
from nodeagent.intent_sources import STATE
from nodeagent.tree_files import TreeFiles
from nodelib.bus import (
    CONFIG_APPLY,
    CONFIG_PLAN,
    CONFIG_SHOW,
    ENGINE_ORIGIN,
    JOIN,
    LEAVE,
    JoinRequest,
    PlanRequest,
)
from nodelib.errors import Code, VirtnodeError
from nodelib.link import APPLY_CONFIG, CONFIRM_CONFIG, GET_CONFIG, ApplyRequest, ConfirmRequest, Nothing
from nodelib.places import Place, at
from tests.nodeagent.authority import Authority
from tests.nodeagent.buses import running_agent
from tests.nodeagent.engine_double import EngineDouble, wait_for
from tests.nodeagent.test_applier import Node
from tests.nodeagent.test_control import PIN, control
from tests.nodeagent.test_link import authority, engine

__all__ = ["authority", "engine"]
NAME = {"system": {"hostname": "rack1.example.org"}}
KEY = "system.hostname"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """Make a node whose name the engine decided."""
    made = Node(tmp_path)
    made.applier.confirm(made.applier.apply(NAME, 60, "engine", Deciding.ENGINE).ticket)
    return made


def test_what_the_engine_decided_is_shown_as_such_after_a_reboot(node: Node) -> None:
    """Both before and after another start; what people decide beside it is theirs."""
    node.applier.confirm(node.applier.apply({"dns": {"servers": ["192.0.2.53"]}}, 60, "root").ticket)
    for applier in (node.applier, node.start(), node.reboot()):
        origins = applier.load().origins
        assert (origins[KEY], origins["dns.servers"]) == (ENGINE_ORIGIN, f"/{STATE}")


def test_nobody_here_changes_it(node: Node) -> None:
    """Neither another value, nor none, nor a table without it; the same value is no change."""
    for patch in ({"system": {"hostname": "mine"}}, {"system": {"hostname": None}}, {"system": None}):
        with pytest.raises(VirtnodeError, match=f"decided by the engine: {KEY}") as caught:
            node.applier.apply(patch, 60, "root")
        assert caught.value.code is Code.CONFLICT
        assert at(Place.LEAVE) in caught.value.hint
        with pytest.raises(VirtnodeError, match="decided by the engine"):
            node.applier.preview(patch)
    assert node.applier.apply(NAME, 60, "root").ticket == ""
    assert node.applier.load().origins[KEY] == ENGINE_ORIGIN


def test_what_is_put_back_was_never_decided(tmp_path: Path) -> None:
    """Until it is confirmed, and after nobody did, the key is free."""
    node = Node(tmp_path)
    node.applier.apply(NAME, 60, "engine", Deciding.ENGINE)
    assert read_decided(TreeFiles(tmp_path)) == ()
    node.clock.now += 61
    assert node.applier.tick() is not None
    node.applier.confirm(node.applier.apply({"system": {"hostname": "mine"}}, 60, "root").ticket)
    assert node.applier.load().origins[KEY] == f"/{STATE}"


def test_the_engine_takes_a_key_over_and_gives_it_back(node: Node) -> None:
    """What it changes again stays its own; what it takes away is anybody's."""
    again = node.applier.apply({"system": {"hostname": "rack2"}}, 60, "engine", Deciding.ENGINE)
    node.applier.confirm(again.ticket)
    assert read_decided(TreeFiles(node.root)) == (KEY,)
    gone = node.applier.apply({"system": {"hostname": None}}, 60, "engine", Deciding.ENGINE)
    node.applier.confirm(gone.ticket)
    assert not (node.root / RECORD).exists()
    assert node.applier.apply({"system": {"hostname": "mine"}}, 60, "root").ticket


def test_what_needs_no_confirmation_is_the_engines_at_once(node: Node) -> None:
    """A key that changes no file: there is nothing to confirm."""
    proxy = {"engine": {"proxy": "http://192.0.2.9:3128"}}
    assert node.applier.apply(proxy, 60, "engine", Deciding.ENGINE).ticket == ""
    assert node.start().load().origins["engine.proxy"] == ENGINE_ORIGIN
    with pytest.raises(VirtnodeError, match="decided by the engine"):
        node.applier.apply({"engine": {"proxy": None}}, 60, "root")


def test_naming_another_engine_frees_what_the_last_one_decided(node: Node) -> None:
    """Also by way of the configuration."""
    node.applier.apply({"engine": {"address": "other.example.org"}}, 60, "root")
    assert node.applier.load().origins[KEY] == f"/{STATE}"
    assert node.applier.apply({"system": {"hostname": "mine"}}, 60, "root").ticket


def test_a_record_that_cannot_be_read_is_none(node: Node) -> None:
    """A node does not refuse its people for a broken file."""
    (node.root / RECORD).write_text("{broken")
    assert node.applier.load().origins[KEY] == f"/{STATE}"
    assert node.applier.apply({"system": {"hostname": "mine"}}, 60, "root").ticket


def test_a_list_is_decided_whole() -> None:
    """Its items have no names of their own."""
    before, patch = {"dns": {"servers": ["a"]}}, {"dns": {"servers": ["a", "b"]}}
    kept = decide(Deciding.ENGINE, (), patch, before=before, after=patch)
    assert kept == ("dns.servers",)
    with pytest.raises(VirtnodeError, match=r"dns\.servers"):
        decide(Deciding.PEOPLE, kept, before, before=patch, after=before)


def test_the_console_sees_and_respects_it_until_the_engine_is_left(
    tmp_path: Path, engine: EngineDouble, authority: Authority
) -> None:
    """Over link and bus: applied, confirmed, shown, refused, left, changed."""
    mine = ApplyRequest({"system": {"hostname": "mine.example.org"}}, 60.0)
    with running_agent(tmp_path / "bus", tmp_path / "root") as running:
        assert control(running.address, "join", engine.address, "--ca", authority.pin).status == 0
        wait_for(lambda: engine.heartbeats)
        reply = engine.call(APPLY_CONFIG, ApplyRequest(NAME, 60.0))
        engine.call(CONFIRM_CONFIG, ConfirmRequest(reply.ticket))
        assert running.client.call(CONFIG_SHOW, Nothing()).origins[KEY] == ENGINE_ORIGIN
        assert engine.call(GET_CONFIG, Nothing()).origins[KEY] == ENGINE_ORIGIN
        shown = control(running.address, "config", "show").out
        assert re.search(rf"^{re.escape(KEY)} = .rack1.example.org. +# engine$", shown, re.MULTILINE)
        with pytest.raises(VirtnodeError, match="decided by the engine") as caught:
            running.client.call(CONFIG_APPLY, mine)
        assert (caught.value.code, "leave" in caught.value.hint) == (Code.CONFLICT, True)
        with pytest.raises(VirtnodeError, match="decided by the engine"):
            running.client.call(CONFIG_PLAN, PlanRequest(mine.patch))
        running.client.call(LEAVE, Nothing())
        assert running.client.call(CONFIG_SHOW, Nothing()).origins[KEY] == f"/{STATE}"
        assert running.client.call(CONFIG_APPLY, mine).ticket


def test_joining_another_engine_frees_it(tmp_path: Path) -> None:
    """What the former one decided is nobody's; the same engine once more changes nothing."""
    with running_agent(tmp_path / "bus", tmp_path / "root") as running:
        running.client.call(JOIN, JoinRequest("127.0.0.1:1", (PIN,)))
        reply = running.agent.engine_side.apply_config(ApplyRequest(NAME, 60.0))
        running.agent.engine_side.confirm_config(reply.ticket)
        running.client.call(JOIN, JoinRequest("127.0.0.1:1", (PIN,), "vnt_another"))
        assert running.client.call(CONFIG_SHOW, Nothing()).origins[KEY] == ENGINE_ORIGIN
        running.client.call(JOIN, JoinRequest("127.0.0.1:2", (PIN,)))
        assert running.client.call(CONFIG_SHOW, Nothing()).origins[KEY] == f"/{STATE}"
