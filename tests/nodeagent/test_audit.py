"""Every local change reaches the engine: who, what it was and what it is, and no secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nodelib.bus import (
    CONFIG_APPLY,
    CONFIG_CONFIRM,
    CONFIG_REVERT,
    JOIN,
    LEAVE,
    JoinRequest,
    RevertRequest,
)
from nodelib.errors import Code, VirtnodeError
from nodelib.link import ApplyRequest, ConfirmRequest, NodeEvent, Nothing, Severity
from tests.nodeagent.authority import Authority
from tests.nodeagent.buses import RunningAgent, running_agent
from tests.nodeagent.engine_double import EngineDouble, wait_for
from tests.nodeagent.test_link import authority, engine

__all__ = ["authority", "engine"]
NAME = {"system": {"hostname": "rack1.example.org"}}
KEY = "system.hostname"


@pytest.fixture
def joined(tmp_path: Path, engine: EngineDouble, authority: Authority) -> Iterator[RunningAgent]:
    """Run an agent that is joined to the engine."""
    with running_agent(tmp_path / "bus", tmp_path / "root") as running:
        running.client.call(JOIN, JoinRequest(engine.address, (authority.pin,), "vnt_sesame"))
        wait_for(lambda: engine.heartbeats)
        yield running


def heard(engine: EngineDouble, kind: str) -> NodeEvent:
    """Wait until the engine has heard of something."""
    return wait_for(lambda: [one for one in engine.events if one.kind == kind])[-1]


def test_a_change_and_its_confirmation_are_told(joined: RunningAgent, engine: EngineDouble) -> None:
    """The file that changed, then the key that is kept."""
    applied = joined.client.call(CONFIG_APPLY, ApplyRequest(NAME, 60.0))
    joined.client.call(CONFIG_CONFIRM, ConfirmRequest(applied.ticket))
    kept = heard(engine, "config-confirmed")
    assert (kept.actor, kept.before, kept.after) == ("root", {}, {KEY: "rack1.example.org"})
    file = next(one for one in engine.events if one.kind == "config-applied" and "rack1" in one.text)
    assert (file.actor, file.after) == ("root", "rack1.example.org\n")


def test_a_change_that_needs_no_confirmation_is_told(joined: RunningAgent, engine: EngineDouble) -> None:
    """What alters the state alone: the proxy, without the password in it."""
    patch = {"engine": {"proxy": "http://user:pass@127.0.0.1:1"}}
    joined.client.call(CONFIG_APPLY, ApplyRequest(patch, 60.0))
    joined.client.call(CONFIG_APPLY, ApplyRequest({"engine": {"proxy": None}}, 60.0))
    kept = wait_for(lambda: [one for one in engine.events if "engine.proxy" in (one.before or {})])[-1]
    assert (kept.kind, kept.actor, kept.before) == ("config-kept", "root", {"engine.proxy": "(hidden)"})
    assert "pass@" not in str(engine.events)


def test_what_is_put_back_by_hand_is_told(joined: RunningAgent, engine: EngineDouble) -> None:
    """Who did, and what the node went back to."""
    joined.client.call(CONFIG_APPLY, ApplyRequest(NAME, 60.0))
    joined.client.call(CONFIG_REVERT, RevertRequest())
    event = heard(engine, "config-reverted")
    assert (event.actor, event.severity) == ("root", Severity.WARNING)
    assert (event.before, event.after) == ({KEY: "rack1.example.org"}, {})
    assert "it was taken back" in event.text


def test_what_is_put_back_by_time_is_told(joined: RunningAgent, engine: EngineDouble) -> None:
    """Nobody did, and the text says whose change it was."""
    joined.client.call(CONFIG_APPLY, ApplyRequest(NAME, 5.0))
    event = heard(engine, "config-reverted")
    assert event.actor == "node"
    assert event.text.startswith("a change by root was put back, for nobody confirmed it in time")
    assert (event.before, event.after) == ({KEY: "rack1.example.org"}, {})


def test_a_change_that_fails_is_told(joined: RunningAgent, engine: EngineDouble) -> None:
    """It was put back at once, and yet the node was touched."""
    joined.services.refuse = "hostname"
    with pytest.raises(VirtnodeError, match="was refused") as caught:
        joined.client.call(CONFIG_APPLY, ApplyRequest(NAME, 60.0))
    assert caught.value.code is Code.FAILED
    event = heard(engine, "config-failed")
    assert (event.actor, event.severity) == ("root", Severity.WARNING)


def test_joining_and_leaving_are_told(
    joined: RunningAgent, engine: EngineDouble, authority: Authority
) -> None:
    """The engine that is left hears of it before the connection ends; the token is nowhere."""
    join = heard(engine, "join")
    assert (join.actor, join.before) == ("root", {"address": "", "ca": []})
    assert join.after == {"address": engine.address, "ca": [authority.pin]}
    joined.client.call(LEAVE, Nothing())
    leave = next(one for one in engine.events if one.kind == "leave")
    assert (leave.actor, leave.after) == ("root", {"address": "", "ca": []})
    assert "sesame" not in str(engine.events)
