"""The way to the engine: name, TCP, a proxy if there is one, TLS. Each failure names its step."""

import base64
import ipaddress
import socket
import ssl
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from nodeagent.join_error import JoinError
from nodeagent.tls_socket import TlsSocket
from nodelib.errors import Code, InvalidInput
from nodelib.ladder import Step
from nodelib.link import LINK_PORT

PROXY_PORT = 3128
LARGEST_ANSWER = 8192
"""Bytes of a proxy's answer."""


@dataclass(frozen=True)
class Endpoint:
    """A host, by name or address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as people do: an IPv6 address stands in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy, and what it wants to hear from whoever uses it."""

    endpoint: Endpoint
    authorization: str = field(default="", repr=False)
    """The value of Proxy-Authorization: a secret; empty without one."""


@dataclass(frozen=True)
class Credentials:
    """The files of a client certificate and its key."""

    certificate: Path
    key: Path


def read_endpoint(text: str, port: int = LINK_PORT) -> Endpoint:
    """Read `HOST`, `HOST:PORT`, `[IPv6]:PORT` or a bare IPv6 address."""
    text = text.strip()
    host, given = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        given = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, given = text.partition(":")
    if given:
        if not (given.isascii() and given.isdigit() and 0 < int(given) < 65536):
            raise InvalidInput([f"{given!r} in {text!r} is not a port"], "write HOST or HOST:PORT")
        port = int(given)
    if not host or any(letter.isspace() or letter in "/@?#" for letter in host):
        said = f"{text!r} is not an address" if text else "a host name or an address is needed"
        raise InvalidInput([said], "write HOST or HOST:PORT")
    return Endpoint(host, port)


def read_proxy(text: str) -> Proxy | None:
    """Read `http://[USER:PASSWORD@]HOST[:PORT]`, with or without the scheme; an empty text is no proxy."""
    bare = text.strip().removesuffix("/")
    if not bare:
        return None
    scheme, found, rest = bare.partition("://")
    if found and scheme != "http":
        raise InvalidInput([f"a proxy of the kind {scheme} is not known"], "write http://HOST:PORT")
    user, at, address = (rest if found else bare).rpartition("@")
    authorization = ""
    if at:
        authorization = f"Basic {base64.b64encode(urllib.parse.unquote_to_bytes(user)).decode()}"
    return Proxy(read_endpoint(address, PROXY_PORT), authorization)


def is_address(host: str) -> bool:
    """Tell an IP address from a name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def resolve(host: str) -> tuple[str, ...]:
    """Look a name's addresses up. Raises JoinError at the step DNS."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise JoinError(
            Step.DNS,
            Code.UNAVAILABLE,
            f"the name {host} cannot be resolved: {error.strerror or error}",
            "check the DNS servers of this node, or give the engine by its IP address",
        ) from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(endpoint: Endpoint, proxy: Proxy | None, timeout: float) -> socket.socket:
    """Open a connection to the engine, through the proxy if there is one."""
    if proxy is None:
        return _connect_tcp(endpoint, timeout, Step.TCP, "the engine")
    sock = _connect_tcp(proxy.endpoint, timeout, Step.PROXY, "the proxy")
    try:
        _ask_proxy(sock, endpoint, proxy)
    except BaseException:
        sock.close()
        raise
    return sock


def start_tls(sock: socket.socket, host: str, credentials: Credentials | None, timeout: float) -> TlsSocket:
    """Begin TLS. Nothing is verified here: the pin is, against what the engine says first (trust.py)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if credentials is not None:
        context.load_cert_chain(credentials.certificate, credentials.key)
    sock.settimeout(timeout)
    try:
        secured = TlsSocket(sock, context, None if is_address(host) else host)
    except (OSError, ValueError) as error:
        sock.close()
        reason = getattr(error, "reason", None) or error
        raise JoinError(
            Step.TLS_PIN,
            Code.UNAVAILABLE,
            f"TLS could not be started: {reason}",
            "is this the engine's link port (7443), and nothing in between that reads TLS?",
        ) from error
    secured.settimeout(None)
    return secured


def _connect_tcp(endpoint: Endpoint, timeout: float, step: Step, whom: str) -> socket.socket:
    if not is_address(endpoint.host):
        resolve(endpoint.host)
    try:
        return socket.create_connection((endpoint.host, endpoint.port), timeout)
    except OSError as error:
        if isinstance(error, ConnectionRefusedError):
            what, hint = "refuses connections", f"is {whom} running, and is the port right?"
        elif isinstance(error, TimeoutError):
            what, hint = "does not answer", "a firewall may drop the packets on the way"
        else:
            what, hint = (
                f"cannot be reached: {error.strerror or error}",
                "check this node's addresses and routes",
            )
        raise JoinError(step, Code.UNAVAILABLE, f"{whom} at {endpoint} {what}", hint) from error


def _ask_proxy(sock: socket.socket, endpoint: Endpoint, proxy: Proxy) -> None:
    lines = [f"CONNECT {endpoint} HTTP/1.1", f"Host: {endpoint}"]
    lines += [f"Proxy-Authorization: {proxy.authorization}"] if proxy.authorization else []
    try:
        sock.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        answer = b""
        # One byte at a time: what follows the empty line belongs to TLS.
        while not answer.endswith(b"\r\n\r\n") and len(answer) < LARGEST_ANSWER:
            piece = sock.recv(1)
            if not piece:
                break
            answer += piece
    except OSError as error:
        raise JoinError(
            Step.PROXY,
            Code.UNAVAILABLE,
            f"the proxy at {proxy.endpoint} broke off: {error.strerror or error}",
            "is this an HTTP proxy?",
        ) from error
    first = answer.partition(b"\r\n")[0].decode("ascii", "replace")
    words = first.split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or words[1] != "200":
        said = "".join(letter for letter in first if letter.isprintable())[:100] or "nothing"
        raise JoinError(
            Step.PROXY,
            Code.UNAVAILABLE,
            f"the proxy at {proxy.endpoint} refuses the way to {endpoint}: it said {said}",
            f"the proxy must allow CONNECT to port {endpoint.port}",
        )
