"""Who is let in: each rule of registration, on both databases."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from engine.nodes import Identity
from engine.pki import make_key_pair
from engine.simulate import SimulatedNode
from engine.tokens import TokenRefused, list_tokens
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Hardware
from nodelib.link import NodeState, RenewRequest
from tests.engine.worlds import ADMIN, NONCE, World


def twin(node: SimulatedNode) -> SimulatedNode:
    """Make a node with another key on the same hardware."""
    return SimulatedNode(999, hardware=node.facts.hardware)


def identity(node: SimulatedNode) -> tuple[str, str]:
    """Read serial and fingerprint of a node's certificate, as the link does."""
    certificate = x509.load_pem_x509_certificate(node.certificate.encode())
    return f"{certificate.serial_number:x}", certificate.fingerprint(hashes.SHA256()).hex()


def test_without_a_token_a_node_waits(world: World) -> None:
    """It is listed with the code and fingerprint that its own console shows."""
    node = SimulatedNode()
    reply = world.register(node)
    assert (reply.state, reply.certificate) == (NodeState.PENDING, "")
    (listed,) = world.nodes.list()
    assert (listed.id, listed.state, listed.name) == (reply.node, NodeState.PENDING, "sim-00000")
    assert listed.fingerprint.startswith("SHA256:")
    assert len(listed.code) == 11
    assert listed.facts == node.facts
    assert listed.action
    assert world.event_kinds() == ["node-pending"]


def test_a_token_lets_in_at_once(world: World) -> None:
    """The token is the approval, and the log says whose."""
    node = SimulatedNode()
    reply = world.register(node, world.token())
    assert reply.state is NodeState.CONNECTING
    assert world.nodes.authenticate(*identity(node)).node == reply.node
    found = world.nodes.get(reply.node)
    assert found.approved_by == f"token:{list_tokens(world.store)[0].id}"
    assert world.event_kinds() == ["token-created", "node-approved"]


def test_a_known_key_is_the_same_node_and_costs_no_token(world: World) -> None:
    """Registering again keeps the identity, gets a new certificate and leaves the token alone."""
    token = world.token(uses=2)
    node = SimulatedNode()
    first = world.register(node, token)
    second = world.register(node, token)
    assert second.node == first.node
    assert second.certificate != first.certificate
    assert list_tokens(world.store)[0].used == 1
    assert len(world.nodes.list()) == 1


def test_an_expired_certificate_gets_a_new_one_by_registering(world: World) -> None:
    """It opens nothing any more, but its key is known."""
    node = world.joined()
    old = identity(node)
    world.pass_by(91 * 86400)
    with pytest.raises(VirtnodeError, match="expired"):
        world.nodes.authenticate(*old)
    assert world.register(node).state is NodeState.UNREACHABLE
    assert world.nodes.authenticate(*identity(node)).node == node.id


def test_a_waiting_node_that_brings_a_token_later_is_let_in(world: World) -> None:
    """It keeps the identity that it was listed with."""
    node = SimulatedNode()
    waiting = world.register(node)
    reply = world.register(node, world.token())
    assert (reply.node, reply.state) == (waiting.node, NodeState.CONNECTING)
    assert reply.certificate


def test_a_wrong_token_makes_no_node(world: World) -> None:
    """It is refused with a hint, and is an event."""
    with pytest.raises(TokenRefused, match="wrong") as refused:
        world.register(SimulatedNode(), "vnt_" + "a" * 32)
    assert refused.value.hint
    assert world.nodes.list() == ()
    assert world.event_kinds() == ["token-refused"]


def test_wrong_tokens_are_soon_not_looked_at(world: World) -> None:
    """An address that guesses is stopped, others are not, and the log does not grow."""
    for _ in range(10):
        with pytest.raises(TokenRefused):
            world.register(SimulatedNode(), "vnt_" + "a" * 32)
    token = world.token()
    with pytest.raises(VirtnodeError, match="too many") as refused:
        world.register(SimulatedNode(), token)
    assert refused.value.code is Code.BUSY
    assert world.event_kinds().count("token-refused") == 10
    assert world.register(SimulatedNode(), token, "192.0.2.9").certificate


def test_a_hundred_at_once_with_a_token_for_ten(world: World) -> None:
    """Exactly ten get in, and the others leave nothing behind."""
    token = world.token(uses=10)
    nodes = [SimulatedNode(number) for number in range(100)]

    def attempt(node: SimulatedNode) -> bool:
        try:
            # Each from an address of its own: the point is the token, not the bound on wrong ones.
            return bool(world.register(node, token, f"198.51.100.{nodes.index(node)}").certificate)
        except TokenRefused:
            return False

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(attempt, nodes)) == 10
    assert len(world.nodes.list()) == 10
    assert list_tokens(world.store)[0].used == 10


