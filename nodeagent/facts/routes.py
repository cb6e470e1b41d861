"""The way out of the node's networks: default routers, from the kernel's tables, and name servers."""

import ipaddress
import struct
from pathlib import Path

from nodeagent.facts.sources import read_text

ROUTES4, ROUTES6 = "proc/net/route", "proc/net/ipv6_route"
NOWHERE4, NOWHERE6 = "00000000", "0" * 32
RESOLVERS = ("run/systemd/resolve/resolv.conf", "etc/resolv.conf")


def read_gateways(root: Path) -> dict[str, tuple[str, ...]]:
    """Find the default routers of each interface, IPv4 first."""
    found: dict[str, dict[str, None]] = {}
    for line in read_text(root / ROUTES4).splitlines():
        # Interface, destination, gateway, and five fields on the mask: numbers as the processor has them.
        fields = line.split()
        if len(fields) > 7 and fields[1] == fields[7] == NOWHERE4 and fields[2] != NOWHERE4:
            address = ipaddress.IPv4Address(struct.pack("=I", int(fields[2], 16)))
            found.setdefault(fields[0], {})[str(address)] = None
    for line in read_text(root / ROUTES6).splitlines():
        fields = line.split()
        if len(fields) > 9 and fields[:2] == [NOWHERE6, "00"] and fields[4] != NOWHERE6:
            address6 = ipaddress.IPv6Address(bytes.fromhex(fields[4]))
            found.setdefault(fields[9], {})[str(address6)] = None
    return {link: tuple(addresses) for link, addresses in found.items()}


def name_servers(root: Path) -> tuple[str, ...]:
    """Name the DNS servers of this node, without the local one that only passes questions on."""
    for name in RESOLVERS:
        lines = [line.split() for line in read_text(root / name).splitlines()]
        found = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
        servers = tuple(server for server in found if not _is_loopback(server))
        if servers:
            return servers
    return ()


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
