"""Routers, names and hosts: each test is a sentence, a hint, and the time that an answer took."""

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nodeagent.dial import is_address, resolve
from nodeagent.facts.routes import name_servers
from nodeagent.gateway import GatewayFinder
from nodeagent.ladder_checks import Gateway
from nodeagent.probes.ping import ping
from nodelib.bus_network import ProbeReply
from nodelib.errors import Code, InvalidInput, VirtnodeError

PING_PATIENCE = 1.5
GATEWAY_PATIENCE = 0.4
CONNECT_PATIENCE = 0.8
"""Seconds for one port."""
USUAL_PORTS = (22, 443, 80)
"""Ports that a host which answers no ping may have something on; a refusal is an answer, too."""


def connects(address: str, port: int) -> bool:
    """Tell whether a host takes, or refuses, a connection."""
    try:
        with socket.create_connection((address, port), CONNECT_PATIENCE):
            return True
    except ConnectionRefusedError:
        return True
    except OSError:
        return False


@dataclass(frozen=True)
class Network:
    """What the tests ask."""

    gateways: Callable[[], tuple[Gateway, ...]] = lambda: GatewayFinder().find_defaults()
    resolve: Callable[[str], tuple[str, ...]] = resolve
    ping: Callable[[str, float], float | None] = ping
    connects: Callable[[str, int], bool] = connects
    clock: Callable[[], float] = time.monotonic


def probe_gateways(network: Network) -> ProbeReply:
    """Ask the routers of both families."""
    gateways = network.gateways()
    if not gateways:
        return ProbeReply(False, "This node has no gateway.", "set one, or let DHCP give one")
    times = [_time_of(network, gateway) for gateway in gateways]
    silent = [
        gateway for gateway, took in zip(gateways, times, strict=True) if took is None and not gateway.answers
    ]
    answering = [gateway for gateway in gateways if gateway not in silent]
    told = [_say(answering, "answers", "answer"), _say(silent, "does not answer", "do not answer")]
    measured = [took for took in times if took is not None]
    return ProbeReply(
        ok=not silent,
        text=" ".join(filter(None, told)),
        hint="is it the right gateway, and this port in the right VLAN?" if silent else "",
        milliseconds=_milliseconds(min(measured, default=None)),
    )


def probe_dns(name: str, network: Network, root: Path) -> ProbeReply:
    """Look a name up; without one, tell which servers would be asked."""
    servers = name_servers(root)
    if not name:
        if not servers:
            return ProbeReply(False, "This node knows no DNS server.", "set one, or let DHCP give one")
        return ProbeReply(
            True,
            f"DNS servers are {', '.join(servers)}; no name was looked up.",
            "give a name to look up",
        )
    host = read_host(name)
    began = network.clock()
    try:
        addresses = network.resolve(host)
    except VirtnodeError:
        known = f"the DNS servers are {', '.join(servers)}" if servers else "this node knows no DNS server"
        return ProbeReply(False, f"The name {host} is not found.", f"is it spelled right? {known}")
    return ProbeReply(True, f"{host} is {', '.join(addresses)}.", "", _milliseconds(network.clock() - began))


def probe_host(target: str, network: Network) -> ProbeReply:
    """Ask a host by ping, and where that is not answered, by a connection."""
    host = read_host(target)
    try:
        address = host if is_address(host) else network.resolve(host)[0]
    except VirtnodeError:
        return ProbeReply(False, f"The name {host} is not found.", "is it spelled right? test DNS by itself")
    shown = host if host == address else f"{host} ({address})"
    try:
        took = network.ping(address, PING_PATIENCE)
    except OSError as error:
        reason = error.strerror or str(error)
        return ProbeReply(False, f"{shown} cannot be reached: {reason}.", "check addresses and gateway")
    if took is not None:
        return ProbeReply(True, f"{shown} answers.", "", _milliseconds(took))
    for port in USUAL_PORTS:
        began = network.clock()
        if network.connects(address, port):
            text = f"{shown} answers no ping, but is there: port {port} answers."
            return ProbeReply(True, text, "", _milliseconds(network.clock() - began))
    return ProbeReply(False, f"{shown} does not answer.", "is it on? a firewall may also keep it silent")


def read_host(text: str) -> str:
    """Read a name or an address; raises InvalidInput for what is neither."""
    host = text.strip().removeprefix("[").removesuffix("]").rstrip(".")
    if is_address(host):
        return host
    labels = host.split(".")
    fits = all(0 < len(label) < 64 and label.replace("-", "").replace("_", "").isalnum() for label in labels)
    if not fits or not host.isascii() or len(host) > 253 or host.startswith("-"):
        raise InvalidInput([f"{text!r} is neither a name nor an address"], "write HOST or an IP address")
    return host


def too_slow(error: VirtnodeError) -> ProbeReply:
    """Make the answer of a test that did not end in time."""
    if error.code is not Code.UNAVAILABLE:
        raise error
    return ProbeReply(False, f"{error.message[:1].upper()}{error.message[1:]}.", "try again in a moment")


def _time_of(network: Network, gateway: Gateway) -> float | None:
    link = f"%{gateway.interface}" if gateway.address.startswith("fe80:") else ""
    try:
        return network.ping(f"{gateway.address}{link}", GATEWAY_PATIENCE)
    except OSError:
        return None


def _say(gateways: Sequence[Gateway], one: str, many: str) -> str:
    named = " and ".join(f"{gateway.address} on {gateway.interface}" for gateway in gateways)
    if not gateways:
        return ""
    return f"The gateway {named} {one}." if len(gateways) == 1 else f"The gateways {named} {many}."


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
