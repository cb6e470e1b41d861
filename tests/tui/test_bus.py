"""The console's client over a private bus, with the real agent at the other end."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import dbus
import pytest

from nodelib.bus import JOIN, LADDER, STATUS, JoinRequest, Status
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing, Verb
from tests.nodeagent.buses import private_bus, running_agent
from tests.tui.sessions import PLAIN, screen_text
from tui.app import ConsoleApp
from tui.bus import BusNode, translate
from tui.client import Signal
from tui.texts import ENGLISH


def test_calls_errors_and_signals(tmp_path: Path) -> None:
    """A reply is typed, an error is ours, a method that an older agent lacks too, a change is told."""
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
            with pytest.raises(VirtnodeError) as caught:
                node.call(Verb("FromTheFuture", Nothing, Nothing), Nothing()).result(30)
            assert caught.value.code is Code.NOT_FOUND
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


def test_the_console_shows_a_node_over_the_bus(tmp_path: Path) -> None:
    """The whole console in front of the real agent."""

    async def wait_for(app: ConsoleApp, pause: Callable[[float], Awaitable[None]], text: str) -> None:
        for _ in range(1000):
            if text in screen_text(app):
                return
            await app.node_watch.refresh()
            await pause(0.02)
        raise AssertionError(screen_text(app))

    async def go() -> None:
        with running_agent(tmp_path / "bus", tmp_path / "root") as running:
            hostname = running.agent.status().hostname
            node = BusNode(running.address)
            app = ConsoleApp(node, PLAIN)
            async with app.run_test(size=(80, 24)) as pilot:
                await wait_for(app, pilot.pause, hostname)
            node.close()

    asyncio.run(go())


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("NoReply", "Did not receive a reply.", "it takes too long"),
        ("NoReply", "Message recipient disconnected from message bus without replying", "it is not running"),
        ("ServiceUnknown", "The name is not activatable", "it is not running"),
    ],
)
def test_an_agent_that_is_slow_is_not_said_to_be_gone(name: str, text: str, said: str) -> None:
    """Whoever reads that it is not running would start it again, and make a busy node busier."""
    error = translate(dbus.exceptions.DBusException(text, name=f"org.freedesktop.DBus.Error.{name}"))
    assert (error.code, error.message) == (Code.UNAVAILABLE, said)


@pytest.mark.parametrize(
    "name", ["AccessDenied", "NoReply", "ServiceUnknown", "UnknownMethod", "LimitsExceeded"]
)
def test_what_the_bus_says_is_said_in_the_catalogues_words(name: str) -> None:
    """Text and hint are in the catalogue, so that another language is another catalogue."""
    error = translate(dbus.exceptions.DBusException("too many", name=f"org.freedesktop.DBus.Error.{name}"))
    known = [text.format(text="too many") for key, text in ENGLISH.items() if key.startswith("bus.")]
    assert error.message in known
    assert error.hint in known
