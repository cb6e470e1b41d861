"""The node's link against a real TLS WebSocket server: join, work, renew, and every way to fail."""

import contextlib
import hashlib
import io
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.x509 import ObjectIdentifier

from nodeagent.clocks import Clocks
from nodeagent.identity import load_identity
from nodeagent.wishes import Wishes
from nodelib.bus_update import RollBack
from nodelib.errors import Code, VirtnodeError
from nodelib.ladder import Step
from nodelib.link import (
    APPLY_CONFIG,
    CONFIRM_CONFIG,
    GET_CONFIG,
    GET_FACTS,
    MAINTENANCE,
    REBOOT,
    REVOKED,
    TRUST,
    ApplyRequest,
    ConfirmRequest,
    MaintenanceWish,
    NodeState,
    Nothing,
    TrustRequest,
    Verb,
)
from nodelib.link_update import GET_PACKAGES, GET_UPDATE, ROLL_BACK, UPDATE, UpdateOrder
from tests.nodeagent.authority import CLIENT, DAY, Authority
from tests.nodeagent.engine_double import NODE, EngineDouble, wait_for
from tests.nodeagent.node_double import Settings, linked_node


@pytest.fixture
def authority() -> Authority:
    """Make the engine's certificate authority."""
    return Authority(time.time())


@pytest.fixture
def engine(authority: Authority, tmp_path: Path) -> Iterator[EngineDouble]:
    """Run an engine that admits by itself."""
    with make_engine(authority, tmp_path).running() as running:
        yield running


def make_engine(authority: Authority, tmp_path: Path, **issue: object) -> EngineDouble:
    """Make an engine with a certificate of this authority."""
    usage = issue.get("usage")
    server = authority.issue(usage=usage) if isinstance(usage, ObjectIdentifier) else authority.issue()
    return EngineDouble(authority, server, tmp_path)


def settings_of(engine: EngineDouble, token: str = "") -> Settings:
    """Name an engine as the configuration does."""
    return Settings(engine.address, (engine.authority.pin,), token)


def test_a_node_joins_and_works(engine: EngineDouble, tmp_path: Path) -> None:
    """It registers, gets its certificate, dials again with it, and its heartbeats are answered."""
    with linked_node(tmp_path, settings_of(engine)) as node:
        wait_for(lambda: node.progress.connected)
        assert node.progress.state == "up"
        assert node.progress.name == "node1"
        assert node.joining.identity.membership().node == NODE
    assert len(engine.registrations) == 1
    assert engine.heartbeats[0].facts == node.node.found
    reached = [one.reached for one in node.history]
    assert reached.index(Step.TCP) < reached.index(Step.TLS_PIN) < reached.index(Step.APPROVAL)


def test_a_joined_node_is_found_again(engine: EngineDouble, tmp_path: Path) -> None:
    """With the same state the key is the same, and no second registration is made."""
    for _ in range(2):
        with linked_node(tmp_path, settings_of(engine)) as node:
            wait_for(lambda: node.progress.connected)
    assert len(engine.registrations) == 1


def test_approval_is_waited_for(engine: EngineDouble, tmp_path: Path) -> None:
    """A pending node keeps its connection, and dials with its certificate once approved."""
    engine.state = NodeState.PENDING
    with linked_node(tmp_path, settings_of(engine)) as node:
        wait_for(lambda: node.progress.state == "pending")
        assert node.progress.reached is Step.TOKEN
        assert not engine.heartbeats
        engine.approve()
        wait_for(lambda: node.progress.connected)
    assert len(engine.registrations) == 1


def test_a_rejected_node_waits_until_it_is_told_to_try(engine: EngineDouble, tmp_path: Path) -> None:
    """After a rejection nothing is dialled, until somebody joins again."""
    engine.state = NodeState.PENDING
    with linked_node(tmp_path, settings_of(engine)) as node:
        wait_for(lambda: node.progress.state == "pending")
        engine.reject()
        wait_for(lambda: node.progress.state == "rejected")
        assert node.progress.reason == "not one of ours"
        engine.state = NodeState.UP
        node.thread.redial()
        wait_for(lambda: node.progress.connected)
    assert len(engine.registrations) == 2


def test_a_wrong_token_is_the_step_that_fails(engine: EngineDouble, tmp_path: Path) -> None:
    """The engine's own words are shown; the right token then joins."""
    engine.token = "vnt_good"
    with linked_node(tmp_path, settings_of(engine, "vnt_bad")) as node:
        wait_for(lambda: node.progress.failed is Step.TOKEN)
        assert (node.progress.message, node.progress.hint) == ("the token is not known", "ask for a new one")
        node.settings = settings_of(engine, "vnt_good")
        node.thread.redial()
        wait_for(lambda: node.progress.connected)


