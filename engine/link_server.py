"""The port that nodes dial: TLS, who may say what, and one connection for each node."""

import asyncio
import contextvars
import functools
import hashlib
import logging
import secrets
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response
from websockets.server import ServerProtocol

from engine.admission import Entrance, Turns
from engine.archives import Archives
from engine.events import Actor
from engine.histogram import Timings
from engine.images import Images
from engine.link_session import CALL_TIMEOUT, Answer, Session
from engine.nodes import Identity, Nodes
from engine.origin import network_of, plain_address
from engine.pki import Pki
from nodelib.errors import Code, VirtnodeError
from nodelib.link import (
    APPROVED,
    HEARTBEAT,
    HELLO,
    LINK_PATH,
    MAINTENANCE,
    MAX_FRAME,
    NODE_CALLS,
    PROTOCOL,
    REBOOT,
    REGISTER,
    REJECTED,
    RENEW,
    REPORT_EVENTS,
    SEND_ARCHIVE,
    TRUST,
    ArchivePart,
    ArchiveReply,
    EventsRequest,
    Heartbeat,
    HeartbeatReply,
    Hello,
    MaintenanceWish,
    NodeState,
    Nothing,
    RegisterReply,
    RegisterRequest,
    Rejected,
    RenewReply,
    RenewRequest,
    TrustRequest,
    Verb,
)
from nodelib.link_update import FETCH_IMAGE, ImagePart, ImagePartRequest
from nodelib.link_update import NODE_CALLS as UPDATE_CALLS

logger = logging.getLogger(__name__)

P = ParamSpec("P")
Q = TypeVar("Q")
R = TypeVar("R")
TRY_AGAIN_LATER = 1013
STRANGERS_ARE_REFUSED = (*NODE_CALLS, *UPDATE_CALLS)
THREADS = 4
"""How many requests of nodes wait for the database at the same time; others queue."""
READERS = 2
IMAGE_PARTS = 8
"""How many parts of images are read, or on their way, at the same time."""


@dataclass(frozen=True)
class Limits:
    """What strangers may take; durations in seconds."""

    strangers: int = 2048
    """Connections without a certificate, in all."""
    strangers_per_address: int = 256
    register_within: float = 30.0
    registrations: int = 10
    """How often one connection may register."""
    ping_interval: float = 10.0
    ping_timeout: float = 20.0
    handshakes: int = 2
    """TLS handshakes under way at once; whoever else dials waits."""
    handshake_patience: float = 0.1
    """How long a handshake keeps others waiting; then it goes on beside theirs."""


@dataclass
class Counts:
    """What came in since the start."""

    registrations: int = 0
    heartbeats: int = 0
    connections: int = 0


