"""The nodes of this engine: who is let in, who is here, and what an administrator decides.

Methods may be called from any thread, and wait for the database unless they say otherwise. Who talks to nodes
is told of decisions through an `Audience`, after they are stored.
"""

import dataclasses
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from engine import events, node_state
from engine.audience import Audience, Nobody
from engine.events import ENGINE, Actor, Event
from engine.hardware import Machine
from engine.keeper import Keeper
from engine.node import Node, make_node, read_heartbeat
from engine.node_state import APPROVED_STATES, Graces, Verdict
from engine.options import Settings, load_settings
from engine.origin import network_of
from engine.pki import Pki, read_csr
from engine.presence import Live, Presence
from engine.printable import printable
from engine.registration import REMOVED, Applicant, Decision, Registrar, check_applicant, key_of
from engine.store import certificate_rows, node_rows, update_rows
from engine.store.database import Connection, Store
from engine.store.node_rows import NodeRow
from engine.stored_node import (
    check_approved,
    check_no_update,
    find_stored,
    need_approved,
    need_stored,
    not_pending,
)
from engine.tokens import TokenRefused, WrongTokens
from engine.update_state import UpdateDecision, judge_update
from engine.waiting import Guest, WaitingRoom
from nodelib.errors import Code, VirtnodeError
from nodelib.link import (
    REVOKED,
    Approved,
    EventsRequest,
    Heartbeat,
    HeartbeatReply,
    MaintenanceWish,
    NodeState,
    RegisterReply,
    RegisterRequest,
    RenewReply,
    RenewRequest,
    Severity,
)


@dataclass(frozen=True)
class Identity:
    """Who a certificate says it is: the node, and its key's fingerprint."""

    node: str
    key: str


