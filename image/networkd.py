"""systemd-networkd units for a kickstart's network commands."""

import re
from collections.abc import Mapping, Sequence

from image.config import BootProtocol, Network
from nodelib.config_area import CONFIG_OPTION

MAC_ADDRESS = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", re.IGNORECASE)
EVERY_PORT = Network(device="link")
"""What a node does when its kickstart says nothing: DHCP and router advertisements on every wired port."""

BOND_KEYS = {
    "mode": "Mode",
    "miimon": "MIIMonitorSec",
    "lacp_rate": "LACPTransmitRate",
    "xmit_hash_policy": "TransmitHashPolicy",
    "primary": "",
}
"""The bond options of kickstart as networkd's settings; `primary` is a setting of the port it names."""


BOND_WORDS = {
    "mode": dict(
        zip(
            "0123456",
            (
                "balance-rr",
                "active-backup",
                "balance-xor",
                "broadcast",
                "802.3ad",
                "balance-tlb",
                "balance-alb",
            ),
            strict=True,
        )
    ),
    "lacp_rate": {"0": "slow", "1": "fast"},
    "xmit_hash_policy": {"0": "layer2", "1": "layer3+4", "2": "layer2+3", "3": "encap2+3", "4": "encap3+4"},
}
"""Values that are numbers to the kernel, by option, in networkd's words."""


def network_units(networks: Sequence[Network]) -> dict[str, str]:
    """Map file names below /etc/systemd/network to their text; the first match wins, so ports come first."""
    units: dict[str, str] = {}
    named = {network.device for network in networks if not network.vlan_id}
    parents = {_parent(network) for network in networks if network.vlan_id} - named
    bare_parents = [Network(device, BootProtocol.NONE, ipv6="ignore") for device in sorted(parents)]
    for network in (*(networks or (EVERY_PORT,)), *bare_parents):
        units.update(_netdev_units(network))
        device = interface_name(network)
        priority = 90 if device == "link" else 50
        units[f"{priority}-{_file_name(device)}.network"] = _network_unit(network, networks)
        for port in (*network.bond_ports, *network.bridge_ports):
            units[f"40-{_file_name(port)}.network"] = _port_unit(port, network, networks)
    return units


def _port_unit(port: str, network: Network, networks: Sequence[Network]) -> str:
    """Enslave a port; networkd reads no other file for it, so its own MTU and VLANs stand here too."""
    link = [("MTUBytes", str(other.mtu)) for other in networks if other.mtu and interface_name(other) == port]
    settings = [("Bond" if network.bond_ports else "Bridge", network.device)]
    if dict(network.bond_options).get("primary") == port:
        settings.append(("PrimarySlave", "yes"))
    settings.append(("LLDP", "yes"))
    sections = {"Match": _match(port), "Link": link, "Network": settings + _vlans_of(port, networks)}
    return _sections(sections)


def _vlans_of(device: str, networks: Sequence[Network]) -> list[tuple[str, str]]:
    return [
        ("VLAN", interface_name(other)) for other in networks if other.vlan_id and _parent(other) == device
    ]


def _network_unit(network: Network, networks: Sequence[Network]) -> str:
    link: list[tuple[str, str]] = []
    if network.mtu:
        link.append(("MTUBytes", str(network.mtu)))
    if not network.on_boot:
        link.append(("ActivationPolicy", "manual"))
    device = interface_name(network)
    sections = {"Match": _match(device), "Link": link, "Network": _addresses(network)}
    sections["Network"] += _vlans_of(device, networks)
    if network.protocol is BootProtocol.DHCP:
        # A server may name a configuration by this option, and most send only what they are asked for.
        sections["DHCPv4"] = [("UseMTU", "yes"), ("RequestOptions", str(CONFIG_OPTION))]
    return _sections(sections)


def _addresses(network: Network) -> list[tuple[str, str]]:
    wants_ipv4 = network.protocol is BootProtocol.DHCP
    wants_ipv6 = network.ipv6 == "dhcp" or (
        network.ipv6 == "auto" and network.protocol is not BootProtocol.NONE
    )
    dhcp = {(True, True): "yes", (True, False): "ipv4", (False, True): "ipv6", (False, False): "no"}
    settings = [("DHCP", dhcp[wants_ipv4, wants_ipv6])]
    settings.append(("IPv6AcceptRA", "yes" if network.ipv6 in ("auto", "dhcp") else "no"))
    if network.ipv6 == "ignore":
        settings.append(("LinkLocalAddressing", "no"))
    settings.append(("LLDP", "yes"))
    if network.protocol is BootProtocol.STATIC:
        settings += [("Address", network.ip)] + [("Gateway", network.gateway)] * bool(network.gateway)
    if network.ipv6 not in ("auto", "dhcp", "ignore"):
        settings += [("Address", network.ipv6)] + [("Gateway", network.ipv6_gateway)] * bool(
            network.ipv6_gateway
        )
    return settings + [("DNS", server) for server in network.nameservers]


def _netdev_units(network: Network) -> dict[str, str]:
    if network.bond_ports:
        options = [
            (BOND_KEYS[key], _bond_value(key, value)) for key, value in network.bond_options if BOND_KEYS[key]
        ]
        netdev = {"NetDev": [("Name", network.device), ("Kind", "bond")], "Bond": options}
    elif network.bridge_ports:
        netdev = {"NetDev": [("Name", network.device), ("Kind", "bridge")]}
    elif network.vlan_id:
        netdev = {
            "NetDev": [("Name", interface_name(network)), ("Kind", "vlan")],
            "VLAN": [("Id", str(network.vlan_id))],
        }
    else:
        return {}
    return {f"30-{_file_name(netdev['NetDev'][0][1])}.netdev": _sections(netdev)}


def interface_name(network: Network) -> str:
    """Name the interface that carries the addresses: a VLAN's is its port's name and its number."""
    if not network.vlan_id or "." in network.device:
        return network.device
    return f"{network.device}.{network.vlan_id}"


def _parent(network: Network) -> str:
    return network.device.partition(".")[0]


def _bond_value(key: str, value: str) -> str:
    """Say a bond option's value in networkd's words; the kernel's driver takes numbers for words, too."""
    if key == "miimon":
        return f"{value}ms"
    return BOND_WORDS.get(key, {}).get(value, value)


def _match(device: str) -> list[tuple[str, str]]:
    if device == "link":
        # Physical ports only: a bridge or a guest's tap has another kind.
        return [("Type", "ether"), ("Kind", "!*")]
    if MAC_ADDRESS.fullmatch(device):
        return [("PermanentMACAddress", device)]
    return [("Name", device)]


def _file_name(device: str) -> str:
    return device.replace(":", "")


def _sections(sections: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    blocks = (
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in settings)
        for name, settings in sections.items()
        if settings
    )
    return "\n".join(blocks)