def test_the_engines_calls_are_answered(engine: EngineDouble, tmp_path: Path) -> None:
    """Each verb reaches the node; what takes time is done in a thread of its own."""
    with linked_node(tmp_path, settings_of(engine)) as node:
        wait_for(lambda: engine.heartbeats)
        assert engine.call(GET_FACTS, Nothing()) == node.node.found
        assert engine.call(GET_CONFIG, Nothing()).origins == {"version": "built-in"}
        reply = engine.call(APPLY_CONFIG, ApplyRequest({"system": {"hostname": "a"}}, 5.0))
        assert reply.ticket == "ticket"
        engine.call(CONFIRM_CONFIG, ConfirmRequest(reply.ticket))
        engine.call(REBOOT, Nothing())
        with pytest.raises(VirtnodeError, match="knows no frobnicate") as caught:
            engine.call(Verb("frobnicate", Nothing, Nothing), Nothing())
        assert caught.value.code is Code.NOT_FOUND
        with pytest.raises(VirtnodeError, match="patch: missing"):
            engine.call(APPLY_CONFIG, Nothing())
    assert node.node.applied == [ApplyRequest({"system": {"hostname": "a"}}, 5.0)]
    assert node.node.confirmed == ["ticket"]
    assert node.node.reboots == 1
    assert all(name.startswith("deeds") for name in node.node.threads)


def test_an_engine_updates_a_node(engine: EngineDouble, authority: Authority, tmp_path: Path) -> None:
    """It orders, asks, takes back; the node fetches the bundle in pieces over the same connection."""
    engine.bundle = bytes(range(256)) * 8192
    order = UpdateOrder(hashlib.sha256(engine.bundle).hexdigest(), len(engine.bundle), "2.0", "22")
    with linked_node(tmp_path, Settings(engine.address, (authority.pin,))) as node:
        wait_for(lambda: node.progress.connected)
        engine.call(UPDATE, order)
        assert engine.call(GET_UPDATE, Nothing()).version == "2.0"
        engine.call(ROLL_BACK, RollBack(True))
        assert engine.call(GET_PACKAGES, Nothing()).packages == {"bash": "5.2"}
        target = io.BytesIO()
        node.joining.images.fetch(order, target, lambda count: None)
        assert target.getvalue() == engine.bundle
        assert node.progress.connected
    assert (node.node.orders, node.node.taken_back) == ([order], [RollBack(True)])


def test_an_engine_changes_its_authority(engine: EngineDouble, tmp_path: Path) -> None:
    """What a trusted engine names is trusted as the pin is, and nothing that is no certificate."""
    successor = Authority(time.time(), "CA 2")
    with linked_node(tmp_path, settings_of(engine)) as node:
        wait_for(lambda: engine.heartbeats)
        with pytest.raises(VirtnodeError, match="not certificates"):
            engine.call(TRUST, TrustRequest("nonsense"))
        engine.call(TRUST, TrustRequest(engine.authority.pem + successor.pem))
        (tmp_path / "two").mkdir()
        with make_engine(successor, tmp_path / "two").running() as second:
            node.settings = Settings(second.address, (engine.authority.pin,))
            node.thread.redial()
            wait_for(lambda: second.heartbeats)


def test_events_are_sent_until_acknowledged(engine: EngineDouble, tmp_path: Path) -> None:
    """An event from before the join reaches the engine once, and none is left in the state folder."""
    with linked_node(tmp_path, Settings()) as node:
        node.joining.events.add(kind="config-applied", text="hostname a", actor="root")
    with linked_node(tmp_path, settings_of(engine)) as node:
        wait_for(lambda: engine.events)
        wait_for(lambda: not node.joining.events.waiting())
    (event,) = engine.events
    assert (event.kind, event.actor, event.text) == ("config-applied", "root", "hostname a")


def test_news_are_told_at_once(engine: EngineDouble, tmp_path: Path) -> None:
    """What happens between two heartbeats does not wait for the next."""
    with linked_node(tmp_path, settings_of(engine), Clocks(random=lambda: 1.0)) as node:
        wait_for(lambda: node.progress.connected)
        beats = len(engine.heartbeats)
        node.joining.events.add(kind="test", text="now", actor="test")
        wait_for(lambda: [event.text for event in engine.events] == ["now"], 5)
        assert len(engine.heartbeats) == beats