class LinkServer:
    """Every connection with nodes. It is the `Audience` of `Nodes`."""

    def __init__(
        self,
        nodes: Nodes,
        pki: Pki,
        archives: Archives,
        images: Images,
        *,
        engine_id: str,
        version: str,
        limits: Limits = Limits(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.counts = Counts()
        self.answer_times = Timings(
            "virtnode_link_answer_seconds", "How long calls of nodes took.", ("verb",)
        )
        self._nodes = nodes
        self._pki = pki
        self._archives = archives
        self._images = images
        self._engine_id = engine_id
        self._version = version
        self._limits = limits
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._waiting: dict[str, Session] = {}
        self._strangers: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._threads = ThreadPoolExecutor(THREADS, "link")
        # Heartbeats do not wait for the disk.
        self._readers = ThreadPoolExecutor(READERS, "images")
        self._image_turns = asyncio.Semaphore(IMAGE_PARTS)
        self._context = _make_context(pki)
        self._entrance = Entrance(self._context, limits.handshakes, limits.handshake_patience)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None

    async def start(self, sock: socket.socket) -> None:
        """Answer what dials a listening socket."""
        self._loop = asyncio.get_running_loop()
        self._nodes.audience = self
        self._server = await serve(
            self._handle,
            sock=sock,
            create_connection=cast(type[ServerConnection], self._make_connection),
            process_request=_check_path,
            compression=None,
            max_size=MAX_FRAME,
            max_queue=4,
            open_timeout=10,
            close_timeout=2,
            ping_interval=self._limits.ping_interval,
            ping_timeout=self._limits.ping_timeout,
            server_header="virtnode-engine",
        )

    @property
    def session_count(self) -> int:
        """Count the nodes that are connected with a certificate."""
        return len(self._sessions)

    @property
    def stranger_count(self) -> int:
        """Count the connections without a certificate."""
        return self._strangers.total()

    async def stop(self) -> None:
        """Close every connection, and wait until all is answered."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
            await self._entrance.stop()
            await self._server.wait_closed()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown()
        self._readers.shutdown()

    @property
    def turns(self) -> Turns:
        """How many handshakes are under way, and who waits for one."""
        return self._entrance.turns

    def _make_connection(
        self,
        protocol: ServerProtocol,
        server: Server,
        **options: Any,  # noqa: ANN401 - what serve was told
    ) -> asyncio.Protocol:
        return self._entrance.lead(ServerConnection(protocol, server, **options))

    async def call(self, node: str, verb: Verb[Q, R], request: Q, timeout: float = CALL_TIMEOUT) -> R:
        """Ask a node. Raises VirtnodeError (unavailable) if it is not connected."""
        session = self._sessions.get(node)
        if session is None:
            raise VirtnodeError(Code.UNAVAILABLE, "the node is not connected", "try again when it is")
        return await session.call(verb, request, timeout)

    async def reboot(self, node: str, actor: Actor) -> None:
        """Have a node reboot, and expect it back. Raises VirtnodeError (conflict) while it is updated."""
        await self._in_thread(self._nodes.check_no_update, node)
        await self.call(node, REBOOT, Nothing())
        await self._in_thread(self._nodes.note_reboot, node, actor)

    async def announce_trust(self) -> int:
        """Have every connected node trust the authorities of now; return how many said that they do."""
        self._context.load_verify_locations(cadata=self._pki.trust_bundle())
        self._context.load_cert_chain(self._pki.server_file)
        request = TrustRequest(self._pki.trust_bundle())
        calls = [session.call(TRUST, request) for session in self._sessions.values()]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        return sum(isinstance(answer, Nothing) for answer in answers)

    def reload_certificate(self) -> None:
        """Show the certificate that was made anew from now on."""
        self._context.load_cert_chain(self._pki.server_file)

    # The audience: called from any thread

    def approved(self, waiting: str, node: str) -> None:
        """Give a waiting node its certificate."""
        self._soon(self._tell_approval, waiting, node)

    def rejected(self, node: str, reason: str) -> None:
        """Tell a waiting node that it is not wanted."""
        self._soon(self._tell_rejection, node, reason)

    def barred(self, node: str, reason: str) -> None:
        """Close every connection of a node."""
        self._soon(self._close_all, node, reason)

    def _soon(self, function: Callable[..., None], *arguments: str) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def _tell_approval(self, waiting: str, node: str) -> None:
        session = self._waiting.pop(waiting, None)
        if session is not None:
            self._spawn(self._send_approval(session, node))

    async def _send_approval(self, session: Session, node: str) -> None:
        try:
            await session.notify(APPROVED, await self._in_thread(self._nodes.issue, node))
        except VirtnodeError as error:
            # It asks again, and is known then.
            logger.warning("%s was approved, but not told: %s", node, error.message)

    def _tell_rejection(self, node: str, reason: str) -> None:
        session = self._waiting.pop(node, None)
        if session is not None:
            self._spawn(self._send_rejection(session, reason))

    async def _send_rejection(self, session: Session, reason: str) -> None:
        await session.notify(REJECTED, Rejected(reason))
        session.close("rejected")

    def _close_all(self, node: str, reason: str) -> None:
        for session in (self._sessions.pop(node, None), self._waiting.pop(node, None)):
            if session is not None:
                session.close(reason)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Connections

    async def _handle(self, websocket: ServerConnection) -> None:
        self.counts.connections += 1
        address = plain_address(str(websocket.remote_address[0]))
        certificate = _peer_certificate(websocket)
        refusal = VirtnodeError(
            Code.DENIED, "only register is answered without a certificate", "register, and wait for approval"
        )
        identity: Identity | None = None
        if certificate is not None:
            try:
                identity = await self._in_thread(self._nodes.authenticate, *certificate)
            except VirtnodeError as error:
                refusal = error
        session = Session(websocket, address, identity, self.answer_times)
        if identity is not None:
            await self._serve_node(session, identity)
        elif self._has_room(network_of(address)):
            self._strangers[network_of(address)] += 1
            try:
                await self._serve_stranger(session, refusal)
            finally:
                self._strangers -= Counter({network_of(address): 1})
        else:
            await websocket.close(TRY_AGAIN_LATER, "too many connections without a certificate")

    def _has_room(self, network: str) -> bool:
        return (
            self._strangers[network] < self._limits.strangers_per_address
            and self._strangers.total() < self._limits.strangers
        )

    async def _serve_node(self, session: Session, identity: Identity) -> None:
        node = identity.node
        try:
            self._nodes.connected(identity, session)
        except VirtnodeError as error:
            session.close(error.message)
            await session.answer({})
            return
        former = self._sessions.get(node)
        self._sessions[node] = session
        if former is not None:
            former.close("another connection took the place of this one")
        try:
            await session.notify(HELLO, self._hello(secrets.token_hex(32)))
            # Whoever was away when an authority came or went hears of it now.
            await session.notify(TRUST, TrustRequest(self._pki.trust_bundle()))
            await session.answer(self._answers_to_node(node))
        finally:
            if self._sessions.get(node) is session:
                del self._sessions[node]
            self._nodes.disconnected(node, session)
            # Whom the engine sends away, or leaves itself, is not gone.
            if not (session.is_closing or self._stopping) and self._nodes.has_heirs(node):
                self._spawn(self._reconsider(node))

    async def _reconsider(self, former: str) -> None:
        try:
            await self._in_thread(self._nodes.reconsider, former)
        except VirtnodeError as error:
            logger.warning("who waits for %s to be gone goes on waiting: %s", former, error.message)

    async def _serve_stranger(self, session: Session, refusal: VirtnodeError) -> None:
        nonce = secrets.token_hex(32)
        await session.notify(HELLO, self._hello(nonce))
        late = asyncio.get_running_loop().call_later(self._limits.register_within, self._close_idle, session)
        try:
            await session.answer(self._answers_to_stranger(session, nonce, refusal))
        finally:
            late.cancel()
            for node in [node for node, waits in self._waiting.items() if waits is session]:
                del self._waiting[node]
            self._nodes.left(session)

    def _close_idle(self, session: Session) -> None:
        if session.waiting is None:
            session.close("nobody registered in time")

    def _hello(self, nonce: str) -> Hello:
        return Hello(PROTOCOL, self._engine_id, self._version, self._pki.trust_bundle(), nonce, self._clock())

    def _answers_to_stranger(self, session: Session, nonce: str, refusal: VirtnodeError) -> dict[str, Answer]:
        left = self._limits.registrations

        async def register(request: RegisterRequest) -> RegisterReply:
            nonlocal left
            if left <= 0:
                raise VirtnodeError(Code.DENIED, "one connection registered too often", "dial again")
            left -= 1
            reply = await self._in_thread(self._nodes.register, request, nonce, session.address, session)
            self.counts.registrations += 1
            if reply.state is NodeState.PENDING:
                await self._wait(session, reply.node)
            return reply

        async def refuse(request: object) -> Nothing:
            raise refusal

        refusals = {
            verb.name: Answer(Verb(verb.name, object, Nothing), refuse) for verb in STRANGERS_ARE_REFUSED
        }
        return {**refusals, REGISTER.name: Answer(REGISTER, register)}

    async def _wait(self, session: Session, node: str) -> None:
        former = self._waiting.get(node)
        session.waiting = node
        self._waiting[node] = session
        if former is not None and former is not session:
            former.close("another connection took the place of this one")
        # Somebody may have decided between the answer and now.
        known = await self._in_thread(self._nodes.find_state, node)
        if known is not NodeState.PENDING:
            self._spawn(self._repeat_decision(session, node, known))

    async def _repeat_decision(self, session: Session, node: str, state: NodeState | None) -> None:
        if self._waiting.get(node) is not session:
            return
        del self._waiting[node]
        if state is None:
            session.close("decided a moment ago; register again")
        elif state is NodeState.REJECTED:
            await self._send_rejection(session, "an administrator rejected it")
        else:
            await self._send_approval(session, node)

    def _answers_to_node(self, node: str) -> dict[str, Answer]:
        async def heartbeat(request: Heartbeat) -> HeartbeatReply:
            self.counts.heartbeats += 1
            # It waits for nothing, and handing it to a thread would take longer than the work.
            return self._nodes.heartbeat(node, request)

        async def renew(request: RenewRequest) -> RenewReply:
            return await self._in_thread(self._nodes.renew, node, request)

        async def report_events(request: EventsRequest) -> Nothing:
            await self._in_thread(self._nodes.report_events, node, request)
            return Nothing()

        async def maintain(request: MaintenanceWish) -> Nothing:
            await self._in_thread(self._nodes.wish_maintenance, node, request)
            return Nothing()

        async def send_archive(request: ArchivePart) -> ArchiveReply:
            return await self._in_thread(self._archives.take, node, request)

        async def fetch_image(request: ImagePartRequest) -> ImagePart:
            assert self._loop is not None
            read = functools.partial(self._images.read_part, node, request)
            return await self._loop.run_in_executor(self._readers, read)

        async def register(request: RegisterRequest) -> RegisterReply:
            raise VirtnodeError(
                Code.CONFLICT, "this node is joined already", "dial without a certificate to register"
            )

        answers = (
            Answer(HEARTBEAT, heartbeat),
            Answer(RENEW, renew),
            Answer(REPORT_EVENTS, report_events),
            Answer(MAINTENANCE, maintain),
            Answer(SEND_ARCHIVE, send_archive),
            Answer(FETCH_IMAGE, fetch_image, self._image_turns),
            Answer(REGISTER, register),
        )
        return {answer.verb.name: answer for answer in answers}

    async def _in_thread(self, function: Callable[P, R], *arguments: P.args, **words: P.kwargs) -> R:
        assert self._loop is not None
        # The thread goes on with the request that is being answered here.
        work = functools.partial(contextvars.copy_context().run, function, *arguments, **words)
        return await self._loop.run_in_executor(self._threads, work)


def _make_context(pki: Pki) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    # A resumed session would bring a certificate that was checked at another time.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    context.load_verify_locations(cadata=pki.trust_bundle())
    context.load_cert_chain(pki.server_file)
    return context


def _peer_certificate(websocket: ServerConnection) -> tuple[str, str] | None:
    """Read serial and fingerprint of the certificate that TLS has verified."""
    secured: ssl.SSLObject = websocket.transport.get_extra_info("ssl_object")
    encoded, described = secured.getpeercert(binary_form=True), secured.getpeercert()
    if not encoded or not described:
        return None
    return f"{int(str(described['serialNumber']), 16):x}", hashlib.sha256(encoded).hexdigest()


def _check_path(connection: ServerConnection, request: HttpRequest) -> Response | None:
    if request.path == LINK_PATH:
        return None
    return connection.respond(404, f"nodes dial {LINK_PATH}; the API is on another port\n")
