"""systemd-networkd's units for the network of an intent: text by file name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nodeagent.intent import Addresses, BondIntent, BridgeIntent, NetworkIntent, NicIntent, VlanIntent
from nodeagent.network.links import Link, Links, normal
from nodelib.config_area import CONFIG_OPTION

PREFIX = "20-virtnode-"
"""Ours come before the image's own, which begin with 30 to 90: the first that matches a link counts."""
TAGS = "2-4094"
"""What passes a port of a bridge that is aware of VLANs; 1 is what has no tag."""

Settings = list[tuple[str, str]]


@dataclass(frozen=True)
class Unit:
    """One file of systemd-networkd, and what it does in a person's words."""

    name: str
    text: str
    summary: str


def network_units(network: NetworkIntent) -> tuple[Unit, ...]:
    """Write the units of every link that the intent speaks of, and of the ports that they are built on."""
    links = Links(network)
    return tuple(
        unit
        for link in links.all
        if link.reference
        for unit in (*_netdev_units(link), _network_unit(links, link.reference, link.intent))
    ) + tuple(_network_unit(links, name, None) for name in links.bare_ports)


def _netdev_units(link: Link) -> Iterator[Unit]:
    name, intent = link.reference, link.intent
    device: Settings = [("Name", name)]
    if isinstance(intent, VlanIntent):
        sections = {"NetDev": [*device, ("Kind", "vlan")], "VLAN": [("Id", str(intent.id))]}
        yield Unit(
            f"{_stem(name)}.netdev", _sections(sections), f"{name}: VLAN {intent.id} over {intent.over}"
        )
        return
    if isinstance(intent, BondIntent):
        options = [("Mode", intent.mode), ("MIIMonitorSec", f"{intent.miimon}ms")]
        options += [("LACPTransmitRate", intent.lacp_rate)] if intent.lacp_rate else []
        kind, summary = "bond", f"bond ({intent.mode}) of {', '.join(intent.members)}"
    elif isinstance(intent, BridgeIntent):
        options = [("VLANFiltering", "yes"), ("DefaultPVID", "1")] if intent.vlan_aware else []
        kind, summary = "bridge", f"bridge of {', '.join(intent.members) or 'guests alone'}"
    else:
        return
    # A made-up MAC address would hang on the machine id, which is new at each boot of a volatile node: the
    # first member's is taken instead, so that a DHCP server knows the node again.
    sections = {"NetDev": [*device, ("Kind", kind), ("MACAddress", "none")], kind.capitalize(): options}
    yield Unit(f"{_stem(name)}.netdev", _sections(sections), f"{name}: {summary}")
    policy = {"Match": [("OriginalName", name)], "Link": [("MACAddressPolicy", "none")]}
    yield Unit(f"{_stem(name)}.link", _sections(policy), "")


def _network_unit(links: Links, reference: str, intent: Addresses | None) -> Unit:
    """Write one link's unit; a port without a table of its own has no addresses."""
    master = links.masters.get(normal(reference))
    vlans = links.vlans_over(reference)
    tags: Settings = []
    more: dict[str, Settings] = {}
    if master is not None:
        network = [(_kind(master.intent), master.reference), ("LinkLocalAddressing", "no")]
        summary = f"member of {master.reference}"
        if isinstance(master.intent, BridgeIntent) and master.intent.vlan_aware:
            tags = [("VLAN", TAGS)]
    elif intent is None:
        network, more = _addresses(Addresses(ipv4="off", ipv6="off"))
        summary = f"carries {', '.join(vlans)}"
    else:
        network, more = _addresses(intent)
        summary = _summary(intent)
    if isinstance(intent, BridgeIntent):
        if not intent.members:
            network.append(("ConfigureWithoutCarrier", "yes"))
        if intent.vlan_aware:
            tags += [("VLAN", str(vlan.id)) for vlan in links.network.vlan if vlan.over == reference]
    if intent is None or isinstance(intent, NicIntent):
        network.append(("LLDP", "yes"))
    network += [("VLAN", name) for name in vlans]
    mtu = [("MTUBytes", str(intent.mtu))] if intent and intent.mtu else []
    match = _match(reference, intent)
    text = _sections({"Match": match, "Link": mtu, "Network": network, **more, "BridgeVLAN": tags})
    return Unit(
        f"{_stem(reference)}.network", text, f"{reference}: {summary}{f', MTU {mtu[0][1]}' if mtu else ''}"
    )


def _addresses(intent: Addresses) -> tuple[Settings, dict[str, Settings]]:
    """Write the settings of [Network], and of other sections, that give a link its addresses."""
    ipv4 = "dhcp" if intent.ipv4 is None else intent.ipv4
    ipv6 = "auto" if intent.ipv6 is None else intent.ipv6
    dhcp = {(True, True): "yes", (True, False): "ipv4", (False, True): "ipv6", (False, False): "no"}
    settings = [("DHCP", dhcp[ipv4 == "dhcp", ipv6 == "dhcp"])]
    settings.append(("IPv6AcceptRA", "yes" if ipv6 in ("auto", "dhcp") else "no"))
    if ipv6 == "off":
        settings.append(("LinkLocalAddressing", "no"))
    settings += [("Address", address) for address in intent.static]
    settings += [("Gateway", gateway) for gateway in (intent.gateway4, intent.gateway6) if gateway]
    settings += [("DNS", server) for server in intent.dns]
    more: dict[str, Settings] = {}
    # What a server knows a node by must not change from boot to boot, as the machine id may.
    if ipv4 == "dhcp":
        more["DHCPv4"] = [("ClientIdentifier", "mac"), ("UseMTU", "yes")]
        more["DHCPv4"] += [("RequestOptions", str(CONFIG_OPTION))]
    if ipv6 in ("auto", "dhcp"):
        more["DHCPv6"] = [("DUIDType", "link-layer")]
        more["DHCPv6"] += [("WithoutRA", "solicit")] if ipv6 == "dhcp" else []
    return settings, more


def _summary(intent: Addresses) -> str:
    words = []
    for family, value, default, gateway in (
        ("ipv4", intent.ipv4, "dhcp", intent.gateway4),
        ("ipv6", intent.ipv6, "auto", intent.gateway6),
    ):
        shown = ", ".join(value) if isinstance(value, tuple) else value or default
        words.append(f"{family} {shown}{f' via {gateway}' if gateway else ''}")
    words += [f"DNS {' '.join(intent.dns)}"] if intent.dns else []
    return ", ".join(words)


def _match(reference: str, intent: Addresses | None) -> Settings:
    """Say which link it is; the permanent address stays with a port that a bond gives another one."""
    if ":" not in reference:
        return [("Name", reference)]
    is_path = intent.match.path if isinstance(intent, NicIntent) else "-" in reference
    return [("Path" if is_path else "PermanentMACAddress", reference)]


def _kind(intent: Addresses) -> str:
    return "Bond" if isinstance(intent, BondIntent) else "Bridge"


def _stem(reference: str) -> str:
    return f"{PREFIX}{reference.replace(':', '-' if '-' in reference else '')}"


def _sections(sections: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    blocks = (
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in settings)
        for name, settings in sections.items()
        if settings
    )
    return "\n".join(blocks)
