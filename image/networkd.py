"""systemd-networkd units for a kickstart's network commands."""

import re
from collections.abc import Mapping, Sequence

from image.config import BootProtocol, Network

MAC_ADDRESS = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", re.IGNORECASE)
EVERY_PORT = Network(device="link")
"""What a node does when its kickstart says nothing: DHCP and router advertisements on every wired port."""

BOND_KEYS = {
    "mode": "Mode",
    "miimon": "MIIMonitorSec",
    "lacp_rate": "LACPTransmitRate",
    "xmit_hash_policy": "TransmitHashPolicy",
    "primary": "PrimarySlave",
}


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
            kind = "Bond" if network.bond_ports else "Bridge"
            text = _sections({"Match": _match(port), "Network": [(kind, network.device)]})
            units[f"40-{_file_name(port)}.network"] = text
    return units


def _network_unit(network: Network, networks: Sequence[Network]) -> str:
    link: list[tuple[str, str]] = [("RequiredForOnline", "no")]
    if network.mtu:
        link.append(("MTUBytes", str(network.mtu)))
    if not network.on_boot:
        link.append(("ActivationPolicy", "manual"))
    device = interface_name(network)
    sections = {"Match": _match(device), "Link": link, "Network": _addresses(network)}
    vlans = [interface_name(other) for other in networks if other.vlan_id and _parent(other) == device]
    sections["Network"] += [("VLAN", name) for name in vlans]
    if network.protocol is BootProtocol.DHCP:
        sections["DHCPv4"] = [("UseMTU", "yes")]
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
        options = [(BOND_KEYS[key], _bond_value(key, value)) for key, value in network.bond_options]
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
    return f"{value}ms" if key == "miimon" else value


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
