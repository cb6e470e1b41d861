"""The link, over real sockets and TLS, with a whole engine in this process."""

import asyncio
import base64
import functools
import json
from pathlib import Path

import pytest

from engine.administration import ChangeAuthority, OnNode
from engine.link_server import Limits
from engine.pki import pins_of
from engine.simulate import SimulatedNode, Wire, dial, find_authority, node_context
from engine.simulate_updates import LivingNode
from engine.updates import UpdateWish
from nodelib.bus_update import UpdateState
from nodelib.errors import Code, VirtnodeError
from nodelib.jsonrpc import Reply, Request, dump_reply
from nodelib.link import (
    APPROVED,
    GET_FACTS,
    HEARTBEAT,
    MAINTENANCE,
    PROTOCOL,
    REBOOT,
    REGISTER,
    REJECTED,
    RENEW,
    REPORT_EVENTS,
    TRUST,
    EventsRequest,
    MaintenanceWish,
    NodeEvent,
    NodeState,
    Nothing,
    RenewRequest,
    Severity,
)
from nodelib.link_update import FETCH_IMAGE, IMAGE_PART, ImagePartRequest
from tests.engine.bundles import write_bundle
from tests.engine.links import closing, join, make_token, open_link
from tests.engine.worlds import ADMIN, engine_at_work, eventually, in_loop


def change(step: str) -> ChangeAuthority:
    """Ask for a step of the change of authority."""
    return ChangeAuthority("tester", step)


@in_loop
async def test_the_first_message_is_hello(tmp_path: Path) -> None:
    """It brings the pinned authority, a nonce of its own, and the time."""
    async with engine_at_work(tmp_path) as engine:
        nonces = set()
        for _ in range(2):
            async with open_link(engine) as connection:
                hello = await Wire(connection).hello()
            assert hello.protocol == PROTOCOL
            assert engine.pki.active().pin in pins_of(hello.ca)
            nonces.add(hello.nonce)
        assert len(nonces) == 2
        with pytest.raises(VirtnodeError, match="not the pinned one"):
            await find_authority("127.0.0.1", engine.link_port, f"sha256:{'0' * 64}")


@in_loop
async def test_a_node_joins_and_is_up(tmp_path: Path, database: str) -> None:
    """Register, dial again with the certificate, send heartbeats, renew, report; on either database."""
    async with engine_at_work(tmp_path, database=database) as engine:
        node = await join(engine)
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            reply = await wire.call(HEARTBEAT, node.heartbeat(1.0, with_facts=True))
            assert (reply.state, reply.name) == (NodeState.UP, "sim-00000")
            renewed = await wire.call(RENEW, RenewRequest(node.key.make_csr()))
            event = NodeEvent("1", 1.0, Severity.INFO, "root", "config-applied", "done")
            await wire.call(REPORT_EVENTS, EventsRequest((event,)))
            await wire.call(MAINTENANCE, MaintenanceWish(True, "anna"))
            assert engine.nodes.get(node.id).state is NodeState.MAINTENANCE
            await wire.call(MAINTENANCE, MaintenanceWish(False, "anna"))
            node.certificate = renewed.certificate
        async with open_link(engine, node) as connection:
            await Wire(connection).hello()
            await eventually(lambda: engine.link.session_count == 1)
        await eventually(lambda: engine.nodes.get(node.id).state is NodeState.CONNECTING)


@in_loop
async def test_a_node_is_asked_to_reboot(tmp_path: Path) -> None:
    """It is rebooting from when it said yes until it dials again."""
    async with engine_at_work(tmp_path) as engine:
        node = await join(engine)
        ask = functools.partial(engine.control.administration.reboot_node, OnNode("tester", node.id))
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            await wire.call(HEARTBEAT, node.heartbeat(1.0))
            await wire.expect(TRUST)
            asked = asyncio.create_task(asyncio.to_thread(ask))
            message = await wire.receive()
            assert isinstance(message, Request)
            assert message.method == REBOOT.name
            await connection.send(json.dumps(dump_reply(Reply(message.id, Nothing()))))
            assert (await asked).state == "rebooting"
        await eventually(lambda: engine.link.session_count == 0)
        assert engine.nodes.get(node.id).state is NodeState.REBOOTING
        with pytest.raises(VirtnodeError, match="not connected"):
            await asyncio.to_thread(ask)
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            assert (await wire.call(HEARTBEAT, node.heartbeat(1.0))).state is NodeState.UP


@in_loop
async def test_a_waiting_node_is_told_when_it_is_approved(tmp_path: Path) -> None:
    """The certificate comes over the connection that stayed open."""
    async with engine_at_work(tmp_path) as engine:
        node = SimulatedNode()
        async with open_link(engine) as connection:
            wire = Wire(connection)
            hello = await wire.hello()
            reply = await wire.call(REGISTER, node.register_request(hello.nonce))
            assert reply.state is NodeState.PENDING
            code = engine.nodes.get(reply.node).code
            await asyncio.to_thread(engine.nodes.approve, code, ADMIN)
            approved = await wire.expect(APPROVED)
        assert approved.node == reply.node
        node.id, node.certificate = approved.node, approved.certificate
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            assert (await wire.call(HEARTBEAT, node.heartbeat(1.0))).state is NodeState.UP


