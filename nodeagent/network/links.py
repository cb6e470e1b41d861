"""The links of an intent as a graph: who is built on whom, and what of it cannot be."""

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from nodeagent.intent import Addresses, BondIntent, BridgeIntent, NetworkIntent, NicIntent, VlanIntent
from nodeagent.intent_forms import LONGEST_NAME, MAC
from nodeagent.problems import Path, Problem

ETHERNET_MTU = 1500
SMALLEST_IPV6_MTU = 1280
PORT_NAME = re.compile(r"(?:en|eth|ib|wl|ww|usb)[A-Za-z0-9_.-]*")
"""How the kernel and udev name physical ports; such a name needs no `[[network.nic]]` of its own."""


@dataclass(frozen=True)
class Link:
    """A link of the intent: its reference, what it is, and where it stands in the document."""

    reference: str
    intent: Addresses
    path: Path

    @property
    def lower(self) -> tuple[str, ...]:
        """The references of what it is built on."""
        if isinstance(self.intent, BondIntent | BridgeIntent):
            return self.intent.members
        return (self.intent.over,) if isinstance(self.intent, VlanIntent) and self.intent.over else ()


@dataclass(frozen=True)
class Links:
    """All links of an intent."""

    network: NetworkIntent

    @cached_property
    def all(self) -> tuple[Link, ...]:
        """Every link that the intent declares, in its order."""
        found: list[Link] = []
        for kind in ("nic", "bond", "vlan", "bridge"):
            items: Sequence[Addresses] = getattr(self.network, kind)
            for number, item in enumerate(items):
                found.append(Link(self.reference(item), item, ("network", kind, number)))
        return tuple(found)

    def reference(self, item: Addresses) -> str:
        """Say how others refer to a link: by its name, else by its MAC address or path."""
        if isinstance(item, NicIntent):
            return item.match.name or item.match.mac.lower() or item.match.path
        if isinstance(item, VlanIntent):
            return vlan_name(item)
        return item.name if isinstance(item, BondIntent | BridgeIntent) else ""

    @cached_property
    def by_reference(self) -> dict[str, Link]:
        """Every declared link by its reference; the first of two with the same."""
        return {link.reference: link for link in reversed(self.all) if link.reference}

    @cached_property
    def masters(self) -> dict[str, Link]:
        """The bond or bridge of each member, by the member's reference."""
        uppers = [link for link in self.all if isinstance(link.intent, BondIntent | BridgeIntent)]
        return {normal(member): upper for upper in reversed(uppers) for member in upper.lower}

    def vlans_over(self, reference: str) -> tuple[str, ...]:
        """Name the VLANs that run over a link."""
        found = [vlan for vlan in self.network.vlan if normal(vlan.over) == normal(reference)]
        return tuple(vlan_name(vlan) for vlan in found if vlan_name(vlan))

    @cached_property
    def bare_ports(self) -> tuple[str, ...]:
        """The ports that something is built on and that have no table of their own."""
        used = [normal(lower) for link in self.all for lower in link.lower]
        return tuple(name for name in dict.fromkeys(used) if name not in self.by_reference)


def normal(reference: str) -> str:
    """Write a reference in the one way that can be compared."""
    return reference.lower() if re.fullmatch(MAC, reference) else reference


def vlan_name(vlan: VlanIntent) -> str:
    """Name a VLAN's interface: as it says, else by what it runs over and its tag, if that has a name."""
    if vlan.name or ":" in vlan.over or not vlan.over:
        return vlan.name
    return f"{vlan.over}.{vlan.id}"


def check_network(network: NetworkIntent) -> tuple[Problem, ...]:
    """Find what cannot be: twice the same, loops, unknown links, gateways and sizes that do not fit."""
    links = Links(network)
    checks = (check_names, check_members, check_vlans, check_loops, check_addresses, check_sizes)
    return tuple(problem for check in checks for problem in check(links))


def check_names(links: Links) -> Iterator[Problem]:
    """Refuse a name, or a port, that is declared twice, and bond options that do nothing."""
    counts = Counter(link.reference for link in links.all if link.reference)
    for link in links.all:
        if counts[link.reference] > 1:
            yield Problem(
                link.path, f"{link.reference} is declared {counts[link.reference]} times; once is allowed"
            )
    for number, bond in enumerate(links.network.bond):
        if bond.lacp_rate and bond.mode != "802.3ad":
            yield Problem(
                ("network", "bond", number, "lacp_rate"), f"mode {bond.mode} has none; allowed: with 802.3ad"
            )


def check_members(links: Links) -> Iterator[Problem]:
    """Refuse members that are unknown, used twice, of the wrong kind, or have addresses."""
    used: dict[str, str] = {}
    for link in links.all:
        if not isinstance(link.intent, BondIntent | BridgeIntent):
            continue
        for number, member in enumerate(link.lower):
            path = (*link.path, "members", number)
            name = normal(member)
            lower = links.by_reference.get(name)
            if name in used:
                yield Problem(path, f"{member} is already a member of {used[name]}; a port has one master")
            used.setdefault(name, link.reference)
            if lower is None and not is_port(name):
                yield Problem(path, _unknown(member))
            elif lower is not None and lower.intent.static:
                yield Problem(
                    path,
                    f"{member} has addresses of its own; give them to {link.reference}, or make it `off`",
                )
            if isinstance(link.intent, BondIntent) and lower and not isinstance(lower.intent, NicIntent):
                yield Problem(path, f"{member} is no physical port; a bond is made of those")
            if isinstance(link.intent, BridgeIntent) and lower and isinstance(lower.intent, BridgeIntent):
                yield Problem(path, f"{member} is a bridge; a bridge takes ports, bonds and VLANs")
            wanted = (lower.intent.ipv4, lower.intent.ipv6) if lower else ()
            if any(value in ("dhcp", "auto") for value in wanted):
                yield Problem(path, f"{member} asks for addresses; a member of {link.reference} has none")


