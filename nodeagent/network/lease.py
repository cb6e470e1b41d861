"""A lease that a link has now, turned into an intent with addresses that stay."""

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nodeagent.intent import Addresses, Match, NetworkIntent, NicIntent, to_document
from nodeagent.network.links import Links
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run

FAMILIES = {2: 4, 10: 6}
"""Address families of the kernel, and the versions of IP."""

LEASES = "run/systemd/netif/leases"
"""Where networkd keeps each DHCPv4 lease, by the link's number."""


@dataclass(frozen=True)
class Lease:
    """What a DHCP server gave to a link, and how the link can be told from others."""

    name: str
    mac: str = ""
    path: str = ""
    ipv4: tuple[str, ...] = ()
    gateway4: str = ""
    ipv6: tuple[str, ...] = ()
    gateway6: str = ""
    dns: tuple[str, ...] = ()
    mtu: int = 0
    """The largest packet that the server named; 0 where it named none."""


def ask_networkd(name: str) -> str:
    """Let networkd describe a link, as JSON."""
    return run(["networkctl", "--json=short", "status", "--", name], timeout=10).stdout


def persist_dhcp(
    name: str, network: NetworkIntent, ask: Callable[[str], str] = ask_networkd, root: Path = Path("/")
) -> dict[str, object]:
    """Make the patch that keeps the addresses that a link has by DHCP; nothing of it is applied.

    Raises VirtnodeError (conflict) where the link has no lease.
    """
    lease = read_lease(ask(name), root)
    if not lease.ipv4 and not lease.ipv6:
        raise VirtnodeError(
            Code.CONFLICT,
            f"{name} has no address from a DHCP server",
            "choose the link that has one: the bridge or bond, not its port",
        )
    for link in Links(network).all:
        intent = link.intent
        found = link.reference == lease.name
        if isinstance(intent, NicIntent):
            same_mac = bool(lease.mac) and intent.match.mac.lower() == lease.mac
            found = found or same_mac or (bool(lease.path) and intent.match.path == lease.path)
        if found:
            kind, number = str(link.path[1]), int(link.path[2])
            items = [to_document(item) for item in getattr(network, kind)]
            items[number] = to_document(keep(intent, lease))
            return {"network": {kind: items}}
    match = Match(mac=lease.mac) if lease.mac else Match(name=lease.name)
    fresh = keep(NicIntent(match=match), lease)
    return {"network": {"nic": [*(to_document(item) for item in network.nic), to_document(fresh)]}}


def keep(intent: Addresses, lease: Lease) -> Addresses:
    """Write a lease's addresses into a link; a family without a lease stays as it is."""
    if lease.ipv4:
        intent = replace(intent, ipv4=lease.ipv4, gateway4=lease.gateway4)
    if lease.ipv6:
        intent = replace(intent, ipv6=lease.ipv6, gateway6=lease.gateway6)
    return replace(intent, dns=lease.dns or intent.dns, mtu=intent.mtu or lease.mtu)


def read_lease(text: str, root: Path = Path("/")) -> Lease:
    """Read what networkd says of a link; raises VirtnodeError (failed) where it is not understood."""
    try:
        status = json.loads(text)
        leased = [item for item in status.get("Addresses", []) if _by_dhcp(item)]
        routes = [item for item in status.get("Routes", []) if _is_default(item)]
        return Lease(
            name=str(status["Name"]),
            mac=_mac(status.get("PermanentHardwareAddress") or []),
            path=str(status.get("Path") or ""),
            ipv4=_interfaces(leased, 4),
            gateway4=_gateway(routes, 4),
            ipv6=_interfaces(leased, 6),
            gateway6=_gateway(routes, 6),
            dns=tuple(_address(item["Address"]) for item in status.get("DNS", []) if _by_dhcp(item)),
            mtu=_mtu(root / LEASES / str(status.get("Index"))),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VirtnodeError(Code.FAILED, f"networkd's answer is not understood: {error}") from error


def _mtu(path: Path) -> int:
    """Read the option that networkctl does not show out of networkd's own notes of a lease."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return 0
    values = [line.partition("=")[2] for line in lines if line.startswith("MTU=")]
    return int(values[0]) if values and values[0].isdecimal() else 0


def _by_dhcp(item: Mapping[str, Any]) -> bool:
    return item.get("ConfigSource") in ("DHCPv4", "DHCPv6")


def _is_default(item: Mapping[str, Any]) -> bool:
    found = item.get("ConfigSource") in ("DHCPv4", "NDisc")
    return found and item.get("DestinationPrefixLength") == 0 and bool(item.get("Gateway"))


def _interfaces(items: list[Mapping[str, Any]], version: int) -> tuple[str, ...]:
    found = [item for item in items if FAMILIES[item["Family"]] == version]
    return tuple(f"{_address(item['Address'])}/{item['PrefixLength']}" for item in found)


def _gateway(items: list[Mapping[str, Any]], version: int) -> str:
    found = [item for item in items if FAMILIES[item["Family"]] == version]
    return _address(found[0]["Gateway"]) if found else ""


def _address(numbers: list[int]) -> str:
    return str(ipaddress.ip_address(bytes(numbers)))


def _mac(numbers: list[int]) -> str:
    return ":".join(f"{number:02x}" for number in numbers)