@in_loop
async def test_a_waiting_node_is_told_when_it_is_rejected(tmp_path: Path) -> None:
    """The reason is the administrator's."""
    async with engine_at_work(tmp_path) as engine, open_link(engine) as connection:
        wire = Wire(connection)
        hello = await wire.hello()
        reply = await wire.call(REGISTER, SimulatedNode().register_request(hello.nonce))
        await asyncio.to_thread(engine.nodes.reject, reply.node, ADMIN, "not ours")
        assert (await wire.expect(REJECTED)).reason == "not ours"
        assert await closing(wire) == "rejected"


@in_loop
async def test_a_new_key_that_replaces_is_told_its_identity(tmp_path: Path) -> None:
    """The former connection is closed, and the waiting one becomes the former's identity."""
    async with engine_at_work(tmp_path) as engine:
        former = await join(engine)
        new = SimulatedNode(1, hardware=former.facts.hardware)
        async with open_link(engine, former) as old, open_link(engine) as fresh:
            old_wire, wire = Wire(old), Wire(fresh)
            await old_wire.hello()
            hello = await wire.hello()
            reply = await wire.call(REGISTER, new.register_request(hello.nonce, make_token(engine)))
            assert reply.state is NodeState.PENDING
            await asyncio.to_thread(engine.nodes.approve, reply.node, ADMIN, replace=True)
            assert (await wire.expect(APPROVED)).node == former.id
            assert "another key" in await closing(old_wire)


@in_loop
async def test_the_second_connection_of_a_node_replaces_the_first(tmp_path: Path) -> None:
    """A node that came back does not wait for its stale connection to time out."""
    async with engine_at_work(tmp_path) as engine:
        node = await join(engine)
        async with open_link(engine, node) as first, open_link(engine, node) as second:
            wires = Wire(first), Wire(second)
            assert "another connection" in await closing(wires[0])
            await wires[1].hello()
            assert (await wires[1].call(HEARTBEAT, node.heartbeat(1.0))).state is NodeState.UP
            assert engine.link.session_count == 1


@in_loop
async def test_revocation_closes_at_once(tmp_path: Path) -> None:
    """The connection ends, and the certificate opens nothing but a hint any more."""
    async with engine_at_work(tmp_path) as engine:
        node = await join(engine)
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            await asyncio.to_thread(engine.nodes.revoke, node.id, ADMIN)
            assert await closing(wire) == "revoked"
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            with pytest.raises(VirtnodeError, match="revoked") as refused:
                await wire.call(HEARTBEAT, node.heartbeat(1.0))
            assert refused.value.code is Code.DENIED
        assert engine.link.session_count == 0


@in_loop
async def test_the_engine_asks_a_node(tmp_path: Path) -> None:
    """A verb's answer comes back typed; a node's error is raised here; a node that is gone is unavailable."""
    async with engine_at_work(tmp_path) as engine:
        node = await join(engine)
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            await wire.expect(TRUST)
            answers = (
                Reply(1, node.facts),
                Reply(2, error=VirtnodeError(Code.BUSY, "not now", "later")),
            )
            for answer in answers:
                asked = asyncio.create_task(engine.link.call(node.id, GET_FACTS, Nothing()))
                message = await wire.receive()
                assert isinstance(message, Request)
                assert (message.method, message.id) == ("get_facts", answer.id)
                await connection.send(json.dumps(dump_reply(answer)))
                if answer.error is None:
                    assert await asked == node.facts
                else:
                    with pytest.raises(VirtnodeError, match="not now"):
                        await asked
            with pytest.raises(VirtnodeError, match="within"):
                await engine.link.call(node.id, GET_FACTS, Nothing(), timeout=0.05)
            lost = asyncio.create_task(engine.link.call(node.id, GET_FACTS, Nothing()))
            await wire.receive()
            await wire.receive()
        with pytest.raises(VirtnodeError, match="gone"):
            await lost
        await eventually(lambda: engine.link.session_count == 0)
        with pytest.raises(VirtnodeError, match="not connected"):
            await engine.link.call(node.id, GET_FACTS, Nothing())


