"""One connection to the engine, from its first message to the end: prove, register, work."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Protocol

from nodeagent.bell import Bell
from nodeagent.clocks import Clocks
from nodeagent.engine_time import EngineTime
from nodeagent.events import EventQueue
from nodeagent.facts.collector import same_machine
from nodeagent.identity import Identity, Membership
from nodeagent.join_error import JoinError
from nodeagent.progress import ProgressBoard
from nodeagent.rpc import Answer, Frames, Rpc
from nodeagent.trust import read_authorities, verify_engine
from nodeagent.update.engine_image import EngineImages
from nodeagent.uploads import Uploads
from nodeagent.wishes import Wishes
from nodelib.bus_update import RollBack, UpdateView
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Facts
from nodelib.ladder import Rung, Step
from nodelib.link import (
    APPLY_CONFIG,
    APPROVED,
    CONFIRM_CONFIG,
    GET_CONFIG,
    GET_FACTS,
    HEARTBEAT,
    HEARTBEAT_INTERVAL,
    HELLO,
    PROTOCOL,
    REBOOT,
    REGISTER,
    REJECTED,
    RENEW,
    REPORT_EVENTS,
    SEND_ARCHIVE,
    TRUST,
    ApplyReply,
    ApplyRequest,
    Approved,
    ConfigReply,
    ConfirmRequest,
    EventsRequest,
    Heartbeat,
    Hello,
    NodeState,
    Nothing,
    RegisterRequest,
    Rejected,
    RenewRequest,
    TrustRequest,
    register_proof,
)
from nodelib.link_update import (
    FETCH_IMAGE,
    GET_PACKAGES,
    GET_UPDATE,
    ROLL_BACK,
    UPDATE,
    PackagesReply,
    UpdateOrder,
)

logger = logging.getLogger(__name__)

HELLO_TIMEOUT = 15.0
CALL_TIMEOUT = 30.0
"""Seconds that the engine may take."""
RENEW_AGAIN = 600.0
"""Seconds after which a renewal that failed is tried again."""


class Outcome(Enum):
    """Why a connection ended as it should."""

    REDIAL = auto()
    REJECTED = auto()


class NodeSide(Protocol):
    """What the link needs of the agent: what the node is, and what the engine may ask of it."""

    def hostname(self) -> str:
        """Name this machine."""

    def facts(self) -> Facts:
        """Tell what was found last."""

    def ladder(self) -> tuple[Rung, ...]:
        """Tell how the join stands."""

    def heartbeat(self) -> Heartbeat:
        """Tell how the node fares; facts are left to the caller."""

    def show_config(self) -> ConfigReply:
        """Show the intent in force."""

    def apply_config(self, request: ApplyRequest) -> ApplyReply:
        """Apply a change of intent."""

    def confirm_config(self, ticket: str) -> None:
        """Keep an applied change."""

    def reboot(self) -> None:
        """Restart the machine."""

    def begin_update(self, order: UpdateOrder) -> None:
        """Begin with a bundle of the engine's."""

    def show_update(self) -> UpdateView:
        """Tell how the newest update stands."""

    def roll_back(self, request: RollBack) -> None:
        """Go back to the other slot's image."""

    def packages(self) -> PackagesReply:
        """Tell what the image was made of."""


@dataclass(frozen=True)
class Joining:
    """What stays the same from connection to connection."""

    identity: Identity
    node: NodeSide
    board: ProgressBoard
    events: EventQueue
    deeds: Executor
    """Where what takes time is done, one deed after the other."""
    clocks: Clocks
    wishes: Wishes = field(default_factory=Wishes)
    """What other threads ask of the engine."""
    uploads: Uploads = field(default_factory=Uploads)
    images: EngineImages = field(default_factory=EngineImages)
    bell: Bell = field(default_factory=Bell)
    """Rung by whoever has something new for the engine."""
    asides: Executor | None = None
    """Where questions are answered that take time, beside the deeds; with the deeds where there is none."""


