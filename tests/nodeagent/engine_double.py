"""The engine's side of the link, small: a real TLS WebSocket server that says what a test wants it to."""

import asyncio
import base64
import contextlib
import itertools
import json
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from nodelib.codec import decode
from nodelib.errors import Code, VirtnodeError
from nodelib.jsonrpc import Reply, Request, dump_reply, dump_request, parse_message
from nodelib.link import (
    APPROVED,
    HELLO,
    PROTOCOL,
    REJECTED,
    Approved,
    ArchivePart,
    ArchiveReply,
    EventsRequest,
    Heartbeat,
    HeartbeatReply,
    Hello,
    MaintenanceWish,
    NodeEvent,
    NodeState,
    Nothing,
    RegisterReply,
    RegisterRequest,
    Rejected,
    RenewReply,
    RenewRequest,
    Verb,
    register_proof,
)
from nodelib.link_update import IMAGE_PART, ImagePart, ImagePartRequest
from tests.nodeagent.authority import DAY, Authority, Issued

T = TypeVar("T")
NODE = "11111111-2222-3333-4444-555555555555"


def wait_for(what: Callable[[], T | None], seconds: float = 20.0) -> T:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        pause.wait(0.01)
    raise AssertionError(f"did not come true within {seconds} s")


@dataclass
class EngineDouble:
    """An engine that admits by itself, unless told otherwise."""

    authority: Authority
    server: Issued
    folder: Path
    state: NodeState = NodeState.UP
    """What a registration is answered with: `up` issues a certificate."""
    token: str = ""
    """The only token that is good; empty takes any."""
    hello_ca: str = ""
    time_offset: float = 0.0
    certificate_days: float = 90.0
    protocol: int = PROTOCOL
    refuses_certificates: bool = False
    registrations: list[RegisterRequest] = field(default_factory=list)
    heartbeats: list[Heartbeat] = field(default_factory=list)
    events: list[NodeEvent] = field(default_factory=list)
    member_state: NodeState = NodeState.UP
    """What a heartbeat is answered with."""
    wishes: list[MaintenanceWish] = field(default_factory=list)
    archive: bytes = b""
    """What came last of a support archive."""
    knows_archives: bool = True
    bundle: bytes = b""
    """What the node may fetch."""
    renewals: int = 0
    connections: list[ServerConnection] = field(default_factory=list)
    replies: dict[int, Reply] = field(default_factory=dict)
    first_words: list[str] = field(default_factory=list)
    """What each connection said before anything else."""
    port: int = 0

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1000)
        # One thread and no more: OpenSSL allows one call at a time on a connection.
        self._loop = asyncio.new_event_loop()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self) -> Iterator["EngineDouble"]:
        """Serve until the context ends."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.server.write(self.folder))
        context.load_verify_locations(cadata=self.authority.pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()

        async def start() -> Server:
            return await serve(self._handle, "127.0.0.1", self.port, ssl=context, ping_interval=None)

        async def stop() -> None:
            server.close()
            await server.wait_closed()

        server = self._do(start())
        self.port = next(iter(server.sockets)).getsockname()[1]
        try:
            yield self
        finally:
            self._do(stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def call(self, verb: Verb[Any, T], request: object) -> T:
        """Ask the node that connected last, and wait for its answer."""
        number = next(self._numbers)
        params: Any = request
        text = json.dumps(dump_request(Request(verb.name, params, number)))
        self._do(self.connections[-1].send(text))
        reply = wait_for(lambda: self.replies.get(number))
        if reply.error is not None:
            raise reply.error
        return decode(verb.reply, reply.result)

    def hang_up(self, reason: str = "") -> None:
        """Close the connection of the node that connected last."""
        self._do(self.connections[-1].close(1008 if reason else 1000, reason))

    def approve(self) -> None:
        """Admit the node that waits."""
        certificate = self._issue(self.registrations[-1].csr)
        self.call(APPROVED, Approved(NODE, certificate))

    def reject(self) -> None:
        """Say no to the node that waits."""
        self.call(REJECTED, Rejected("not one of ours"))

    def _issue(self, csr: str) -> str:
        return self.authority.sign_csr(csr, end=self.certificate_days * DAY)

    async def _handle(self, connection: ServerConnection) -> None:
        tls = connection.transport.get_extra_info("ssl_object")
        assert isinstance(tls, ssl.SSLObject)
        joined = tls.getpeercert(binary_form=True) is not None
        if joined and self.refuses_certificates:
            await connection.close(1008, "revoked")
            return
        self.connections.append(connection)
        nonce = uuid.uuid4().hex
        hello = Hello(
            self.protocol,
            "engine",
            "1",
            self.hello_ca or self.authority.pem,
            nonce,
            time.time() + self.time_offset,
        )
        params: Any = hello
        with contextlib.suppress(ConnectionClosed):
            await connection.send(json.dumps(dump_request(Request(HELLO.name, params, next(self._numbers)))))
            first = True
            async for text in connection:
                if first:
                    self.first_words.append(str(text))
                first = False
                message = parse_message(text)
                if isinstance(message, Reply):
                    self.replies[message.id or 0] = message
                else:
                    await connection.send(json.dumps(dump_reply(self._reply(message, nonce, joined))))

    def _reply(self, request: Request, nonce: str, joined: bool) -> Reply:
        answers = {
            "register": self._register,
            "heartbeat": self._heartbeat,
            "renew": self._renew,
            "maintenance": self._maintain,
            "fetch_image": self._give_part,
        }
        try:
            if request.method == "report_events" and joined:
                self.events += decode(EventsRequest, request.params).events
                return Reply(request.id, Nothing())
            if request.method == "send_archive" and joined:
                return Reply(request.id, self._take(decode(ArchivePart, request.params)))
            if joined == (request.method == "register"):
                raise VirtnodeError(Code.DENIED, f"{request.method} is not for this connection")
            return Reply(request.id, answers[request.method](request.params, nonce))
        except VirtnodeError as error:
            return Reply(request.id, error=error)

    def _register(self, params: object, nonce: str) -> RegisterReply:
        request = decode(RegisterRequest, params)
        key = x509.load_pem_x509_csr(request.csr.encode()).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(bytes.fromhex(request.proof), register_proof(nonce), ec.ECDSA(hashes.SHA256()))
        self.registrations.append(request)
        if self.token and request.token != self.token:
            raise VirtnodeError(Code.DENIED, "the token is not known", "ask for a new one")
        admitted = self.state is NodeState.UP
        return RegisterReply(
            self.state, NODE, "node1", self._issue(request.csr) if admitted else "", "as the test wants"
        )

    def _heartbeat(self, params: object, nonce: str) -> HeartbeatReply:
        self.heartbeats.append(decode(Heartbeat, params))
        return HeartbeatReply(self.member_state, "node1", time=time.time())

    def _maintain(self, params: object, nonce: str) -> Nothing:
        wish = decode(MaintenanceWish, params)
        if wish.on is (self.member_state is NodeState.MAINTENANCE):
            raise VirtnodeError(Code.CONFLICT, "it is so already")
        self.member_state = NodeState.MAINTENANCE if wish.on else NodeState.UP
        self.wishes.append(wish)
        return Nothing()

    def _give_part(self, params: object, nonce: str) -> ImagePart:
        request = decode(ImagePartRequest, params)
        part = self.bundle[request.offset : request.offset + IMAGE_PART]
        return ImagePart(base64.b64encode(part).decode())

    def _take(self, part: ArchivePart) -> ArchiveReply:
        if not self.knows_archives:
            raise VirtnodeError(Code.NOT_FOUND, "the engine knows no 'send_archive'")
        assert part.offset in (0, len(self.archive))
        self.archive = self.archive[: part.offset] + base64.b64decode(part.data)
        received = len(self.archive)
        return ArchiveReply(received, "0123456789abcdef" if received == part.size_bytes else "")

    def _renew(self, params: object, nonce: str) -> RenewReply:
        self.renewals += 1
        self.certificate_days = 90.0
        return RenewReply(self._issue(decode(RenewRequest, params).csr))
