"""The nodes of this engine: who is let in, who is here, and what an administrator decides.

Methods may be called from any thread, and wait for the database unless they say otherwise. Who talks to nodes
is told of decisions through an `Audience`, after they are stored.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine import events, node_state
from engine.events import ENGINE, Actor, Event
from engine.node import Node, make_node, read_heartbeat
from engine.node_state import APPROVED_STATES, Graces, Verdict
from engine.options import Settings, load_settings
from engine.origin import network_of
from engine.pki import Pki, read_csr
from engine.presence import Change, Live, Presence
from engine.printable import printable
from engine.registration import REMOVED, Registrar, check_applicant, key_of
from engine.store import certificate_rows, event_rows, node_rows, update_rows
from engine.store.database import Connection, Store
from engine.store.node_rows import NodeRow
from engine.tokens import TokenRefused, WrongTokens
from engine.update_state import is_under_way, judge_update
from nodelib.approval import read_approval_code
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

logger = logging.getLogger(__name__)

PRUNE_INTERVAL = 3600.0
MOST_KEPT = 100
"""How many nodes' states are stored in one transaction of a tick."""
SEVERITIES = {
    NodeState.NON_OPERATIONAL: Severity.WARNING,
    NodeState.UNREACHABLE: Severity.ERROR,
    NodeState.FAILED: Severity.ERROR,
}


class Audience(Protocol):
    """Who holds connections to nodes; called from any thread, and never waits."""

    def approved(self, waiting: str, node: str) -> None:
        """Let the connection of a waiting node know that it is `node` from now on."""

    def rejected(self, node: str, reason: str) -> None:
        """Let the connection of a waiting node know that it is not wanted."""

    def barred(self, node: str, reason: str) -> None:
        """Close every connection of a node at once."""


@dataclass(frozen=True)
class UpdateDecision:
    """What an update makes of its node: a verdict while it has a say, maintenance, and what is logged."""

    verdict: Verdict | None
    maintenance: bool
    event: Event | None = None


@dataclass(frozen=True)
class Identity:
    """Who a certificate says it is: the node, and its key's fingerprint."""

    node: str
    key: str