def test_a_wish_reaches_the_engine_and_its_answer_comes_back(engine: EngineDouble, tmp_path: Path) -> None:
    """Other threads ask through the link's own; what the engine refuses is told, and the link stays."""
    with linked_node(tmp_path, settings_of(engine)) as node:
        wait_for(lambda: engine.heartbeats)
        wishes = node.joining.wishes
        assert wishes.ask(MAINTENANCE, MaintenanceWish(True, "anna"), 20) == Nothing()
        with pytest.raises(VirtnodeError, match="so already") as caught:
            wishes.ask(MAINTENANCE, MaintenanceWish(True, "anna"), 20)
        assert caught.value.code is Code.CONFLICT
        wishes.ask(MAINTENANCE, MaintenanceWish(False, "anna"), 20)
    assert [wish.on for wish in engine.wishes] == [True, False]
    assert len(engine.connections) == 2


def test_a_wish_that_nobody_passes_on_ends(tmp_path: Path) -> None:
    """Without a connection it is not kept for later."""
    wishes = Wishes()
    with pytest.raises(VirtnodeError, match="did not answer") as caught:
        wishes.ask(MAINTENANCE, MaintenanceWish(True), 0.01)
    assert caught.value.code is Code.UNAVAILABLE
    (late,) = wishes.take()
    late.fulfil(lambda verb, request: pytest.fail("nobody waits for it"))


def test_a_certificate_is_renewed_at_two_thirds(engine: EngineDouble, tmp_path: Path) -> None:
    """One that is past it is renewed on the link; a fresh one is left alone."""
    engine.certificate_days = 100 / DAY  # 300 s of 400 s are over already
    with linked_node(tmp_path, settings_of(engine)) as node:
        wait_for(lambda: engine.renewals)
        validity = wait_for(node.joining.identity.validity)
        wait_for(lambda: (node.joining.identity.validity() or validity).end > time.time() + 80 * DAY)
    assert engine.renewals == 1
    assert len(engine.registrations) == 1


def test_an_expired_certificate_registers_again(engine: EngineDouble, tmp_path: Path) -> None:
    """The key is known, so a node that was off for too long comes back by itself."""
    identity = load_identity(tmp_path)
    csr = identity.make_csr("node1")
    identity.store_certificate(engine.authority.sign_csr(csr, start=-90 * DAY, end=-DAY))
    with linked_node(tmp_path, settings_of(engine)) as node:
        wait_for(lambda: node.progress.connected)
    assert len(engine.registrations) == 1


def test_a_certificate_that_the_engine_refuses_is_not_insisted_on(
    engine: EngineDouble, tmp_path: Path
) -> None:
    """A node that was removed registers again, and a certificate of another engine does not stop a join."""
    identity = load_identity(tmp_path)
    stranger = Authority(time.time(), "another CA")
    identity.store_certificate(stranger.sign_csr(identity.make_csr("node1")))
    with linked_node(tmp_path, settings_of(engine)) as node:
        wait_for(lambda: node.progress.connected)
        assert len(engine.registrations) == 1
        engine.refuses_certificates = True
        engine.state = NodeState.PENDING
        engine.hang_up()
        wait_for(lambda: node.progress.state == "pending")


def test_a_node_that_is_shut_out_knows_it_at_once(engine: EngineDouble, tmp_path: Path) -> None:
    """The connection ends with the reason, and that is the state before the engine is asked again."""
    with linked_node(tmp_path, settings_of(engine)) as node:
        wait_for(lambda: node.progress.connected)
        engine.hang_up(REVOKED)
        wait_for(lambda: any(progress.state == NodeState.REJECTED for progress in node.history))


def test_no_pin_is_no_trust(engine: EngineDouble, tmp_path: Path) -> None:
    """Without a pin nothing is dialled at all."""
    with linked_node(tmp_path, Settings(engine.address)) as node:
        wait_for(lambda: node.progress.failed is Step.TLS_PIN)
        assert "no pin" in node.progress.message
        assert "--ca" in node.progress.hint
    assert not engine.connections


def impostor_fails(engine: EngineDouble, tmp_path: Path, pin: str, clocks: Clocks | None = None) -> str:
    """Dial an impostor twice, see that it is told nothing, and return what the node says."""
    with linked_node(tmp_path / "node", Settings(engine.address, (pin,)), clocks) as node:
        wait_for(lambda: len(engine.connections) >= 2)
        wait_for(lambda: node.progress.failed)
        message = node.progress.message
        assert node.progress.hint
    assert engine.first_words == []
    return message


def test_an_impostor_with_its_own_authority_learns_nothing(engine: EngineDouble, tmp_path: Path) -> None:
    """Another authority than the pinned one, however well everything else is made."""
    assert "not the pinned one" in impostor_fails(engine, tmp_path, Authority(time.time()).pin)


