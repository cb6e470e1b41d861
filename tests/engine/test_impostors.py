"""Strangers who lie, flood and send garbage, over real sockets: the engine says no, and goes on."""

import asyncio
import contextlib
import dataclasses
import json
import socket
import ssl
import time
import warnings
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from engine.link_server import Limits
from engine.pki import Pki, read_csr
from engine.serve import Engine
from engine.simulate import SimulatedNode, Wire, dial, node_context, register
from nodelib.codec import encode
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Hardware
from nodelib.jsonrpc import Reply, Request, dump_request
from nodelib.link import (
    HEARTBEAT,
    MAX_FRAME,
    NODE_CALLS,
    REGISTER,
    REPORT_EVENTS,
    EventsRequest,
    NodeState,
    Nothing,
    Verb,
)
from tests.engine.links import closing, join, make_token, open_link
from tests.engine.worlds import START, engine_at_work, eventually, in_loop

GARBAGE = (
    "",
    "nonsense",
    "[]",
    "{}",
    "null",
    '{"jsonrpc": "2.0"}',
    '{"jsonrpc": "2.0", "method": 7, "id": 1}',
    '{"jsonrpc": "2.0", "method": "heartbeat", "params": [], "id": 1}',
    '{"jsonrpc": "2.0", "method": "register", "params": {"csr": NaN}, "id": 1}',
    '{"jsonrpc": "2.0", "method": "register", "params": {"protocol": "1"}, "id": 1}',
    '{"jsonrpc": "2.0", "method": "\\ud800", "id": true}',
    "[" * 100_000,
    b"\xff\xfe\x00",
)


def anything(name: str) -> Verb[dict[str, str], Nothing]:
    """Say whatever one likes where a verb's request belongs."""
    return Verb(name, dict[str, str], Nothing)


async def works(engine: Engine) -> None:
    """See that a good node is still served."""
    node = await join(engine, 77)
    async with open_link(engine, node) as connection:
        wire = Wire(connection)
        await wire.hello()
        assert (await wire.call(HEARTBEAT, node.heartbeat(1.0))).state is NodeState.UP