class LinkSession:
    """The node's side of one connection."""

    def __init__(
        self,
        joining: Joining,
        frames: Frames,
        engine_time: EngineTime,
        *,
        leaf: bytes,
        pins: Sequence[str],
        engine: str,
        token: str,
    ) -> None:
        self._joining = joining
        self._rpc = Rpc(frames, joining.clocks.monotonic)
        self._leaf = leaf
        self._pins = pins
        self._engine = engine
        self._token = token
        self._outcome: Outcome | None = None
        self._sent_facts: Facts | None = None
        self._engine_time = engine_time

    def run(self, *, joined: bool, is_wanted: Callable[[], bool]) -> Outcome:
        """Speak with the engine until the connection has served its purpose.

        `joined` says that the connection carries this node's certificate. Raises JoinError and Closed.
        """
        hello = self._prove()
        self._serve()
        if joined:
            self._work(is_wanted)
        else:
            self._register(hello, is_wanted)
        return self._outcome or Outcome.REDIAL

    def _prove(self) -> Hello:
        try:
            hello = self._rpc.expect(HELLO, HELLO_TIMEOUT)
        except VirtnodeError as error:
            hint = "is this the engine's link port (7443)?"
            raise JoinError(Step.TLS_PIN, error.code, error.message, error.hint or hint) from error
        verified = verify_engine(hello, self._leaf, self._pins, self._joining.clocks.wall())
        self._engine_time.measure(verified.skew)
        self._joining.board.measure(verified.skew)
        if hello.protocol != PROTOCOL:
            raise JoinError(
                Step.TLS_PIN,
                Code.CONFLICT,
                f"the engine speaks version {hello.protocol} of the link, and this node version {PROTOCOL}",
                "update whichever is older",
            )
        self._joining.board.reach(Step.TLS_PIN)
        self._rpc.acknowledge()
        return hello

    def _serve(self) -> None:
        node, deeds = self._joining.node, self._joining.deeds

        def confirm(request: ConfirmRequest) -> Nothing:
            node.confirm_config(request.ticket)
            return Nothing()

        def reboot(request: Nothing) -> Nothing:
            node.reboot()
            return Nothing()

        def show(request: Nothing) -> ConfigReply:
            return node.show_config()

        def update(order: UpdateOrder) -> Nothing:
            node.begin_update(order)
            return Nothing()

        def roll_back(request: RollBack) -> Nothing:
            node.roll_back(request)
            return Nothing()

        asides = self._joining.asides or deeds
        self._rpc.serve(
            Answer(APPROVED, self._accept_approval),
            Answer(REJECTED, self._accept_rejection),
            Answer(TRUST, self._accept_trust),
            Answer(GET_FACTS, lambda request: node.facts()),
            Answer(GET_CONFIG, show, deeds),
            Answer(APPLY_CONFIG, node.apply_config, deeds),
            Answer(CONFIRM_CONFIG, confirm, deeds),
            Answer(REBOOT, reboot, deeds),
            Answer(UPDATE, update, asides),
            Answer(GET_UPDATE, lambda request: node.show_update(), asides),
            Answer(ROLL_BACK, roll_back, asides),
            Answer(GET_PACKAGES, lambda request: node.packages(), asides),
        )

    def _register(self, hello: Hello, is_wanted: Callable[[], bool]) -> None:
        joining = self._joining
        request = RegisterRequest(
            PROTOCOL,
            joining.identity.make_csr(joining.node.hostname()),
            joining.identity.sign(register_proof(hello.nonce)),
            joining.node.facts(),
            self._token,
            joining.node.ladder(),
        )
        try:
            reply = self._rpc.call(REGISTER, request, CALL_TIMEOUT)
        except VirtnodeError as error:
            step = Step.TOKEN if self._token and error.code is not Code.UNAVAILABLE else Step.APPROVAL
            raise JoinError(step, error.code, error.message, error.hint) from error
        joining.board.reach(Step.TOKEN)
        joining.board.hear(state=reply.state.value, reason=reply.reason, node=reply.node, name=reply.name)
        if reply.certificate:
            self._accept_approval(Approved(reply.node, reply.certificate))
        elif reply.state is NodeState.REJECTED:
            self._accept_rejection(Rejected(reply.reason))
        else:
            logger.info("waiting for approval: code %s", joining.identity.code)
        while self._outcome is None and is_wanted():
            self._rpc.pump(HEARTBEAT_INTERVAL)

    def _work(self, is_wanted: Callable[[], bool]) -> None:
        try:
            self._work_on(is_wanted)
        finally:
            gone = VirtnodeError(Code.UNAVAILABLE, "the connection to the engine was lost", "try again")
            self._joining.uploads.fail(gone)

    def _work_on(self, is_wanted: Callable[[], bool]) -> None:
        now = self._joining.clocks.monotonic
        beat_at = renew_at = now()
        while self._outcome is None and is_wanted():
            self._joining.bell.clear()
            if now() >= beat_at:
                self._beat()
                if now() >= renew_at and self._is_renewal_due():
                    renew_at = now() + RENEW_AGAIN
                    self._renew()
                beat_at = now() + HEARTBEAT_INTERVAL * (0.8 + 0.4 * self._joining.clocks.random())
            self._report_events()
            self._joining.uploads.send_next(lambda part: self._rpc.call(SEND_ARCHIVE, part, CALL_TIMEOUT))
            self._joining.images.fetch_next(lambda part: self._rpc.call(FETCH_IMAGE, part, CALL_TIMEOUT))
            self._pass_on_wishes()
            # While a file is on its way nothing is waited for.
            is_busy = self._joining.uploads.is_waiting or self._joining.images.is_waiting
            pause = 0.0 if is_busy else max(0.0, beat_at - now())
            self._rpc.pump(pause, self._joining.bell)

    def _beat(self) -> None:
        joining = self._joining
        facts = joining.node.facts()
        beat = joining.node.heartbeat()
        if not same_machine(self._sent_facts, facts):
            beat = replace(beat, facts=facts)
        try:
            reply = self._rpc.call(HEARTBEAT, beat, CALL_TIMEOUT)
        except VirtnodeError as error:
            step = Step.APPROVAL if error.code is Code.DENIED else Step.HEARTBEAT
            raise JoinError(step, error.code, error.message, error.hint) from error
        self._sent_facts = facts
        joining.board.reach(Step.HEARTBEAT)
        joining.board.hear(state=reply.state.value, reason=reply.reason, name=reply.name)
        known = joining.identity.membership()
        joining.identity.store_membership(Membership(self._engine, known.node, reply.name))

    def _is_renewal_due(self) -> bool:
        validity = self._joining.identity.validity()
        return validity is not None and self._engine_time.now() >= validity.renewal()

    def _renew(self) -> None:
        identity = self._joining.identity
        try:
            request = RenewRequest(identity.make_csr(self._joining.node.hostname()))
            identity.store_certificate(self._rpc.call(RENEW, request, CALL_TIMEOUT).certificate)
        except VirtnodeError as error:
            logger.warning("the certificate could not be renewed, trying again later: %s", error.message)
        else:
            logger.info("the certificate was renewed")

    def _report_events(self) -> None:
        # All that wait: whoever leaves or restarts gives the last of them some seconds.
        while events := self._joining.events.waiting():
            try:
                self._rpc.call(REPORT_EVENTS, EventsRequest(events), CALL_TIMEOUT)
            except VirtnodeError as error:
                if error.code is Code.UNAVAILABLE:
                    raise
                # What the engine cannot read today it cannot read tomorrow.
                logger.warning("the engine refused %d events: %s", len(events), error.message)
            self._joining.events.acknowledge(events)

    def _pass_on_wishes(self) -> None:
        for wish in self._joining.wishes.take():
            wish.fulfil(lambda verb, request: self._rpc.call(verb, request, CALL_TIMEOUT))

    def _accept_approval(self, approved: Approved) -> Nothing:
        self._joining.identity.store_certificate(approved.certificate)
        self._joining.identity.store_membership(Membership(self._engine, approved.node))
        self._joining.board.hear(state=NodeState.CONNECTING.value, node=approved.node)
        self._joining.board.reach(Step.APPROVAL)
        logger.info("the engine approved this node")
        self._outcome = Outcome.REDIAL
        return Nothing()

    def _accept_rejection(self, rejected: Rejected) -> Nothing:
        self._joining.board.hear(state=NodeState.REJECTED.value, reason=rejected.reason)
        logger.warning("the engine rejected this node: %s", rejected.reason)
        self._outcome = Outcome.REJECTED
        return Nothing()

    def _accept_trust(self, request: TrustRequest) -> Nothing:
        if not read_authorities(request.ca):
            raise VirtnodeError(Code.INVALID, "there is no certificate to trust")
        self._joining.identity.store_trusted(request.ca)
        return Nothing()
