"""The console's client over a private bus, with the real agent at the other end."""

import threading
from pathlib import Path

import pytest

from nodelib.bus import JOIN, LADDER, STATUS, JoinRequest, Status
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing
from tests.nodeagent.buses import private_bus, running_agent
from tui.bus import BusNode
from tui.client import Signal


def test_calls_errors_and_signals(tmp_path: Path) -> None:
    """A reply is typed, an error is ours, a change is told."""
    heard: list[Signal] = []
    told = threading.Event()

    def hear(signal: Signal) -> None:
        heard.append(signal)
        if isinstance(signal, Status) and signal.engine:
            told.set()

    with running_agent(tmp_path / "bus", tmp_path / "root") as running:
        node = BusNode(running.address)
        node.subscribe(hear)
        try:
            assert node.call(STATUS, Nothing()).result(30).hostname
            assert node.call(LADDER, Nothing()).result(30) is not None
            with pytest.raises(VirtnodeError) as caught:
                node.call(JOIN, JoinRequest("no host", ())).result(30)
            assert caught.value.code is Code.INVALID
            node.call(JOIN, JoinRequest("192.0.2.7", (f"sha256:{'5a' * 32}",))).result(30)
            assert told.wait(30), heard
        finally:
            node.close()


def test_an_agent_that_is_not_there_is_unavailable_until_it_is(tmp_path: Path) -> None:
    """No bus, no agent on it, then an agent: the same client tells each apart and needs no new start."""
    node = BusNode(f"unix:path={tmp_path / 'bus/bus'}")
    try:
        for _ in range(2):
            with pytest.raises(VirtnodeError) as caught:
                node.call(STATUS, Nothing()).result(30)
            assert caught.value.code is Code.UNAVAILABLE
        with private_bus(tmp_path / "bus"), pytest.raises(VirtnodeError) as caught:
            node.call(STATUS, Nothing()).result(30)
        assert caught.value.code is Code.UNAVAILABLE
        with running_agent(tmp_path / "bus", tmp_path / "root"):
            assert node.call(STATUS, Nothing()).result(30).hostname
    finally:
        node.close()