def test_an_impostor_that_shows_the_real_authority_learns_nothing(
    engine: EngineDouble, tmp_path: Path
) -> None:
    """The pinned certificate is public; who shows it must also have a certificate issued by it."""
    real = Authority(time.time())
    engine.hello_ca = real.pem
    assert "not issued by the pinned authority" in impostor_fails(engine, tmp_path, real.pin)


def test_a_node_cannot_pose_as_the_engine(authority: Authority, tmp_path: Path) -> None:
    """A node's certificate is of the pinned authority, but for clients alone."""
    with make_engine(authority, tmp_path, usage=CLIENT).running() as engine:
        assert "not an engine's" in impostor_fails(engine, tmp_path, authority.pin)


def test_an_expired_engine_is_refused_whatever_time_it_tells(authority: Authority, tmp_path: Path) -> None:
    """A stolen key with an expired certificate cannot talk the node's clock back."""
    server = authority.issue(start=-20 * DAY, end=-DAY)
    with EngineDouble(authority, server, tmp_path, time_offset=-2 * DAY).running() as engine:
        assert "expired" in impostor_fails(engine, tmp_path, authority.pin)


def test_a_dead_clock_does_not_stop_a_first_join(engine: EngineDouble, tmp_path: Path) -> None:
    """A machine whose clock starts years ago believes the engine's, and says how far they are apart."""
    clocks = Clocks(wall=lambda: time.time() - 2 * 365 * DAY, random=lambda: 0.05)
    with linked_node(tmp_path, settings_of(engine), clocks) as node:
        wait_for(lambda: node.progress.connected)
        assert node.progress.skew == pytest.approx(2 * 365 * DAY, abs=60)


@pytest.mark.parametrize("ahead", [-200 * DAY, -100 * DAY, -DAY, DAY, 60 * DAY, 100 * DAY, 300 * DAY])
def test_a_wrong_clock_does_not_register_again_and_again(
    authority: Authority, tmp_path: Path, ahead: float
) -> None:
    """By the engine's time the certificate is good, whatever the node's says; a restart costs one more."""
    server = authority.issue(start=-300 * DAY, end=397 * DAY)
    clocks = Clocks(wall=lambda: time.time() + ahead, random=lambda: 0.05)
    with EngineDouble(authority, server, tmp_path).running() as engine:
        for registrations in (1, 2):
            with linked_node(tmp_path, settings_of(engine), clocks) as node:
                wait_for(lambda: node.progress.connected)
                assert len(engine.registrations) <= registrations
                assert node.progress.skew == pytest.approx(-ahead, abs=60)


def test_a_certificate_that_expired_by_the_engines_time_is_not_shown(
    engine: EngineDouble, tmp_path: Path
) -> None:
    """A clock that is behind thinks that it is good; from the first connection on the node knows better."""
    clocks = Clocks(wall=lambda: time.time() - 2 * 365 * DAY, random=lambda: 0.05)
    identity = load_identity(tmp_path)
    with linked_node(tmp_path, settings_of(engine), clocks) as node:
        wait_for(lambda: node.progress.connected)
        csr = identity.make_csr("node1")
        identity.store_certificate(engine.authority.sign_csr(csr, start=-90 * DAY, end=-DAY))
        seen = len(node.history)
        engine.hang_up()
        wait_for(lambda: len(engine.registrations) == 2)
        wait_for(lambda: node.progress.connected)
        assert Step.TLS_PIN not in {one.failed for one in node.history[seen:]}


def test_certificates_of_no_use_are_not_asked_for_without_pause(engine: EngineDouble, tmp_path: Path) -> None:
    """Whatever is wrong with them, the second is asked for at once, and those after it with longer waits."""
    engine.certificate_days = -1 / DAY
    with linked_node(tmp_path, settings_of(engine), Clocks(random=lambda: 1.0)) as node:
        wait_for(lambda: len(engine.registrations) >= 3)
        began = time.monotonic()
        wait_for(lambda: len(engine.registrations) >= 4)
        assert time.monotonic() - began > 1.0
        engine.certificate_days = 90
        wait_for(lambda: node.progress.connected)
    assert len(engine.registrations) <= 5


def test_a_clock_too_far_off_is_said(engine: EngineDouble, tmp_path: Path) -> None:
    """No engine is believed more than a few years."""
    clocks = Clocks(wall=lambda: time.time() - 20 * 365 * DAY, random=lambda: 0.05)
    assert "clock says" in impostor_fails(engine, tmp_path, engine.authority.pin, clocks)