@in_loop
async def test_the_authority_changes_without_losing_a_node(tmp_path: Path) -> None:
    """Nodes are told before the engine shows a certificate of the next authority, and renew by it."""
    async with engine_at_work(tmp_path) as engine:
        node = await join(engine)
        administration = engine.control.administration
        first = engine.pki.active().pem
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            assert len(pins_of((await wire.expect(TRUST)).ca)) == 1
            staged = asyncio.create_task(asyncio.to_thread(administration.change_authority, change("stage")))
            message = await wire.receive()
            assert isinstance(message, Request)
            assert message.method == TRUST.name
            assert len(pins_of(message.params["ca"])) == 2
            await connection.send(json.dumps(dump_reply(Reply(message.id, Nothing()))))
            assert (await staged).told == 1
        await asyncio.to_thread(administration.change_authority, change("activate"))
        both = engine.pki.trust_bundle()
        with pytest.raises(OSError, match="certificate verify failed"):
            async with dial("127.0.0.1", engine.link_port, node_context(first)):
                pass
        with pytest.raises(VirtnodeError, match="1 nodes have no certificate"):
            administration.change_authority(change("retire"))
        async with dial("127.0.0.1", engine.link_port, node_context(both, node)) as connection:
            wire = Wire(connection)
            await wire.hello()
            assert len(pins_of((await wire.expect(TRUST)).ca)) == 2
            renewed = await wire.call(RENEW, RenewRequest(node.key.make_csr()))
        old, node.certificate = node.certificate, renewed.certificate
        await asyncio.to_thread(administration.change_authority, change("retire"))
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            assert (await wire.call(HEARTBEAT, node.heartbeat(1.0))).state is NodeState.UP
        node.certificate = old
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            with pytest.raises(VirtnodeError, match="retired"):
                await wire.call(HEARTBEAT, node.heartbeat(1.0))


@in_loop
async def test_a_node_that_stops_answering_is_noticed(tmp_path: Path) -> None:
    """A connection whose other end answers no ping does not stay for ever."""
    limits = Limits(ping_interval=0.1, ping_timeout=0.2)
    async with engine_at_work(tmp_path, limits=limits) as engine:
        node = await join(engine)
        async with open_link(engine, node) as connection:
            await Wire(connection).hello()
            await eventually(lambda: engine.link.session_count == 1)
            connection.transport.pause_reading()
            await eventually(lambda: engine.link.session_count == 0)


@in_loop
async def test_an_engine_that_starts_again_knows_its_nodes(tmp_path: Path) -> None:
    """Authority, certificates and states survive; a certificate of before is good after."""
    async with engine_at_work(tmp_path) as engine:
        node = await join(engine)
        pin, identifier = engine.pki.active().pin, (tmp_path / "engine.id").read_text()
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            await wire.call(HEARTBEAT, node.heartbeat(1.0))
            await asyncio.to_thread(engine.nodes.deactivate, node.id, ADMIN)
    async with engine_at_work(tmp_path) as engine:
        assert engine.pki.active().pin == pin
        assert (tmp_path / "engine.id").read_text() == identifier
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            reply = await wire.call(HEARTBEAT, node.heartbeat(1.0))
            assert reply.state is NodeState.MAINTENANCE


@in_loop
async def test_images_are_for_those_who_were_told_to_take_them(tmp_path: Path) -> None:
    """A stranger and a node without an order are refused; whoever was told gets the part that it asks for."""
    async with engine_at_work(tmp_path) as engine:
        source = write_bundle(tmp_path, size=1 << 20)
        request = ImagePartRequest(engine.updating.images.add(source, ADMIN).row.digest, 1 << 20)
        node, other = await join(engine), await join(engine, 1)
        async with open_link(engine) as stranger:
            wire = Wire(stranger)
            await wire.hello()
            with pytest.raises(VirtnodeError, match="without a certificate"):
                await wire.call(FETCH_IMAGE, request)
        async with open_link(engine, node) as first, open_link(engine, other) as second:
            wires = Wire(first), Wire(second)
            for wire, one in zip(wires, (node, other), strict=True):
                await wire.hello()
                await wire.call(HEARTBEAT, one.heartbeat(1.0, with_facts=True))
            await asyncio.to_thread(engine.updating.updates.begin, node.id, UpdateWish(), ADMIN)
            with pytest.raises(VirtnodeError, match="was not told to take this image"):
                await wires[1].call(FETCH_IMAGE, request)
            part = await wires[0].call(FETCH_IMAGE, request)
            wanted = source.read_bytes()[request.offset : request.offset + IMAGE_PART]
            assert base64.b64decode(part.data) == wanted
            with pytest.raises(VirtnodeError, match="is being updated"):
                await engine.link.reboot(node.id, ADMIN)


@in_loop
async def test_many_nodes_fetch_at_once(tmp_path: Path) -> None:
    """More than there are turns, all of them whole, and heartbeats are answered meanwhile."""
    async with engine_at_work(tmp_path) as engine:
        engine.updating.images.add(write_bundle(tmp_path, size=1 << 20), ADMIN)
        nodes = [LivingNode(await join(engine, number), step_seconds=0.05) for number in range(16)]
        bundle = engine.pki.trust_bundle()
        tasks = [asyncio.create_task(one.live("127.0.0.1", engine.link_port, bundle)) for one in nodes]
        ids = [one.node.id for one in nodes]
        await eventually(lambda: all(engine.nodes.get(node).state is NodeState.UP for node in ids))
        for node in ids:
            await asyncio.to_thread(engine.updating.updates.begin, node, UpdateWish(), ADMIN)
        await eventually(lambda: all(one.view.state is UpdateState.KEPT for one in nodes), 50)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