def test_one_node_that_registers_many_times_at_once_is_one_node(world: World) -> None:
    """However it is raced, a key is one identity and costs one use."""
    token = world.token(uses=10)
    node = SimulatedNode()
    request = node.register_request(NONCE, token)
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda _: world.nodes.register(request, NONCE, "192.0.2.1"), range(20)))
    assert len({reply.node for reply in replies}) == 1
    assert list_tokens(world.store)[0].used == 1


def test_two_nodes_of_one_name_get_two_names(world: World) -> None:
    """A name is nobody's proof of anything, and every name is unique."""
    first, second = world.joined(), world.joined()
    names = {node.id: node.name for node in world.nodes.list()}
    assert names[first.id] == "sim-00000"
    assert names[second.id] == f"sim-00000-{second.id[:8]}"


@pytest.mark.parametrize("hostname", ["", "localhost.localdomain", "\0\n", "-.-", "ü" * 300])
def test_an_odd_hostname_gets_a_plain_name(world: World, hostname: str) -> None:
    """What a node calls itself does not reach a table as it is."""
    node = SimulatedNode()
    node.facts = dataclasses.replace(node.facts, hostname=hostname)
    reply = world.register(node)
    assert reply.name == f"node-{reply.node[:8]}"


def test_a_lost_key_with_a_token_keeps_the_identity(world: World) -> None:
    """The former node being away, the new key takes over; the old certificate and key are good no more."""
    former = world.joined()
    new = twin(former)
    reply = world.register(new, world.token())
    assert (reply.node, reply.name) == (former.id, "sim-00000")
    assert world.nodes.authenticate(*identity(new)).node == former.id
    with pytest.raises(VirtnodeError, match="revoked"):
        world.nodes.authenticate(*identity(former))
    with pytest.raises(VirtnodeError, match="key was replaced") as refused:
        world.register(former)
    assert "virtnodectl new-key" in refused.value.hint
    assert "node-rekeyed" in world.event_kinds()
    assert len(world.nodes.list()) == 1


def test_a_connected_node_is_not_taken_over_by_a_token(world: World) -> None:
    """Whoever claims its hardware waits, the reason says whose it is, and the token is not used."""
    former = world.joined()
    world.nodes.connected(world.nodes.authenticate(*identity(former)), object())
    token = world.token()
    reply = world.register(twin(former), token)
    assert (reply.state, reply.certificate) == (NodeState.PENDING, "")
    assert "hardware of sim-00000" in reply.reason
    assert [one.used for one in list_tokens(world.store) if one.id == token[4:12]] == [0]
    assert world.nodes.authenticate(*identity(former)).node == former.id


def test_a_node_that_waits_since_its_former_self_was_connected_takes_over_later(world: World) -> None:
    """A stale connection delays it, and no more."""
    former = world.joined()
    connection = object()
    world.nodes.connected(world.nodes.authenticate(*identity(former)), connection)
    new, token = twin(former), world.token()
    assert world.register(new, token).state is NodeState.PENDING
    world.nodes.disconnected(former.id, connection)
    reply = world.register(new, token)
    assert reply.node == former.id
    assert reply.certificate
    assert len(world.nodes.list()) == 1


def test_without_a_token_known_hardware_with_another_key_waits(world: World) -> None:
    """It claims an identity, and gets none by that."""
    former = world.joined()
    reply = world.register(twin(former))
    assert reply.state is NodeState.PENDING
    assert reply.node != former.id
    assert world.nodes.get(reply.node).claims == former.id
    assert world.event_kinds()[-1] == "node-pending"


def test_rekey_never(world: World) -> None:
    """With this setting a token takes nothing over."""
    world.set("rekey", "never")
    former = world.joined()
    reply = world.register(twin(former), world.token())
    assert reply.state is NodeState.PENDING
    assert world.nodes.get(former.id).fingerprint != world.nodes.get(reply.node).fingerprint


def test_an_administrator_lets_a_new_key_take_over(world: World) -> None:
    """With `replace` the claimed identity goes on with the new key."""
    former = world.joined()
    new = twin(former)
    waiting = world.register(new)
    approved = world.nodes.approve(waiting.node, ADMIN, replace=True)
    assert approved.id == former.id
    assert world.register(new).node == former.id
    with pytest.raises(VirtnodeError, match="revoked"):
        world.nodes.authenticate(*identity(former))
    assert len(world.nodes.list()) == 1