def test_another_version_of_the_link_is_said(engine: EngineDouble, tmp_path: Path) -> None:
    """A proven engine that speaks another protocol gets a clear line."""
    engine.protocol = 99
    assert "version 99" in impostor_fails(engine, tmp_path, engine.authority.pin)


def test_nobody_listens(tmp_path: Path) -> None:
    """A refused connection is the step TCP, with the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with linked_node(tmp_path, Settings(f"127.0.0.1:{port}", (f"sha256:{'0' * 64}",))) as node:
        wait_for(lambda: node.progress.failed is Step.TCP)
        assert f"127.0.0.1:{port} refuses connections" in node.progress.message


def test_what_is_no_engine_is_said(tmp_path: Path) -> None:
    """A port that speaks something else fails at TLS, with a hint at the right port."""
    settings = Settings("", (f"sha256:{'0' * 64}",))
    with answering(b"220 mail.example ESMTP\r\n") as port, linked_node(tmp_path, settings) as node:
        node.settings = Settings(f"127.0.0.1:{port}", settings.ca)
        node.thread.redial()
        wait_for(lambda: node.progress.failed is Step.TLS_PIN)
        assert "7443" in node.progress.hint


def test_a_proxy_that_refuses_is_said(engine: EngineDouble, tmp_path: Path) -> None:
    """The proxy's own answer is shown, and its password is not."""
    with answering(b"HTTP/1.1 403 Forbidden\r\n\r\n") as port:
        settings = Settings(
            engine.address, (engine.authority.pin,), proxy=f"http://user:secret@127.0.0.1:{port}"
        )
        with linked_node(tmp_path, settings) as node:
            wait_for(lambda: node.progress.failed is Step.PROXY)
            assert "403 Forbidden" in node.progress.message
            assert not [one for one in node.history if "secret" in repr(one)]


def test_a_node_joins_through_a_proxy(engine: EngineDouble, tmp_path: Path) -> None:
    """CONNECT, then TLS to the engine itself; the proxy gets its password."""
    seen: list[bytes] = []
    with tunnel(engine.port, seen) as port:
        settings = Settings(
            "engine.invalid:7443", (engine.authority.pin,), proxy=f"http://u:p@127.0.0.1:{port}"
        )
        with linked_node(tmp_path, settings) as node:
            wait_for(lambda: node.progress.connected)
    assert seen[0].startswith(b"CONNECT engine.invalid:7443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dTpw\r\n" in seen[0]


def test_an_engine_that_goes_and_comes_is_found_again(authority: Authority, tmp_path: Path) -> None:
    """A lost connection is said at once, and dialled again until it is back."""
    engine = make_engine(authority, tmp_path)
    with engine.running(), linked_node(tmp_path, Settings()) as node:
        node.settings = settings_of(engine)
        node.thread.redial()
        wait_for(lambda: node.progress.connected)
        engine.hang_up()
        wait_for(lambda: not node.progress.connected)
        wait_for(lambda: node.progress.connected)
    assert len(engine.registrations) == 1


def test_a_dead_peer_is_noticed(engine: EngineDouble, tmp_path: Path) -> None:
    """Where packets only vanish, the unanswered ping ends the connection."""
    hole = threading.Event()
    with tunnel(engine.port, [], hole) as port:
        settings = Settings("127.0.0.1:1", (engine.authority.pin,), proxy=f"127.0.0.1:{port}")
        with linked_node(tmp_path, settings, ping=0.3) as node:
            wait_for(lambda: node.progress.connected)
            hole.set()
            wait_for(lambda: not node.progress.connected)
            assert node.progress.failed is Step.HEARTBEAT


@contextlib.contextmanager
def answering(words: bytes) -> Iterator[int]:
    """Run a server that says the same to everybody and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(words)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@contextlib.contextmanager
def tunnel(target: int, seen: list[bytes], hole: threading.Event | None = None) -> Iterator[int]:
    """Run an HTTP proxy that leads everybody to one port; once `hole` is set, nothing passes any more."""
    threads: list[threading.Thread] = []
    sockets: list[socket.socket] = []

    def pass_on(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if hole is None or not hole.is_set():
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def start(function: object, *words: object) -> None:
        assert callable(function)
        threads.append(threading.Thread(target=function, args=words))
        threads[-1].start()

    def accept(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                seen.append(near.recv(4096))
                near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                far = socket.create_connection(("127.0.0.1", target))
                sockets.extend([near, far])
                start(pass_on, near, far)
                start(pass_on, far, near)

    with socket.create_server(("127.0.0.1", 0)) as server:
        start(accept, server)
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    threads[0].join()
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    for one in sockets:
        one.close()
