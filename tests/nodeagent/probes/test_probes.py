"""Tests of the network: each sentence, the time it may take, and the engine's proof."""

import errno
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nodeagent.facts.routes import name_servers
from nodeagent.gateway import GatewayFinder
from nodeagent.join_error import JoinError
from nodeagent.ladder_checks import Gateway
from nodeagent.probes.blink import start_blinking
from nodeagent.probes.checks import (
    Network,
    connects,
    probe_dns,
    probe_gateways,
    probe_host,
    read_host,
    too_slow,
)
from nodeagent.probes.deadline import within
from nodeagent.probes.engine import EngineAddress, probe_engine
from nodeagent.probes.ping import checksum, is_answer, make_echo, ping
from nodelib.bus_network import ProbeReply
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.ladder import Step
from tests.nodeagent.authority import Authority
from tests.nodeagent.engine_double import EngineDouble
from tests.nodeagent.machines import Commands
from tests.nodeagent.test_link import authority, engine

__all__ = ["authority", "engine"]
ROUTERS = (Gateway("192.0.2.1", "eth0", True), Gateway("fe80::1", "eth0", False))


def lookup(name: str) -> tuple[str, ...]:
    """Know one name."""
    if name != "host.example.org":
        raise JoinError(Step.DNS, Code.UNAVAILABLE, "unknown")
    return ("192.0.2.7",)


NETWORK = Network(
    gateways=lambda: ROUTERS,
    resolve=lookup,
    ping=lambda address, timeout: None,
    connects=lambda address, port: False,
    clock=lambda: 0.0,
)


def test_gateways_are_asked_by_ping_and_by_their_mac_address() -> None:
    """A router that answers no ping is there all the same; a silent one is a failure."""
    assert probe_gateways(NETWORK) == ProbeReply(
        False,
        "The gateway 192.0.2.1 on eth0 answers. The gateway fe80::1 on eth0 does not answer.",
        "is it the right gateway, and this port in the right VLAN?",
    )
    asked = []

    def answer(address: str, timeout: float) -> float:
        asked.append(address)
        return 0.00123

    found = probe_gateways(replace(NETWORK, ping=answer))
    text = "The gateways 192.0.2.1 on eth0 and fe80::1 on eth0 answer."
    assert found == ProbeReply(True, text, "", 1.2)
    assert asked == ["192.0.2.1", "fe80::1%eth0"]
    assert not probe_gateways(replace(NETWORK, gateways=lambda: ())).ok


def test_default_routers_of_both_families_are_found() -> None:
    """Each is asked, and one that is named twice once."""
    route = {"gateway": "192.0.2.1", "dev": "eth0"}
    commands = Commands(
        {
            ("ip", "-json", "-4", "route", "show", "default"): [route, route, {"dev": "ppp0"}],
            ("ip", "-json", "-6", "route", "show", "default"): [{"gateway": "fe80::1", "dev": "eth0"}],
            ("ip", "-json", "neighbour", "show", "dev", "eth0"): [
                {"dst": "192.0.2.1", "state": ["REACHABLE"]},
                {"dst": "fe80::1", "state": ["FAILED"]},
            ],
        }
    )
    finder = GatewayFinder(commands, provoke=lambda address: None, wait=lambda seconds: None)
    assert finder.find_defaults() == ROUTERS


def test_names_are_looked_up(tmp_path: Path) -> None:
    """Without a name the servers are told, not the local one that asks them."""
    assert not probe_dns("", NETWORK, tmp_path).ok
    path = tmp_path / "run/systemd/resolve/resolv.conf"
    path.parent.mkdir(parents=True)
    path.write_text("# comment\nnameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example.org\n")
    found = probe_dns("", NETWORK, tmp_path)
    assert (found.ok, found.hint) == (True, "give a name to look up")
    assert "192.0.2.53, 2001:db8::53" in found.text
    assert probe_dns("host.example.org", NETWORK, tmp_path).text == "host.example.org is 192.0.2.7."
    wrong = probe_dns("absent.example.org", NETWORK, tmp_path)
    assert (wrong.ok, "192.0.2.53" in wrong.hint) == (False, True)
    path.write_text("nameserver 127.0.0.53\n")
    assert name_servers(tmp_path) == ()


def test_a_host_is_asked_in_two_ways() -> None:
    """By ping, by a connection; and each failure has its sentence."""
    assert not probe_host("absent.example.org", NETWORK).ok
    silent = probe_host("192.0.2.7", NETWORK)
    assert (silent.ok, silent.text) == (False, "192.0.2.7 does not answer.")
    there = probe_host("host.example.org", replace(NETWORK, ping=lambda address, timeout: 0.5))
    assert there == ProbeReply(True, "host.example.org (192.0.2.7) answers.", "", 500.0)
    shy = probe_host("192.0.2.7", replace(NETWORK, connects=lambda address, port: port == 443))
    assert (shy.ok, "port 443 answers" in shy.text) == (True, True)

    def unreachable(address: str, timeout: float) -> float | None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    assert "Network is unreachable" in probe_host("192.0.2.7", replace(NETWORK, ping=unreachable)).text


