"""Who is let in: the decision on a node that asks.

The key is the identity. A known key is the same node. An unknown one with a good token is let in at once;
without one it waits for an administrator. An unknown key on known hardware is somebody who lost a key, or
somebody who lies: it takes over the identity only by a token while the former node is away, or by an
administrator's word.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from engine import events, node_state, tokens
from engine.events import ENGINE, Actor, Event
from engine.hardware import Machine, read_machine
from engine.options import Rekey, Settings
from engine.pki import Issued, NodeKey, Pki, is_signed, read_csr
from engine.store import certificate_rows, node_rows, place_rows
from engine.store.certificate_rows import CertificateRow
from engine.store.database import Connection
from engine.store.node_rows import NodeRow, Value
from nodelib.approval import approval_code
from nodelib.codec import to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.link import (
    PROTOCOL,
    REVOKED,
    NodeState,
    RegisterReply,
    RegisterRequest,
    Severity,
    register_proof,
)

LONGEST_FACTS = 512 * 1024
LONGEST_NAME = 63
REPLACED, REMOVED = "replaced", "removed"
"""Why a certificate is no longer good. The first two bar its key too, until its node is removed."""


@dataclass(frozen=True)
class Applicant:
    """A node that asks, once its key has proven itself."""

    key: NodeKey
    request: RegisterRequest
    address: str

    @property
    def machine(self) -> Machine:
        """The machine that the node says it is."""
        return read_machine(self.request.facts)


@dataclass(frozen=True)
class Decision:
    """What is answered, and the node as it is stored now; `taken_over` when a key took an identity over."""

    reply: RegisterReply
    row: NodeRow
    taken_over: bool = False


def check_applicant(request: RegisterRequest, nonce: str, address: str) -> Applicant:
    """Have a node prove that it has the key it shows. Raises VirtnodeError (invalid or denied)."""
    if request.protocol != PROTOCOL:
        raise VirtnodeError(
            Code.INVALID,
            f"the node speaks version {request.protocol} of the link, and the engine {PROTOCOL}",
            "update the older of the two",
        )
    key = read_csr(request.csr)
    if not is_signed(key.public_key, request.proof, register_proof(nonce)):
        raise VirtnodeError(
            Code.DENIED, "the proof is not by the key of the request", "dial again, and sign the new nonce"
        )
    if len(to_json(request.facts)) > LONGEST_FACTS:
        raise VirtnodeError(Code.INVALID, "the node's facts are too large")
    return Applicant(key, request, address)


@dataclass(frozen=True)
class Registrar:
    """Decides, within the transaction that it is given."""

    connection: Connection
    pki: Pki
    settings: Settings
    now: float
    is_connected: Callable[[str], bool]
    new_id: Callable[[], str] = lambda: str(uuid.uuid4())

    def decide(self, applicant: Applicant) -> Decision:
        """Let in, keep waiting, or refuse."""
        known = node_rows.find_node_by_key(self.connection, applicant.key.fingerprint)
        if known is not None:
            return self._decide_known(known, applicant)
        self._check_key(applicant.key)
        token = applicant.request.token
        name = tokens.check_token(self.connection, token, self.now) if token else ""
        self._forget_former_selves(applicant)
        claimed = self._find_claimed(applicant)
        if token and self._may_take_over(claimed):
            return replace(
                self._certified(self._take_over_by_token(claimed[0], applicant, name)), taken_over=True
            )
        if claimed:
            former = claimed[0]
            reason = (
                f"shows another key on the hardware of {former.name} ({former.state}), which may be a lie"
            )
            return self._keep_waiting(applicant, reason, former.id)
        return self._admit_new(applicant, name) if token else self._keep_waiting(applicant, "", None)

    def certify(self, row: NodeRow) -> tuple[Issued, NodeRow]:
        """Issue a certificate over a node's key, and remember it; return the node as it is stored then."""
        issued = self.pki.issue(
            row.id, bytes.fromhex(row.public_key), days=self.settings.certificate_days, now=self.now
        )
        certificate_rows.insert_certificate(
            self.connection,
            CertificateRow(
                issued.serial,
                row.id,
                issued.fingerprint,
                row.fingerprint,
                issued.authority,
                issued.issued_at,
                issued.expires,
            ),
        )
        node_rows.update_node(
            self.connection, row.id, certificate_serial=issued.serial, certificate_expires=issued.expires
        )
        return issued, replace(row, certificate_serial=issued.serial, certificate_expires=issued.expires)

    def take_over(
        self,
        former: NodeRow,
        key: NodeKey,
        actor: Actor,
        address: str,
        request: RegisterRequest | None = None,
    ) -> NodeRow:
        """Give an identity another key; what was issued over the old one is good no more."""
        certificate_rows.revoke_certificates(self.connection, former.id, reason=REPLACED, now=self.now)
        verdict = node_state.approved()
        values: dict[str, Value] = {
            **_columns_of_key(key),
            "state": verdict.state.value,
            "reason": verdict.reason,
            "action": verdict.action,
            "since": self.now,
            "address": address,
            "approved_at": self.now,
            "approved_by": actor.name,
        }
        if request is not None:
            values |= {"facts": to_json(request.facts), "ladder": to_json(request.ladder)}
        node_rows.update_node(self.connection, former.id, **values)
        event = Event(
            Severity.WARNING,
            "node-rekeyed",
            f"{former.name} goes on with another key; its former certificates are revoked",
            former.id,
            before={"fingerprint": former.fingerprint},
            after={"fingerprint": key.fingerprint},
        )
        events.record(self.connection, event, actor, self.now)
        return self._reload(former.id)

    def _decide_known(self, row: NodeRow, applicant: Applicant) -> Decision:
        state = NodeState(row.state)
        if state is NodeState.REJECTED:
            return Decision(RegisterReply(state, row.id, row.name, reason=row.reason), row)
        if state is NodeState.PENDING:
            return self._decide_pending(row, applicant)
        node_rows.update_node(self.connection, row.id, address=applicant.address)
        return self._certified(replace(row, address=applicant.address))

    def _decide_pending(self, row: NodeRow, applicant: Applicant) -> Decision:
        request = applicant.request
        let_in = self._let_in_by_token(row, applicant) if request.token else None
        if let_in is not None:
            return replace(self._certified(let_in), taken_over=let_in.id != row.id)
        node_rows.update_node(
            self.connection,
            row.id,
            facts=to_json(request.facts),
            ladder=to_json(request.ladder),
            address=applicant.address,
            last_seen=self.now,
        )
        reply = RegisterReply(NodeState.PENDING, row.id, row.name, reason=row.reason)
        return Decision(reply, self._reload(row.id))

    def reconsider(self, applicant: Applicant) -> tuple[str, NodeRow] | None:
        """Let in a node that waits with a token, if what stood in its way is gone.

        Returns the identifier that it waited under, and the node as it is stored then.
        """
        row = node_rows.find_node_by_key(self.connection, applicant.key.fingerprint)
        if row is None or row.state != NodeState.PENDING:
            return None
        let_in = self._let_in_by_token(row, applicant)
        return None if let_in is None else (row.id, let_in)

    def _let_in_by_token(self, row: NodeRow, applicant: Applicant) -> NodeRow | None:
        """Let a waiting node in by its token; None where an administrator has to decide."""
        name = tokens.check_token(self.connection, applicant.request.token, self.now)
        claimed = self._find_claimed(applicant)
        if not claimed:
            tokens.take_use(self.connection, name, self.now)
            return self.admit(row, Actor(f"token:{name}"), token_id=name)
        if not self._may_take_over(claimed):
            return None
        node_rows.delete_node(self.connection, row.id)
        return self._take_over_by_token(claimed[0], applicant, name)

    def _take_over_by_token(self, former: NodeRow, applicant: Applicant, name: str) -> NodeRow:
        tokens.take_use(self.connection, name, self.now)
        actor = Actor(f"token:{name}")
        return self.take_over(former, applicant.key, actor, applicant.address, applicant.request)

    def admit(self, row: NodeRow, actor: Actor, token_id: str | None = None) -> NodeRow:
        """Let a waiting node in; return it as it is stored then."""
        verdict = node_state.approved()
        values: dict[str, Any] = {
            "state": verdict.state.value,
            "reason": verdict.reason,
            "action": verdict.action,
            "since": self.now,
            "claims": None,
            "approved_at": self.now,
            "approved_by": actor.name,
            "token_id": token_id,
        }
        node_rows.update_node(self.connection, row.id, **values)
        event = Event(
            Severity.INFO,
            "node-approved",
            f"{row.name} was let in ({row.code})",
            row.id,
            before={"state": row.state},
            after={"state": verdict.state.value},
        )
        events.record(self.connection, event, actor, self.now)
        return replace(row, **values)

    def _check_key(self, key: NodeKey) -> None:
        barred = certificate_rows.find_key_revocation(self.connection, key.fingerprint, (REVOKED, REPLACED))
        if barred:
            raise VirtnodeError(
                Code.DENIED,
                f"the node's key was {barred}",
                "on the node, virtnodectl new-key makes another one, and it asks again",
            )

    def _find_claimed(self, applicant: Applicant) -> tuple[NodeRow, ...]:
        """Find the nodes whose hardware this one says it is."""
        return tuple(row for row in self._find_twins(applicant) if row.state != NodeState.PENDING)

    def _forget_former_selves(self, applicant: Applicant) -> None:
        """Remove who waited with another key on this hardware and is gone; never one that is here."""
        for row in self._find_twins(applicant):
            if row.state != NodeState.PENDING or self.is_connected(row.id):
                continue
            node_rows.delete_node(self.connection, row.id)
            text = (
                f"{row.name}, with code {row.code}, is no longer waited for: its hardware shows another key"
            )
            event = Event(Severity.INFO, "node-forgotten", text, row.id)
            events.record(self.connection, event, ENGINE, self.now)

    def _find_twins(self, applicant: Applicant) -> tuple[NodeRow, ...]:
        machine = applicant.machine
        if not machine.is_known:
            return ()
        return node_rows.find_nodes_by_hardware(self.connection, machine.uuid, machine.serial)

    def _may_take_over(self, claimed: tuple[NodeRow, ...]) -> bool:
        return (
            self.settings.rekey is Rekey.TOKEN
            and len(claimed) == 1
            and claimed[0].state != NodeState.REJECTED
            and not self.is_connected(claimed[0].id)
        )

    def _admit_new(self, applicant: Applicant, name: str) -> Decision:
        tokens.take_use(self.connection, name, self.now)
        row = self._insert(applicant, node_state.pending(), None)
        return self._certified(self.admit(row, Actor(f"token:{name}"), token_id=name))

    def _keep_waiting(self, applicant: Applicant, reason: str, claims: str | None) -> Decision:
        self._check_room(applicant.address)
        row = self._insert(applicant, node_state.pending(reason), claims)
        event = Event(
            Severity.WARNING if claims else Severity.INFO,
            "node-pending",
            f"{row.name} asks to join, with code {row.code}; {row.reason}",
            row.id,
            after={"fingerprint": row.fingerprint, "address": row.address, "claims": claims},
        )
        events.record(self.connection, event, Actor(f"node:{row.id}"), self.now)
        return Decision(RegisterReply(NodeState.PENDING, row.id, row.name, reason=row.reason), row)

    def _check_room(self, address: str) -> None:
        pending = NodeState.PENDING.value
        most, most_here = self.settings.max_pending, self.settings.max_pending_per_address
        if (
            node_rows.count_nodes(self.connection, pending) >= most
            or node_rows.count_nodes(self.connection, pending, address) >= most_here
        ):
            raise VirtnodeError(
                Code.BUSY, "too many nodes wait for approval", "approve, reject or remove some of them"
            )

    def _insert(self, applicant: Applicant, verdict: node_state.Verdict, claims: str | None) -> NodeRow:
        node = self.new_id()
        row = NodeRow(
            id=node,
            name=self._free_name(applicant.request.facts.hostname, node),
            comment="",
            cluster_id=place_rows.list_clusters(self.connection)[0].id,
            state=verdict.state.value,
            reason=verdict.reason,
            action=verdict.action,
            since=self.now,
            maintenance=False,
            public_key=applicant.key.public_key.hex(),
            fingerprint=applicant.key.fingerprint,
            code=approval_code(applicant.key.public_key),
            hardware_uuid=applicant.machine.uuid,
            serial_number=applicant.machine.serial,
            claims=claims,
            certificate_serial=None,
            certificate_expires=None,
            facts=to_json(applicant.request.facts),
            ladder=to_json(applicant.request.ladder),
            heartbeat=None,
            address=applicant.address,
            last_seen=self.now,
            last_error="",
            created_at=self.now,
            approved_at=None,
            approved_by=None,
            token_id=None,
        )
        node_rows.insert_node(self.connection, row)
        return row

    def _free_name(self, hostname: str, node: str) -> str:
        """Choose a name that no other node has, near to what the node calls itself."""
        asked = "".join(
            one for one in hostname[:LONGEST_NAME] if one.isascii() and (one.isalnum() or one in "-.")
        )
        asked = asked.strip("-.")
        if not asked or asked.startswith("localhost"):
            asked = f"node-{node[:8]}"
        if node_rows.find_node_by_name(self.connection, asked) is None:
            return asked
        return f"{asked[: LONGEST_NAME - 9]}-{node[:8]}"

    def _certified(self, row: NodeRow) -> Decision:
        issued, stored = self.certify(row)
        return Decision(RegisterReply(NodeState(row.state), row.id, row.name, issued.pem), stored)

    def _reload(self, node: str) -> NodeRow:
        row = node_rows.find_node(self.connection, node)
        if row is None:
            raise VirtnodeError(Code.NOT_FOUND, "the node was removed meanwhile", "let it ask again")
        return row


def key_of(row: NodeRow) -> NodeKey:
    """Read a node's stored key."""
    return NodeKey(bytes.fromhex(row.public_key))


def _columns_of_key(key: NodeKey) -> dict[str, Value]:
    return {
        "public_key": key.public_key.hex(),
        "fingerprint": key.fingerprint,
        "code": approval_code(key.public_key),
    }
