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
from nodelib.bus_storage import ISCSI_LOGIN, ISCSI_LOGOUT, IscsiLoginRequest, IscsiLogoutRequest
from nodelib.bus_system import FACTORY_RESET, POWER, PowerDeed, PowerRequest, ResetRequest
from nodelib.errors import Code, VirtnodeError
from nodelib.link import ApplyRequest, ConfirmRequest, NodeEvent, Nothing, Severity
from tests.nodeagent.authority import Authority
from tests.nodeagent.buses import RunningAgent, running_agent
from tests.nodeagent.engine_double import EngineDouble, wait_for
from tests.nodeagent.storage.commands import FakeCommand
from tests.nodeagent.test_link import authority, engine

__all__ = ["authority", "engine"]
NAME = {"system": {"hostname": "rack1.example.org"}}
KEY = "system.hostname"
TARGET = "iqn.2026-01.org.example:vol1"


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


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put programs on the path that do nothing, and leave an iSCSI record as the real one does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin")
    iscsiadm = FakeCommand(folder, "iscsiadm")
    record = tmp_path / "root/etc/iscsi/nodes" / TARGET / "192.0.2.9,3260"
    iscsiadm.on("new", files={str(record): "# BEGIN RECORD\n# END RECORD\n"})
    FakeCommand(folder, "systemctl")
    return folder


def test_sessions_with_an_array_are_told(programs: Path, joined: RunningAgent, engine: EngineDouble) -> None:
    """Target and portal, at the login and at the logout; the password is nowhere."""
    session = {"target": TARGET, "portal": "192.0.2.9"}
    nothing = {"target": "", "portal": ""}
    secret = "sesame-and-more"
    joined.client.call(ISCSI_LOGIN, IscsiLoginRequest(**session, user="chap", password=secret))
    login = heard(engine, "iscsi-login")
    assert (login.actor, login.before, login.after) == ("root", nothing, session)
    joined.client.call(ISCSI_LOGOUT, IscsiLogoutRequest(**session))
    logout = heard(engine, "iscsi-logout")
    assert (logout.actor, logout.before, logout.after) == ("root", session, nothing)
    assert secret not in str(engine.events)


def test_how_the_node_ends_is_told_before_it_does(
    programs: Path, joined: RunningAgent, engine: EngineDouble
) -> None:
    """A restart and a reset: the engine has heard of it when the call returns."""
    guests = joined.agent.root / "run/libvirt/qemu"
    for path in guests.glob("*.pid"):
        path.unlink()
    joined.client.call(POWER, PowerRequest(PowerDeed.REBOOT))
    end = next(one for one in engine.events if one.kind == "reboot")
    assert (end.actor, end.before, end.after) == ("root", {"machine": "running"}, {"machine": "restarting"})
    joined.client.call(FACTORY_RESET, ResetRequest("node1.example.org"))
    reset = next(one for one in engine.events if one.kind == "factory-reset")
    assert reset.before == {"hostname": "node1.example.org", "engine": engine.address}
    assert reset.after == {"hostname": "", "engine": ""}