@pytest.mark.parametrize("text", ["", "a b", "-n", "a..b", "host;x", "a/b", "x" * 64, "é.example.org"])
def test_what_is_no_host_is_refused(text: str) -> None:
    """Nothing of it reaches a resolver."""
    with pytest.raises(InvalidInput):
        read_host(text)


def test_this_machine_answers_a_ping() -> None:
    """A real echo over the loopback, of the family that every machine has."""
    try:
        took = ping("127.0.0.1", 2.0)
    except PermissionError:
        pytest.skip("needs root, or a group that may ping")
    assert took is not None
    assert 0 <= took < 2


def test_a_refusal_of_a_connection_is_an_answer() -> None:
    """A port that nobody listens on is refused by a host that is there."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        assert connects("127.0.0.1", port)
        sock.listen()
        assert connects("127.0.0.1", port)


def test_only_the_own_echo_counts() -> None:
    """With and without IPv4's header; a request is no reply, and another token another's."""
    token = bytes(range(16))
    request = make_echo(socket.AF_INET, 1, 2, token)
    assert checksum(request) == 0
    reply = b"\0" + request[1:]
    assert is_answer(socket.AF_INET, reply, token)
    assert is_answer(socket.AF_INET, b"\x45" + bytes(19) + reply, token)
    assert not is_answer(socket.AF_INET, request, token)
    assert not is_answer(socket.AF_INET, reply, b"x" * 16)
    assert not is_answer(socket.AF_INET, b"", token)
    assert is_answer(socket.AF_INET6, b"\x81" + request[1:], token)


def test_the_engine_proves_itself(engine: EngineDouble, authority: Authority) -> None:
    """The pinned one is told from another, and nothing of this node is said to either."""
    good = probe_engine(EngineAddress(engine.address, (authority.pin,)), 4.0)
    assert (good.ok, "is the pinned one" in good.text, good.milliseconds is not None) == (True, True, True)
    other = probe_engine(EngineAddress(engine.address, (Authority(time.time()).pin,)), 4.0)
    assert (other.ok, "not the pinned one" in other.text) == (False, True)
    assert engine.registrations == []
    assert probe_engine(EngineAddress("", ()), 1.0).text == "No engine is set."
    assert not probe_engine(EngineAddress(engine.address, ()), 1.0).ok
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{sock.getsockname()[1]}"
        assert "refuses connections" in probe_engine(EngineAddress(closed, (authority.pin,)), 1.0).text


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Hold threads that a test starts until its end."""
    event = threading.Event()
    yield event
    event.set()


def test_nobody_waits_for_what_hangs(gate: threading.Event) -> None:
    """An answer in time is returned, an error raised, and what is late becomes a sentence."""
    assert within(5, lambda: 1, "it") == 1
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0, "it")
    with pytest.raises(VirtnodeError, match="the test took more than") as caught:
        within(0.05, gate.wait, "the test")
    assert too_slow(caught.value).text == "The test took more than 0.05 s."
    with pytest.raises(InvalidInput):
        too_slow(InvalidInput(["x"]))


def test_a_port_blinks_while_the_caller_goes_on(tmp_path: Path, gate: threading.Event) -> None:
    """The light is told how long; what the driver says at once is an error."""
    (tmp_path / "sys/class/net/eth0").mkdir(parents=True)
    told = []

    def blink(name: str, seconds: int) -> None:
        told.append((name, seconds))
        gate.wait(30)

    start_blinking(tmp_path, "eth0", 7, blink=blink)
    assert told == [("eth0", 7)]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EOPNOTSUPP, Code.FAILED),
        (errno.ENODEV, Code.NOT_FOUND),
        (errno.EBUSY, Code.BUSY),
        (errno.EPERM, Code.FAILED),
    ],
)
def test_a_driver_may_refuse_to_blink(tmp_path: Path, number: int, code: Code) -> None:
    """Each reason has its code."""
    (tmp_path / "sys/class/net/eth0").mkdir(parents=True)

    def blink(name: str, seconds: int) -> None:
        raise OSError(number, "no")

    with pytest.raises(VirtnodeError) as caught:
        start_blinking(tmp_path, "eth0", 1, blink=blink)
    assert caught.value.code is code


def test_what_cannot_blink_is_refused(tmp_path: Path) -> None:
    """No such port, no such time; and the loopback's driver says so itself."""
    for name in ("eth9", "..", "a/b", ""):
        with pytest.raises(VirtnodeError, match="no link") as caught:
            start_blinking(tmp_path, name, 1)
        assert caught.value.code is Code.NOT_FOUND
    with pytest.raises(InvalidInput):
        start_blinking(Path("/"), "lo", 61)
    with pytest.raises(VirtnodeError) as caught:
        start_blinking(Path("/"), "lo", 1)
    assert caught.value.code is Code.FAILED
