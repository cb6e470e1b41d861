"""The engine's folder: one engine, or one command that works in its stead, at a time."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from nodelib.errors import Code, VirtnodeError


@contextlib.contextmanager
def locked_home(home: Path, *, make: bool = False) -> Iterator[None]:
    """Keep everybody else from working in the engine's folder. Raises VirtnodeError (busy or not-found)."""
    if make:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.chmod(0o700)
    if not home.is_dir():
        raise VirtnodeError(
            Code.NOT_FOUND, f"there is no engine in {home}", "start it first, or name its folder with --home"
        )
    handle = os.open(home / "engine.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise VirtnodeError(
                Code.BUSY, f"an engine is at work in {home}", "stop it first, or wait until it has started"
            ) from error
        yield
    finally:
        os.close(handle)


def listen(host: str, port: int, option: str) -> socket.socket:
    """Open a listening socket, on all addresses without a host. Raises VirtnodeError (unavailable)."""
    try:
        if not host and socket.has_dualstack_ipv6():
            sock = socket.create_server(
                ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024
            )
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            sock = socket.create_server((host, port), family=family, backlog=1024)
        # asyncio sets this for sockets that it makes itself; without it each short answer waits 40 ms for the
        # acknowledgement of what was sent before it.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    except OSError as error:
        raise VirtnodeError(
            Code.UNAVAILABLE,
            f"cannot listen on {host or 'all addresses'}, port {port}: {error.strerror or error}",
            f"end what listens there, or choose another: {option}, --listen",
        ) from error


def find_names(given: tuple[str, ...]) -> tuple[str, ...]:
    """List the names and addresses that this machine is reached by; given ones come first and are enough."""
    found = list(given) or [*dict.fromkeys((socket.gethostname(), socket.getfqdn())), *_own_addresses()]
    return tuple(dict.fromkeys([*found, "localhost", "127.0.0.1", "::1"]))


def _own_addresses() -> list[str]:
    """List the addresses that this machine would be seen with from afar."""
    found = []
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
            # Nothing is sent: the kernel only chooses a route.
            sock.connect((far, 9))
            found.append(str(sock.getsockname()[0]))
    return found
