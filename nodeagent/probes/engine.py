"""Is the engine there, and is it the pinned one? Asked without saying who asks."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nodeagent.dial import connect, read_endpoint, read_proxy, start_tls
from nodeagent.join_error import JoinError
from nodeagent.link_client import open_channel
from nodeagent.rpc import Rpc
from nodeagent.trust import read_pin, verify_engine
from nodelib.bus_network import ProbeReply
from nodelib.errors import VirtnodeError
from nodelib.link import HELLO


@dataclass(frozen=True)
class EngineAddress:
    """Where the engine is, and how it is told from others."""

    address: str
    pins: Sequence[str]
    proxy: str = field(default="", repr=False)


def probe_engine(
    engine: EngineAddress,
    timeout: float,
    *,
    wall: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> ProbeReply:
    """Open a connection as the link does, up to the proof of the pin, and close it."""
    if not engine.address:
        return ProbeReply(False, "No engine is set.", "join one first")
    if not engine.pins:
        return ProbeReply(False, "No pin of the engine is set.", "join again with the pin that it prints")
    began = monotonic()
    try:
        endpoint, pins = read_endpoint(engine.address), [read_pin(pin) for pin in engine.pins]
        sock = connect(endpoint, read_proxy(engine.proxy), timeout)
        answered = monotonic() - began
        secured = start_tls(sock, endpoint.host, None, timeout)
        leaf = secured.peer_certificate()
        with open_channel(secured, endpoint, timeout) as channel:
            verify_engine(Rpc(channel, monotonic).expect(HELLO, timeout), leaf, pins, wall())
    except VirtnodeError as error:
        hint = error.hint or (
            "" if isinstance(error, JoinError) else "is this the engine's link port (7443)?"
        )
        return ProbeReply(False, f"{error.message[:1].upper()}{error.message[1:]}.", hint)
    return ProbeReply(
        True, f"The engine at {endpoint} answers, and is the pinned one.", "", round(answered * 1000, 1)
    )