class Nobody:
    """No connections: an engine that does not run."""

    def approved(self, waiting: str, node: str) -> None:
        """Tell nobody."""

    def rejected(self, node: str, reason: str) -> None:
        """Tell nobody."""

    def barred(self, node: str, reason: str) -> None:
        """Tell nobody."""


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
        self._wrong_tokens = WrongTokens(steady)
        self._pruned = steady()
        with store.read() as connection:
            self._settings = load_settings(connection)
            rows = node_rows.list_nodes(connection)
            updates = update_rows.list_standing(connection)
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
            return tuple(self._presence.overlay(node) for node in nodes)

    def get(self, node: str) -> Node:
        """Find a node by its identifier. Raises VirtnodeError (not-found)."""
        with self._store.read() as connection:
            row = _need(connection, node)
        with self._lock:
            return self._presence.overlay(make_node(row))

    def find_state(self, node: str) -> NodeState | None:
        """Tell what is decided of a node, if it is there."""
        with self._store.read() as connection:
            row = node_rows.find_node(connection, node)
        return None if row is None else NodeState(row.state)

    def find(self, words: str) -> Node:
        """Find a node by approval code, identifier or name, as a person typed it."""
        with self._store.read() as connection:
            row = _find(connection, words)
        with self._lock:
            return self._presence.overlay(make_node(row))

    # What nodes ask

    def register(self, request: RegisterRequest, nonce: str, address: str) -> RegisterReply:
        """Let a node in, keep it waiting, or refuse it. Raises VirtnodeError (invalid, denied or busy)."""
        applicant = check_applicant(request, nonce, address)
        if request.token:
            with self._lock:
                self._wrong_tokens.check(network_of(address))
        try:
            with self._deciding, self._store.write() as connection:
                decision = self._registrar(connection).decide(applicant)
        except TokenRefused as error:
            self._note_refusal(error, address)
            raise
        with self._lock:
            self._presence.admit(decision.row)
        if decision.taken_over:
            self.audience.barred(decision.row.id, "the node goes on with another key")
        return decision.reply

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
            row = _need_approved(connection, node)
            return Approved(row.id, self._registrar(connection).certify(row).pem)

    def renew(self, node: str, request: RenewRequest) -> RenewReply:
        """Issue another certificate over the same key."""
        key = read_csr(request.csr)
        with self._deciding, self._store.write() as connection:
            row = _need_approved(connection, node)
            if key.fingerprint != row.fingerprint:
                raise VirtnodeError(
                    Code.DENIED,
                    "the request is over another key",
                    "renewing keeps the key; register a new one",
                )
            return RenewReply(self._registrar(connection).certify(row).pem)

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
                row = _find(connection, words)
                if row.state != NodeState.PENDING:
                    raise _not_pending(row)
                node = self._approve(connection, row, actor, replace=replace)
                stored = _need(connection, node)
            with self._lock:
                self._presence.admit(stored)
        if node != row.id:
            self.audience.barred(node, "the node goes on with another key")
        self.audience.approved(row.id, node)
        return self.get(node)

    def reject(self, words: str, actor: Actor, reason: str = "") -> Node:
        """Refuse a waiting node; its key stays refused until the node is removed."""
        text = printable(reason, 200) or "an administrator rejected it"
        with self._deciding, self._store.write() as connection:
            row = _find(connection, words)
            if row.state != NodeState.PENDING:
                raise _not_pending(row)
            event = Event(Severity.WARNING, "node-rejected", f"{row.name} was rejected: {text}", row.id)
            self._set(connection, row, node_state.rejected(text), event, actor)
        self.audience.rejected(row.id, text)
        return self.get(row.id)

    def revoke(self, words: str, actor: Actor) -> Node:
        """Let a node's certificates and key be good no more, and close its connection at once."""
        with self._deciding:
            with self._store.write() as connection:
                row = _find(connection, words)
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
                row = _find(connection, words)
                certificate_rows.revoke_certificates(connection, row.id, reason=REMOVED, now=self._clock())
                node_rows.delete_node(connection, row.id)
                before = {"state": row.state, "fingerprint": row.fingerprint}
                event = Event(
                    Severity.WARNING, "node-removed", f"{row.name} was removed", row.id, before=before
                )
                events.record(connection, event, actor, self._clock())
            with self._lock:
                self._presence.forget(row.id)
        self.audience.barred(row.id, "removed")

    def deactivate(self, words: str, actor: Actor, reason: str = "") -> Node:
        """Put a node into maintenance, where it stays until it is activated; the log keeps the reason."""
        return self._maintain(words, actor, maintenance=True, reason=printable(reason, 200))

    def activate(self, words: str, actor: Actor) -> Node:
        """End a node's maintenance."""
        return self._maintain(words, actor, maintenance=False)

    def wish_maintenance(self, node: str, wish: MaintenanceWish) -> None:
        """Put a node into maintenance, or end it, as somebody at the node asks; the log says who."""
        actor = Actor(f"node {node}: {printable(wish.actor, 60) or 'somebody'}")
        if wish.on:
            self.deactivate(node, actor, "asked for at the node")
        else:
            self.activate(node, actor)

    def keep_update(
        self, words: str, actor: Actor, decide: Callable[[Connection, Node], UpdateDecision]
    ) -> Node:
        """Let the update of a node begin, go on or end; `decide` writes in the same transaction."""
        with self._deciding:
            with self._store.write() as connection:
                row = _find(connection, words)
                _check_approved(row)
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
            row = _need(connection, node)
            _check_no_update(connection, row)

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
        while self._keep_some(everything=everything) == MOST_KEPT:
            pass
        due = self._steady() - self._pruned >= PRUNE_INTERVAL
        if due:
            self._prune()

    def _keep_some(self, *, everything: bool) -> int:
        """Store some of what changed, so that decisions need not wait for all of it; return how many."""
        with self._deciding:
            with self._lock:
                changes = self._presence.changes(everything=everything)[:MOST_KEPT]
            if changes:
                with self._store.write() as connection:
                    for change in changes:
                        self._keep(connection, change)
                with self._lock:
                    self._presence.written(changes)
        return len(changes)

    def _keep(self, connection: Connection, change: Change) -> None:
        node_rows.update_node(connection, change.node, **change.values)
        after = change.verdict
        if after.state is change.before:
            return
        text = f"{change.name} is {after.state}" + (f": {after.reason}" if after.reason else "")
        event = Event(
            SEVERITIES.get(after.state, Severity.INFO),
            "node-state",
            text,
            change.node,
            before={"state": change.before.value},
            after={"state": after.state.value},
        )
        events.record(connection, event, ENGINE, self._clock())

    def _prune(self) -> None:
        settings = self._settings
        with self._store.write() as connection:
            oldest = self._clock() - settings.event_days * 86400
            gone = event_rows.prune_events(connection, before=oldest, keep=settings.max_events)
        self._pruned = self._steady()
        logger.info("events: forgot %d", gone)

    def _maintain(self, words: str, actor: Actor, *, maintenance: bool, reason: str = "") -> Node:
        with self._deciding:
            with self._store.write() as connection:
                row = _find(connection, words)
                _check_approved(row)
                _check_no_update(connection, row)
                # What a bad update left behind is neither, and may become either.
                acknowledged = update_rows.acknowledge(connection, row.id)
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
                self._presence.settle(live)
            self.tick()
        return self.get(row.id)

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
        return live is not None and live.connection is not None

    def _need_live(self, node: str) -> Live:
        live = self._presence.find(node)
        if live is None:
            raise VirtnodeError(Code.NOT_FOUND, f"there is no node {printable(node, 60)} that was let in")
        return live

    def _note_refusal(self, error: VirtnodeError, address: str) -> None:
        with self._lock:
            self._wrong_tokens.count(network_of(address))
        with self._store.write() as connection:
            event = Event(Severity.WARNING, "token-refused", f"{error.message}, from {address}")
            events.record(connection, event, ENGINE, self._clock())