def test_an_administrator_lets_a_new_key_in_beside_the_old(world: World) -> None:
    """Without `replace` there are two nodes, and the former is untouched."""
    former = world.joined()
    waiting = world.register(twin(former))
    assert world.nodes.approve(waiting.node, ADMIN).id == waiting.node
    assert world.nodes.authenticate(*identity(former)).node == former.id
    assert len(world.nodes.list()) == 2


def test_replacing_nobody_is_refused(world: World) -> None:
    """`replace` needs somebody to replace."""
    waiting = world.register(SimulatedNode())
    with pytest.raises(VirtnodeError, match="claims no identity"):
        world.nodes.approve(waiting.node, ADMIN, replace=True)
    assert world.nodes.get(waiting.node).state is NodeState.PENDING


def test_half_a_hardware_identity_claims_nothing(world: World) -> None:
    """Boards without a serial number, or with a UUID in common, are no twins."""
    first = SimulatedNode(1, hardware=Hardware(uuid="same", serial=""))
    second = SimulatedNode(2, hardware=Hardware(uuid="same", serial=""))
    for node in (first, second):
        assert world.register(node, world.token()).certificate
    assert len(world.nodes.list()) == 2


def test_hardware_of_a_rejected_node_waits_even_with_a_token(world: World) -> None:
    """A new key does not talk an administrator's no away."""
    first = SimulatedNode()
    world.nodes.reject(world.register(first).node, ADMIN)
    assert world.register(twin(first), world.token()).state is NodeState.PENDING


def test_a_request_that_proves_nothing_is_denied(world: World) -> None:
    """The proof is by the request's own key, and over this connection's nonce."""
    node, thief = SimulatedNode(), SimulatedNode()
    request = node.register_request(NONCE)
    for nonce, changed in (
        ("another nonce", request),
        (NONCE, dataclasses.replace(request, proof="")),
        (NONCE, dataclasses.replace(request, proof=thief.register_request(NONCE).proof)),
        (NONCE, dataclasses.replace(request, csr=make_key_pair().make_csr())),
    ):
        with pytest.raises(VirtnodeError, match="proof") as refused:
            world.nodes.register(changed, nonce, "192.0.2.1")
        assert refused.value.code is Code.DENIED
    assert world.nodes.list() == ()


def test_another_version_of_the_link_is_refused(world: World) -> None:
    """The error says who speaks what."""
    request = dataclasses.replace(SimulatedNode().register_request(NONCE), protocol=99)
    with pytest.raises(VirtnodeError, match="version 99"):
        world.nodes.register(request, NONCE, "192.0.2.1")


def test_waiting_nodes_are_bounded(world: World) -> None:
    """A flood fills its own address's share; a token still opens the door."""
    world.set("max_pending_per_address", "3")
    world.set("max_pending", "4")
    for _ in range(3):
        world.register(SimulatedNode())
    with pytest.raises(VirtnodeError, match="too many nodes wait") as refused:
        world.register(SimulatedNode())
    assert refused.value.code is Code.BUSY
    world.register(SimulatedNode(), address="192.0.2.2")
    with pytest.raises(VirtnodeError, match="too many nodes wait"):
        world.register(SimulatedNode(), address="192.0.2.3")
    assert world.register(SimulatedNode(), world.token()).certificate


def test_renewing_keeps_the_key(world: World) -> None:
    """A request over another key is no renewal."""
    node = world.joined()
    assert world.nodes.renew(node.id, RenewRequest(node.key.make_csr())).certificate != node.certificate
    with pytest.raises(VirtnodeError, match="another key"):
        world.nodes.renew(node.id, RenewRequest(make_key_pair().make_csr()))


def test_a_certificate_of_another_engine_is_denied(world: World) -> None:
    """A serial that is not known, or that belongs to another certificate, opens nothing."""
    serial, fingerprint = identity(world.joined())
    for wrong in ((serial, "00" * 32), ("abc", fingerprint)):
        with pytest.raises(VirtnodeError, match="did not issue"):
            world.nodes.authenticate(*wrong)


def test_a_node_barred_between_certificate_and_connection_stays_out(world: World) -> None:
    """There is no moment in which a revoked node slips in."""
    node = world.joined()
    shown = world.nodes.authenticate(*identity(node))
    world.nodes.revoke(node.id, ADMIN)
    with pytest.raises(VirtnodeError, match="barred"):
        world.nodes.connected(shown, object())
    other = world.joined(1)
    with pytest.raises(VirtnodeError, match="barred"):
        world.nodes.connected(Identity(other.id, "another key"), object())
