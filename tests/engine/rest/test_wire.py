"""The API on a real socket with TLS: what a client without manners sends, and what it gets."""

import contextlib
import http.client
import io
import json
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.home import listen
from engine.options import ServeOptions
from engine.rest.bodies import MAX_BODY
from engine.serve import running_engine
from tests.engine.rest.engines import API, basic
from tests.engine.rest.threads import DEADLINE, in_thread


@dataclass(frozen=True)
class Wire:
    """Where a running engine answers, and how to be believed."""

    port: int
    context: ssl.SSLContext
    password: str

    def dial(self) -> http.client.HTTPSConnection:
        """Open a connection."""
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=DEADLINE)

    @contextlib.contextmanager
    def dial_plainly(self) -> Iterator[ssl.SSLSocket]:
        """Open a connection for whatever bytes there are to send."""
        with (
            socket.create_connection(("127.0.0.1", self.port), DEADLINE) as plain,
            self.context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            yield secure

    @property
    def credentials(self) -> dict[str, str]:
        """The header that shows who asks."""
        return {"Authorization": basic("admin", self.password)}


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """Run an engine on a port of its own."""
    home: Path = tmp_path_factory.mktemp("engine")
    output = io.StringIO()
    options = ServeOptions(home, "", "127.0.0.1", 0, 0, ("127.0.0.1",))
    with in_thread(lambda: running_engine(options, output)) as engine:
        password = re.search(r"password +(\S+)", output.getvalue())
        assert password is not None
        context = ssl.create_default_context(cadata=engine.pki.trust_bundle())
        yield Wire(engine.rest_port, context, password[1])


def ask(
    wire: Wire, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Send one request on a connection of its own: status, headers, body."""
    connection = wire.dial()
    try:
        connection.request(method, path, body, wire.credentials | (headers or {}))  # type: ignore[arg-type]
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_a_head_has_no_body(wire: Wire) -> None:
    """HEAD says how long the answer would be, and gives none."""
    status, headers, body = ask(wire, "HEAD", API)
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 100


def test_a_connection_serves_many_requests(wire: Wire) -> None:
    """A refused request does not spoil the connection for the next one."""
    connection = wire.dial()
    for path, status in ((API, 200), (f"{API}/hosts/nobody", 404), (f"{API}/hosts?max=x", 400), (API, 200)):
        connection.request("GET", path, headers=wire.credentials)
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (status, True)
    connection.close()


def test_short_answers_do_not_wait() -> None:
    """What is accepted sends at once: an answer in two pieces would else wait for an acknowledgement."""
    with (
        listen("127.0.0.1", 0, "--rest-port") as listening,
        socket.create_connection(listening.getsockname(), DEADLINE),
    ):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_endless_body_is_cut_off(wire: Wire) -> None:
    """A body without a length is read up to the limit and not further."""

    def endless() -> Iterator[bytes]:
        for _ in range(3 * MAX_BODY // 65536):
            yield b" " * 65536

    path = f"{API}/hosts/nobody/approve"
    status, _, body = ask(wire, "POST", path, endless(), {"Content-Type": "application/xml"})
    assert status == 413
    assert b"at most" in body


def test_a_large_body_without_credentials_is_not_read(wire: Wire) -> None:
    """Who does not say who they are is refused before their body comes."""
    with wire.dial_plainly() as secure:
        head = f"POST {API}/hosts/x/approve HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 30}\r\n\r\n"
        secure.sendall(head.encode())
        assert secure.recv(1000).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /%ff%fe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /ovirt-engine/api/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
    ids=["garbage", "long header", "bad path", "dots"],
)
def test_bad_requests_are_refused(wire: Wire, sent: bytes) -> None:
    """What is no request is refused, at once where it is too long, and the engine goes on."""
    answer = b""
    with wire.dial_plainly() as secure, contextlib.suppress(OSError):
        secure.sendall(sent)
        answer = secure.recv(1000)
    assert re.match(rb"HTTP/1.1 (400|404|431) ", answer) or len(sent) > 64 * 1024
    assert ask(wire, "GET", API)[0] == 200


def test_old_tls_is_refused(wire: Wire) -> None:
    """TLS 1.1 and older are not spoken."""
    with socket.create_connection(("127.0.0.1", wire.port), DEADLINE) as plain:
        # A client's first message that offers TLS 1.0 at most.
        plain.sendall(bytes.fromhex("160301002d010000290301") + bytes(32) + bytes.fromhex("000002002f0100"))
        answer = plain.recv(100)
    # An alert, or nothing at all.
    assert answer[:1] in (b"", b"\x15")


def test_json_over_the_wire(wire: Wire) -> None:
    """What comes over the wire is what the tables say."""
    status, headers, body = ask(wire, "GET", f"{API}/clusters", headers={"Accept": "application/json"})
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["cluster"][0]["name"] == "Default"
    assert "server" not in {name.lower() for name in headers}