def check_vlans(links: Links) -> Iterator[Problem]:
    """Refuse VLANs over nothing, twice the same, or without a name."""
    seen: set[tuple[str, int]] = set()
    for number, vlan in enumerate(links.network.vlan):
        path = ("network", "vlan", number)
        name = vlan_name(vlan)
        parent = normal(vlan.over)
        if vlan.over and parent not in links.by_reference and not is_port(parent):
            yield Problem((*path, "over"), _unknown(vlan.over))
        if vlan.over and not name:
            yield Problem(
                (*path, "name"), "missing; a VLAN over a MAC address or path needs a name of its own"
            )
        if len(name) > LONGEST_NAME:
            yield Problem(path, f"{name} is longer than {LONGEST_NAME} characters; give it a shorter name")
        if vlan.over and vlan.id and (parent, vlan.id) in seen:
            yield Problem((*path, "id"), f"{vlan.id} is there already over {vlan.over}; a tag is there once")
        seen.add((parent, vlan.id))


def check_loops(links: Links) -> Iterator[Problem]:
    """Refuse a link that is built on itself, by whatever way."""
    for link in links.all:
        waiting, seen = list(link.lower), set[str]()
        while waiting:
            name = normal(waiting.pop())
            if name == link.reference:
                yield Problem(link.path, f"{name} is built on itself; take one of the links of the loop out")
                break
            if name not in seen and name in links.by_reference:
                seen.add(name)
                waiting += links.by_reference[name].lower


def check_addresses(links: Links) -> Iterator[Problem]:
    """Refuse addresses that two links have, and gateways that no address of their link reaches."""
    owners: dict[ipaddress.IPv4Address | ipaddress.IPv6Address, str] = {}
    for link in links.all:
        for key in ("ipv4", "ipv6"):
            value = getattr(link.intent, key)
            for number, text in enumerate(value if isinstance(value, tuple) else ()):
                interface = ipaddress.ip_interface(text)
                path = (*link.path, key, number)
                if interface.ip in owners:
                    yield Problem(path, f"{interface.ip} is also an address of {owners[interface.ip]}")
                owners.setdefault(interface.ip, link.reference)
                if _is_reserved(interface):
                    yield Problem(path, f"{text} is the network itself or its broadcast, not a host in it")
        yield from _check_gateways(link)


def _is_reserved(interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> bool:
    network = interface.network
    if network.prefixlen >= network.max_prefixlen - 1:
        return False
    broadcast = interface.version == 4 and interface.ip == network.broadcast_address
    return broadcast or interface.ip == network.network_address


def _check_gateways(link: Link) -> Iterator[Problem]:
    for number in (4, 6):
        gateway = getattr(link.intent, f"gateway{number}")
        value = getattr(link.intent, f"ipv{number}")
        if not gateway:
            continue
        interfaces = [ipaddress.ip_interface(text) for text in value] if isinstance(value, tuple) else []
        address = ipaddress.ip_address(gateway)
        path = (*link.path, f"gateway{number}")
        if not interfaces:
            yield Problem(path, f"{gateway} needs addresses in ipv{number}; without them the router is found")
        elif address in [interface.ip for interface in interfaces]:
            yield Problem(path, f"{gateway} is the node's own address")
        elif not address.is_link_local and not any(address in one.network for one in interfaces):
            known = ", ".join(dict.fromkeys(str(interface.network) for interface in interfaces))
            yield Problem(path, f"{gateway} is in no subnet of this link; allowed: an address in {known}")


def check_sizes(links: Links) -> Iterator[Problem]:
    """Refuse an MTU that does not fit into what is below, or is too small for IPv6."""
    for link in links.all:
        mtu, path = link.intent.mtu, (*link.path, "mtu")
        if isinstance(link.intent, VlanIntent) and mtu and link.intent.over:
            parent = links.by_reference.get(normal(link.intent.over))
            most = (parent.intent.mtu if parent else 0) or ETHERNET_MTU
            if mtu > most:
                yield Problem(
                    path, f"{mtu} is more than the {most} of {link.intent.over}; give that a larger one"
                )
        member = link.reference in links.masters
        if 0 < mtu < SMALLEST_IPV6_MTU and link.intent.ipv6 != "off" and not member:
            yield Problem(
                path, f'{mtu} is too small for IPv6; allowed: {SMALLEST_IPV6_MTU} and more, or ipv6 = "off"'
            )


def is_port(reference: str) -> bool:
    """Tell whether a reference can only be a physical port: a MAC address, a path, or a port's usual name."""
    return ":" in reference or PORT_NAME.fullmatch(reference) is not None


def _unknown(name: str) -> str:
    return f"{name} is unknown; declare it as a nic (match.name), bond, vlan or bridge"