class Nodes:
    """All nodes, and every decision about them."""

    def __init__(
        self,
        store: Store,
        pki: Pki,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.audience: Audience = Nobody()
        self._store = store
        self._pki = pki
        self._clock = clock
        self._steady = steady
        self._new_id = new_id
        self._deciding = threading.RLock()
        """Held by whoever decides, which takes as long as the database does; taken before `_lock`."""
        self._lock = threading.RLock()
        """Held by whoever looks at `_presence` or changes it, and never while anything is waited for."""
        self._presence = Presence(clock, steady)
        self._room = WaitingRoom(clock)
        self._wrong_tokens = WrongTokens(steady)
        with store.read() as connection:
            self._settings = load_settings(connection)
            rows = node_rows.list_nodes(connection)
            updates = update_rows.list_standing(connection)
        self._keeper = Keeper(
            store,
            self._presence,
            self._room,
            self._deciding,
            self._lock,
            clock,
            steady,
            lambda: self._settings,
        )
        self._presence.graces = _graces(self._settings)
        for row in rows:
            self._presence.admit(row, _guests(row))
        for update in updates:
            self.show_update(update.node_id, judge_update(update))

    @property
    def settings(self) -> Settings:
        """The settings in force; does not wait."""
        return self._settings

    def apply_settings(self, settings: Settings) -> None:
        """Go by other settings from now on; does not wait."""
        self._settings = settings
        self._presence.graces = _graces(settings)

    # What is known

    def list(self, most: int | None = None) -> tuple[Node, ...]:
        """List nodes by name: all of them, or the first ones."""
        with self._store.read() as connection:
            rows = node_rows.list_nodes(connection, most)
        nodes = [make_node(row) for row in rows]
        with self._lock:
            return tuple(self._overlay(node) for node in nodes)

    def get(self, node: str) -> Node:
        """Find a node by its identifier. Raises VirtnodeError (not-found)."""
        with self._store.read() as connection:
            found = make_node(need_stored(connection, node))
        with self._lock:
            return self._overlay(found)

    def find_state(self, node: str) -> NodeState | None:
        """Tell what is decided of a node, if it is there."""
        with self._store.read() as connection:
            row = node_rows.find_node(connection, node)
        return None if row is None else NodeState(row.state)

    def find(self, words: str) -> Node:
        """Find a node by approval code, identifier or name, as a person typed it."""
        with self._store.read() as connection:
            found = make_node(find_stored(connection, words))
        with self._lock:
            return self._overlay(found)

    # What nodes ask

    def register(
        self, request: RegisterRequest, nonce: str, address: str, connection: object | None = None
    ) -> RegisterReply:
        """Let a node in, keep it waiting, or refuse it. Raises VirtnodeError (invalid, denied or busy).

        A node that is kept waiting counts as connected until its `connection` has `left`.
        """
        applicant = check_applicant(request, nonce, address)
        if request.token:
            with self._lock:
                self._wrong_tokens.check(network_of(address))
        try:
            decision = self._decide(applicant, connection)
        except TokenRefused as error:
            self._note_refusal(error, address)
            raise
        if decision.taken_over:
            self.audience.barred(decision.row.id, "the node goes on with another key")
        return decision.reply

    def left(self, connection: object) -> None:
        """Note the end of a connection on which nodes waited. Does not wait."""
        self._room.leave(connection)

    def has_heirs(self, node: str) -> bool:
        """Tell whether somebody waits with a token for a node to be gone. Does not wait."""
        return bool(self._room.heirs(node))

    def reconsider(self, former: str) -> None:
        """Let in the first who waits with a token and the hardware of a node, if that node is gone."""
        for applicant in self._room.heirs(former):
            try:
                with self._deciding:
                    with self._store.write() as connection:
                        let_in = self._registrar(connection).reconsider(applicant)
                    if let_in is None:
                        continue
                    waiting, row = let_in
                    with self._lock:
                        self._presence.admit(row)
                    self._room.forget(waiting)
            except TokenRefused as error:
                # It was good when it was shown: nobody guessed, and it is not tried again.
                self._room.lose_token(applicant)
                self._tell_refusal(error, applicant.address)
                continue
            if row.id != waiting:
                self.audience.barred(row.id, "the node goes on with another key")
            self.audience.approved(waiting, row.id)
            return

    def _decide(self, applicant: Applicant, connection: object | None) -> Decision:
        with self._deciding:
            with self._store.write() as transaction:
                decision = self._registrar(transaction).decide(applicant)
            # Whoever revokes comes before the decision, or after the node is followed.
            with self._lock:
                self._presence.admit(decision.row)
                live = self._presence.find(decision.row.id)
                if live is not None:
                    self._presence.compare(live, applicant.machine)
            row, bears_token = decision.row, bool(applicant.request.token)
            if row.state != NodeState.PENDING:
                self._room.forget(row.id)
            elif connection is not None:
                self._room.enter(row.id, Guest(connection, applicant if bears_token else None, row.claims))
        return decision

    def authenticate(self, serial: str, fingerprint: str) -> Identity:
        """Tell which node a certificate belongs to. Raises VirtnodeError (denied) if it may not be used."""
        with self._store.read() as connection:
            certificate = certificate_rows.find_certificate(connection, serial)
            row = None if certificate is None else node_rows.find_node(connection, certificate.node_id)
        if certificate is None or certificate.fingerprint != fingerprint:
            raise _denied("the engine did not issue this certificate")
        if certificate.revoked_at is not None:
            raise _denied("the certificate was revoked")
        if certificate.authority not in {one.fingerprint for one in self._pki.trusted()}:
            raise _denied("the certificate is of an authority that was retired")
        if certificate.expires <= self._clock():
            raise _denied("the certificate has expired")
        if row is None or row.state not in APPROVED_STATES or row.fingerprint != certificate.key_fingerprint:
            raise _denied("the node of this certificate is not let in")
        if self._presence.find(row.id) is None:
            self._follow(row.id)
        return Identity(row.id, row.fingerprint)

    def issue(self, node: str) -> Approved:
        """Issue a certificate to a node that was let in while it waited on its connection."""
        with self._deciding, self._store.write() as connection:
            row = need_approved(connection, node)
            return Approved(row.id, self._registrar(connection).certify(row)[0].pem)

    def renew(self, node: str, request: RenewRequest) -> RenewReply:
        """Issue another certificate over the same key."""
        key = read_csr(request.csr)
        with self._deciding, self._store.write() as connection:
            row = need_approved(connection, node)
            if key.fingerprint != row.fingerprint:
                raise VirtnodeError(
                    Code.DENIED,
                    "the request is over another key",
                    "renewing keeps the key; register a new one",
                )
            return RenewReply(self._registrar(connection).certify(row)[0].pem)

    def report_events(self, node: str, request: EventsRequest) -> None:
        """Keep what a node reports of itself, each event once."""
        with self._store.write() as connection:
            events.record_of_node(connection, node, request.events, self._clock())

    def connected(self, identity: Identity, connection: object) -> None:
        """Note that a node is connected; the connection takes the place of the one before. Does not wait.

        Raises VirtnodeError (denied) if the node was barred since it showed its certificate.
        """
        with self._lock:
            live = self._presence.find(identity.node)
            if live is None or live.key != identity.key:
                raise _denied("the node was barred a moment ago")
            self._presence.connect(live, connection)

    def disconnected(self, node: str, connection: object) -> None:
        """Note that a connection ended. Does not wait."""
        with self._lock:
            live = self._presence.find(node)
            if live is not None:
                self._presence.disconnect(live, connection)

    def heartbeat(self, node: str, heartbeat: Heartbeat) -> HeartbeatReply:
        """Note that a node lives, and tell it what it is taken for. Does not wait."""
        with self._lock:
            live = self._presence.find(node)
            if live is None:
                raise _denied("the node was removed")
            self._presence.hear(live, heartbeat)
            return HeartbeatReply(live.verdict.state, live.name, live.verdict.reason, self._clock())

    # What administrators decide

    def approve(self, words: str, actor: Actor, *, replace: bool = False) -> Node:
        """Let a waiting node in; with `replace` it takes over the identity that it claims."""
        with self._deciding:
            with self._store.write() as connection:
                row = find_stored(connection, words)
                if row.state != NodeState.PENDING:
                    raise not_pending(row)
                node = self._approve(connection, row, actor, replace=replace)
                stored = need_stored(connection, node)
            with self._lock:
                self._presence.admit(stored)
            self._room.forget(row.id)
        if node != row.id:
            self.audience.barred(node, "the node goes on with another key")
        self.audience.approved(row.id, node)
        return self.get(node)

    def reject(self, words: str, actor: Actor, reason: str = "") -> Node:
        """Refuse a waiting node; its key stays refused until the node is removed."""
        text = printable(reason, 200) or "an administrator rejected it"
        with self._deciding, self._store.write() as connection:
            row = find_stored(connection, words)
            if row.state != NodeState.PENDING:
                raise not_pending(row)
            event = Event(Severity.WARNING, "node-rejected", f"{row.name} was rejected: {text}", row.id)
            self._set(connection, row, node_state.rejected(text), event, actor)
        self.audience.rejected(row.id, text)
        return self.get(row.id)

    def revoke(self, words: str, actor: Actor) -> Node:
        """Let a node's certificates and key be good no more, and close its connection at once."""
        with self._deciding:
            with self._store.write() as connection:
                row = find_stored(connection, words)
                if row.state not in APPROVED_STATES:
                    raise VirtnodeError(Code.CONFLICT, f"{row.name} is {row.state}: it has nothing to revoke")
                certificate_rows.revoke_certificates(connection, row.id, reason=REVOKED, now=self._clock())
                text = f"{row.name}'s certificates were revoked"
                event = Event(Severity.WARNING, "node-revoked", text, row.id)
                self._set(connection, row, node_state.rejected("an administrator revoked it"), event, actor)
            with self._lock:
                self._presence.forget(row.id)
        self.audience.barred(row.id, REVOKED)
        return self.get(row.id)

    def remove(self, words: str, actor: Actor) -> None:
        """Forget a node. Its certificates are good no more; its key may ask again like any other."""
        with self._deciding:
            with self._store.write() as connection:
                row = find_stored(connection, words)
                certificate_rows.revoke_certificates(connection, row.id, reason=REMOVED, now=self._clock())
                node_rows.delete_node(connection, row.id)
                before = {"state": row.state, "fingerprint": row.fingerprint}
                event = Event(
                    Severity.WARNING, "node-removed", f"{row.name} was removed", row.id, before=before
                )
                events.record(connection, event, actor, self._clock())
            with self._lock:
                self._presence.forget(row.id)
            self._room.forget(row.id)
        self.audience.barred(row.id, "removed")
        self.reconsider(row.id)

    def deactivate(self, words: str, actor: Actor, reason: str = "") -> Node:
        """Put a node into maintenance, where it stays until it is activated; the log keeps the reason."""
        return self._maintain(words, actor, maintenance=True, reason=printable(reason, 200))

    def activate(self, words: str, actor: Actor) -> Node:
        """End a node's maintenance, and take the machine that it runs on for the right one."""
        return self._maintain(words, actor, maintenance=False, accepts_machine=True)

    def wish_maintenance(self, node: str, wish: MaintenanceWish) -> None:
        """Put a node into maintenance, or end it, as somebody at the node asks; the log says who."""
        actor = Actor(f"node {node}: {printable(wish.actor, 60) or 'somebody'}")
        reason = "asked for at the node" if wish.on else ""
        self._maintain(node, actor, maintenance=wish.on, reason=reason)

    def keep_update(
        self, words: str, actor: Actor, decide: Callable[[Connection, Node], UpdateDecision]
    ) -> Node:
        """Let the update of a node begin, go on or end; `decide` writes in the same transaction."""
        with self._deciding:
            with self._store.write() as connection:
                row = find_stored(connection, words)
                check_approved(row)
                with self._lock:
                    node = self._presence.overlay(make_node(row))
                decision = decide(connection, node)
                node_rows.update_node(connection, row.id, maintenance=decision.maintenance)
                if decision.event is not None:
                    events.record(connection, decision.event, actor, self._clock())
            self._follow(row.id)
            with self._lock:
                live = self._need_live(row.id)
                live.maintenance, live.update = decision.maintenance, decision.verdict
                self._presence.settle(live)
            self.tick()
        return self.get(row.id)

    def show_update(self, node: str, verdict: Verdict | None) -> None:
        """Show how the update of a node stands; nothing is stored, and nobody waits."""
        with self._lock:
            live = self._presence.find(node)
            if live is not None:
                live.update = verdict
                self._presence.settle(live)

    def check_no_update(self, node: str) -> None:
        """See that a node is not being updated. Raises VirtnodeError (conflict)."""
        with self._store.read() as connection:
            row = need_stored(connection, node)
            check_no_update(connection, row)

    def note_reboot(self, node: str, actor: Actor) -> None:
        """Note that a node was asked to reboot, so that nobody wonders where it is."""
        with self._deciding:
            live = self._need_live(node)
            with self._store.write() as connection:
                event = Event(Severity.INFO, "node-rebooting", f"{live.name} was asked to reboot", node)
                events.record(connection, event, actor, self._clock())
            with self._lock:
                live.rebooting_since = self._steady()
                self._presence.settle(live)

    # What time brings

    def tick(self, *, everything: bool = False) -> None:
        """Let states follow from the time that went by, and store what changed; to be called every second."""
        self._keeper.keep(everything=everything)

    def _maintain(
        self,
        words: str,
        actor: Actor,
        *,
        maintenance: bool,
        reason: str = "",
        accepts_machine: bool = False,
    ) -> Node:
        with self._deciding:
            with self._store.write() as connection:
                row = find_stored(connection, words)
                check_approved(row)
                check_no_update(connection, row)
                # What a bad update left behind is neither, and may become either.
                acknowledged = update_rows.acknowledge(connection, row.id)
                machine = self._accept_machine(connection, row) if accepts_machine else None
                acknowledged |= machine is not None
                if row.maintenance is maintenance and not acknowledged:
                    state = "in maintenance" if maintenance else "active"
                    raise VirtnodeError(Code.CONFLICT, f"{row.name} is {state} already")
                node_rows.update_node(connection, row.id, maintenance=maintenance)
                kind = "node-deactivated" if maintenance else "node-activated"
                text = f"{row.name} was {'put into maintenance' if maintenance else 'activated'}"
                text += f": {reason}" if reason else ""
                events.record(connection, Event(Severity.INFO, kind, text, row.id), actor, self._clock())
            self._follow(row.id)
            with self._lock:
                live = self._need_live(row.id)
                live.maintenance, live.update = maintenance, None
                if machine is not None:
                    self._presence.accept_machine(live, machine)
                self._presence.settle(live)
            self.tick()
        return self.get(row.id)

    def _accept_machine(self, connection: Connection, row: NodeRow) -> Machine | None:
        """Store the machine that came last with a node's key, if another one than its own ever came."""
        with self._lock:
            live = self._presence.find(row.id)
            machine = None if live is None or live.other_machine is None else live.shown
        if machine is not None:
            values = {"hardware_uuid": machine.uuid, "serial_number": machine.serial}
            node_rows.update_node(connection, row.id, **values)
        return machine

    def _follow(self, node: str) -> None:
        """Follow an approved node that is not followed yet, as it is stored now."""
        with self._deciding:
            with self._store.read() as connection:
                row = node_rows.find_node(connection, node)
            with self._lock:
                if row is not None and self._presence.find(node) is None:
                    self._presence.admit(row, _guests(row))

    def _approve(self, connection: Connection, row: NodeRow, actor: Actor, *, replace: bool) -> str:
        registrar = self._registrar(connection)
        if not replace:
            registrar.admit(row, actor)
            return row.id
        former = node_rows.find_node(connection, row.claims) if row.claims else None
        if former is None or former.state not in APPROVED_STATES:
            raise VirtnodeError(
                Code.CONFLICT,
                f"{row.name} claims no identity that it could replace",
                "approve it as a new node",
            )
        node_rows.delete_node(connection, row.id)
        registrar.take_over(former, key_of(row), actor, row.address)
        return former.id

    def _set(
        self, connection: Connection, row: NodeRow, verdict: node_state.Verdict, event: Event, actor: Actor
    ) -> None:
        node_rows.update_node(
            connection,
            row.id,
            state=verdict.state.value,
            reason=verdict.reason,
            action=verdict.action,
            since=self._clock(),
        )
        events.record(connection, event, actor, self._clock())

    def _registrar(self, connection: Connection) -> Registrar:
        return Registrar(
            connection, self._pki, self._settings, self._clock(), self._is_connected, self._new_id
        )

    def _is_connected(self, node: str) -> bool:
        live = self._presence.find(node)
        return self._room.has(node) or (live is not None and live.connection is not None)

    def _overlay(self, node: Node) -> Node:
        """Bring a stored node up to this moment."""
        if node.state is not NodeState.PENDING:
            return self._presence.overlay(node)
        seen = self._room.last_seen(node.id, node.last_seen)
        return dataclasses.replace(node, connected=self._room.has(node.id), last_seen=seen)

    def _need_live(self, node: str) -> Live:
        live = self._presence.find(node)
        if live is None:
            raise VirtnodeError(Code.NOT_FOUND, f"there is no node {printable(node, 60)} that was let in")
        return live

    def _note_refusal(self, error: VirtnodeError, address: str) -> None:
        with self._lock:
            self._wrong_tokens.count(network_of(address))
        self._tell_refusal(error, address)

    def _tell_refusal(self, error: VirtnodeError, address: str) -> None:
        with self._store.write() as connection:
            event = Event(Severity.WARNING, "token-refused", f"{error.message}, from {address}")
            events.record(connection, event, ENGINE, self._clock())


def _denied(message: str) -> VirtnodeError:
    hint = "the node registers again by itself; if that is refused, remove the node here and join it anew"
    return VirtnodeError(Code.DENIED, message, hint)


def _graces(settings: Settings) -> Graces:
    return Graces(settings.grace_seconds, settings.start_grace_seconds, settings.reboot_seconds)


def _guests(row: NodeRow) -> int:
    heartbeat = None if row.heartbeat is None else read_heartbeat(row.heartbeat)
    return 0 if heartbeat is None else heartbeat.guests