@pytest.mark.parametrize("message", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_answered_with_an_error(tmp_path: Path, message: str | bytes) -> None:
    """Each gets one clear error; the third closes the connection; nobody else notices."""

    @in_loop
    async def run() -> None:
        async with engine_at_work(tmp_path) as engine:
            async with open_link(engine) as connection:
                wire = Wire(connection)
                await wire.hello()
                for _ in range(3):
                    await connection.send(message)
                    reply = await wire.receive()
                    assert isinstance(reply, Reply)
                    assert reply.error is not None
                    assert reply.error.code in (Code.INVALID, Code.NOT_FOUND, Code.DENIED)
                assert "mistakes" in await closing(wire)
            await works(engine)

    run()


@in_loop
async def test_without_a_certificate_nothing_but_register_is_answered(tmp_path: Path) -> None:
    """Each verb is denied by name, and so is one that is not there."""
    async with engine_at_work(tmp_path) as engine:
        for verb in NODE_CALLS:
            async with open_link(engine) as connection:
                wire = Wire(connection)
                await wire.hello()
                with pytest.raises(VirtnodeError) as refused:
                    await wire.call(anything(verb.name), {})
                assert refused.value.code is (Code.INVALID if verb is REGISTER else Code.DENIED)
        assert engine.nodes.list() == ()


@in_loop
async def test_facts_are_no_identity(tmp_path: Path) -> None:
    """A joined node that says it is another one stays who its certificate says."""
    async with engine_at_work(tmp_path) as engine:
        victim, liar = await join(engine, 1), await join(engine, 2)
        liar.facts = dataclasses.replace(victim.facts, hostname="sim-00001")
        async with open_link(engine, liar) as connection:
            wire = Wire(connection)
            await wire.hello()
            reply = await wire.call(HEARTBEAT, liar.heartbeat(1.0, with_facts=True))
            assert reply.name == "sim-00002"
        known = {node.id: node for node in engine.nodes.list()}
        assert known[victim.id].state is NodeState.CONNECTING
        assert known[victim.id].last_seen is not None
        # Nor does the lie make a later claim on the victim's hardware point at the liar.
        late = SimulatedNode(3, hardware=victim.facts.hardware)
        async with open_link(engine) as connection:
            wire = Wire(connection)
            hello = await wire.hello()
            waiting = await wire.call(REGISTER, late.register_request(hello.nonce))
        assert engine.nodes.get(waiting.node).claims == victim.id


@in_loop
async def test_a_recorded_registration_is_worthless(tmp_path: Path) -> None:
    """Request and proof of another connection are denied on this one, with a token or without."""
    async with engine_at_work(tmp_path) as engine:
        node = SimulatedNode()
        async with open_link(engine) as first, open_link(engine) as second:
            wires = Wire(first), Wire(second)
            recorded = node.register_request((await wires[0].hello()).nonce, make_token(engine))
            await wires[1].hello()
            with pytest.raises(VirtnodeError, match="proof") as refused:
                await wires[1].call(REGISTER, recorded)
            assert refused.value.code is Code.DENIED
            assert engine.nodes.list() == ()
            assert (await wires[0].call(REGISTER, recorded)).certificate


@in_loop
async def test_a_frame_that_is_too_large_ends_the_connection(tmp_path: Path) -> None:
    """Ten megabytes are not read, with a certificate or without."""
    async with engine_at_work(tmp_path) as engine:
        node = await join(engine)
        for who in (None, node):
            async with open_link(engine, who) as connection:
                wire = Wire(connection)
                await wire.hello()
                with contextlib.suppress(ConnectionClosed):
                    await connection.send("x" * (10 * MAX_FRAME))
                await closing(wire)
                assert connection.close_code in (1009, 1006)
        await works(engine)


@in_loop
async def test_a_certificate_of_another_authority_ends_in_tls(tmp_path: Path) -> None:
    """It does not even come to a first message."""
    other = Pki(tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.prepare(START)
    async with engine_at_work(tmp_path / "engine") as engine:
        node = await join(engine)
        public = read_csr(node.key.make_csr()).public_key
        node.certificate = other.issue(node.id, public, days=90, now=START - 86400 * 60).pem
        await refused_by_tls(engine, node)
        await works(engine)


@in_loop
async def test_the_engines_own_certificate_is_no_nodes(tmp_path: Path) -> None:
    """A certificate for servers does not open the door to nodes."""
    async with engine_at_work(tmp_path) as engine:
        context = node_context(engine.pki.trust_bundle())
        context.load_cert_chain(engine.pki.server_file)
        with pytest.raises((ssl.SSLError, WebSocketException, OSError, EOFError)):
            async with dial("127.0.0.1", engine.link_port, context) as connection:
                await Wire(connection).hello()


async def refused_by_tls(engine: Engine, node: SimulatedNode) -> None:
    """See that TLS lets a node's certificate not through."""
    with pytest.raises((ssl.SSLError, WebSocketException, OSError, EOFError)):
        async with open_link(engine, node) as connection:
            await Wire(connection).hello()


@in_loop
async def test_a_nodes_certificate_is_no_engines(tmp_path: Path) -> None:
    """Who trusts the authority still does not take a node for the engine."""
    async with engine_at_work(tmp_path) as engine:
        node = await join(engine)
        (tmp_path / "node.pem").write_text(node.key.pem + node.certificate)
        posing = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        posing.load_cert_chain(tmp_path / "node.pem")
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0, ssl=posing)
        async with server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
                await asyncio.open_connection("127.0.0.1", port, ssl=node_context(engine.pki.trust_bundle()))


@in_loop
async def test_a_flood_of_registrations_is_bounded(tmp_path: Path) -> None:
    """One connection registers a few times, one address has a few connections, and the rest wait outside."""
    limits = Limits(strangers_per_address=4, registrations=3)
    async with engine_at_work(tmp_path, limits=limits) as engine, contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_link(engine))
        wire = Wire(first)
        hello = await wire.hello()
        for _ in range(3):
            node = SimulatedNode()
            assert (await wire.call(REGISTER, node.register_request(hello.nonce))).node
        with pytest.raises(VirtnodeError, match="too often"):
            await wire.call(REGISTER, SimulatedNode().register_request(hello.nonce))
        for _ in range(3):
            await Wire(await stack.enter_async_context(open_link(engine))).hello()
        fifth = await stack.enter_async_context(open_link(engine))
        assert "too many connections" in await closing(Wire(fifth))
        assert engine.link.stranger_count == 4
        await first.close()
        await eventually(lambda: engine.link.stranger_count == 3)
        await works(engine)