def _denied(message: str) -> VirtnodeError:
    hint = "the node registers again by itself; if that is refused, remove the node here and join it anew"
    return VirtnodeError(Code.DENIED, message, hint)


def _graces(settings: Settings) -> Graces:
    return Graces(settings.grace_seconds, settings.start_grace_seconds, settings.reboot_seconds)


def _guests(row: NodeRow) -> int:
    return 0 if row.heartbeat is None else read_heartbeat(row.heartbeat).guests


def _need(connection: Connection, node: str) -> NodeRow:
    row = node_rows.find_node(connection, printable(node, 100))
    if row is None:
        raise VirtnodeError(
            Code.NOT_FOUND, f"there is no node {printable(node, 60)}", "virtnode-engine nodes list shows them"
        )
    return row


def _find(connection: Connection, words: str) -> NodeRow:
    row = node_rows.find_node(connection, printable(words, 100))
    if row is not None:
        return row
    by_code = node_rows.find_nodes_by_code(connection, read_approval_code(printable(words, 100)))
    if len(by_code) > 1:
        raise VirtnodeError(
            Code.CONFLICT, "more than one node shows this code, so somebody lies", "compare fingerprints"
        )
    if by_code:
        return by_code[0]
    return node_rows.find_node_by_name(connection, printable(words, 100)) or _need(connection, words)


def _need_approved(connection: Connection, node: str) -> NodeRow:
    row = _need(connection, node)
    _check_approved(row)
    return row


def _check_approved(row: NodeRow) -> None:
    if row.state not in APPROVED_STATES:
        raise VirtnodeError(Code.CONFLICT, f"{row.name} is {row.state}", "approve it first")


def _check_no_update(connection: Connection, row: NodeRow) -> None:
    update = update_rows.find_update(connection, row.id)
    if update is not None and is_under_way(update):
        raise VirtnodeError(
            Code.CONFLICT,
            f"{row.name} is being updated to {update.version}",
            f"wait; virtnode-engine nodes updates {row.name} tells how it goes",
        )


def _not_pending(row: NodeRow) -> VirtnodeError:
    hint = (
        "remove it to let it ask again" if row.state == NodeState.REJECTED else "there is nothing to decide"
    )
    return VirtnodeError(Code.CONFLICT, f"{row.name} does not wait for approval: it is {row.state}", hint)