@in_loop
async def test_a_stranger_who_says_nothing_is_sent_away(tmp_path: Path) -> None:
    """Connections are for those who register; one that waits for approval may stay."""
    async with (
        engine_at_work(tmp_path, limits=Limits(register_within=0.3)) as engine,
        open_link(engine) as silent,
        open_link(engine) as waiting,
    ):
        wire = Wire(waiting)
        hello = await wire.hello()
        await wire.call(REGISTER, SimulatedNode().register_request(hello.nonce))
        assert "nobody registered in time" in await closing(Wire(silent))
        await asyncio.wait_for(await waiting.ping(), 10)


@in_loop
async def test_what_is_no_link_is_turned_away(tmp_path: Path) -> None:
    """Another path gets a 404 that says where to go; what is no TLS gets nothing; the engine goes on."""
    async with engine_at_work(tmp_path) as engine:
        context = node_context(engine.pki.trust_bundle())
        with pytest.raises(InvalidStatus) as refused:
            async with dial("127.0.0.1", engine.link_port, context, path="/"):
                pass
        assert refused.value.response.status_code == 404
        with socket.create_connection(("127.0.0.1", engine.link_port)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        await works(engine)


@in_loop
async def test_old_versions_of_tls_are_refused(tmp_path: Path) -> None:
    """Nothing below 1.2 is spoken."""
    async with engine_at_work(tmp_path) as engine:
        old = node_context(engine.pki.trust_bundle())
        old.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            # Python warns of what is done here to see that it fails.
            warnings.simplefilter("ignore", DeprecationWarning)
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        for port in (engine.link_port, engine.rest_port):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.open_connection("127.0.0.1", port, ssl=old)


@in_loop
async def test_a_joined_node_that_sends_garbage_loses_only_its_own_connection(tmp_path: Path) -> None:
    """Events in the wrong form are refused, and a fourth mistake finds nobody."""
    async with engine_at_work(tmp_path) as engine:
        bad, good = await join(engine, 1), await join(engine, 2)
        async with open_link(engine, bad) as first, open_link(engine, good) as second:
            wires = Wire(first), Wire(second)
            for wire in wires:
                await wire.hello()
            verb = anything(REPORT_EVENTS.name)
            for _ in range(3):
                with pytest.raises(VirtnodeError, match="not a list"):
                    await wires[0].call(verb, {"events": "many"})
            assert "mistakes" in await closing(wires[0])
            await wires[1].call(REPORT_EVENTS, EventsRequest(()))


@in_loop
async def test_odd_hardware_does_not_break_the_database(tmp_path: Path) -> None:
    """What no database can hold is cleaned before it gets there."""
    async with engine_at_work(tmp_path) as engine:
        node = SimulatedNode(1, hardware=Hardware("\0", "\ud800", "\0serial\ud83d", "uu\0id" * 1000))
        node.facts = dataclasses.replace(node.facts, hostname="\0\ud800", versions={"\0": "\udfff"})
        context = node_context(engine.pki.trust_bundle())
        reply = await register("127.0.0.1", engine.link_port, context, node, make_token(engine))
        assert reply.certificate
        assert engine.nodes.get(reply.node).facts == node.facts


@in_loop
async def test_a_node_that_talks_without_end_is_slowed_down(tmp_path: Path) -> None:
    """What is too much waits on its own connection, and nobody else's."""
    async with engine_at_work(tmp_path) as engine:
        chatty = await join(engine)
        async with open_link(engine, chatty) as connection:
            await Wire(connection).hello()
            call = dump_request(Request(HEARTBEAT.name, encode(chatty.heartbeat(1.0))))
            begun = time.monotonic()
            for _ in range(130):
                await connection.send(json.dumps(call))
            await works(engine)
            await eventually(lambda: engine.link.counts.heartbeats >= 131)
            assert time.monotonic() - begun > 1.0
