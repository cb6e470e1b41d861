"""systemd-networkd's units: their text. What networkd says of them is in test_networkd."""

import pytest

from nodeagent.intent import (
    BondIntent,
    BridgeIntent,
    Match,
    NetworkIntent,
    NicIntent,
    VlanIntent,
)
from nodeagent.intent_check import read_intent
from nodeagent.intent_sources import parse_node_toml
from nodeagent.network.units import network_units
from tests.conftest import Golden
from tests.nodeagent.node_trees import FULL

ETH0 = Match(name="eth0")
NETWORKS = {
    "full": read_intent(parse_node_toml(FULL, "node.toml"))[0].network,
    "ipv6-only": NetworkIntent(
        nic=(NicIntent(match=ETH0, ipv4="off", ipv6=("2001:db8::5/64",), gateway6="2001:db8::1"),)
    ),
    "ipv6-auto": NetworkIntent(nic=(NicIntent(match=ETH0, ipv4="off"),)),
    "ipv6-dhcp": NetworkIntent(nic=(NicIntent(match=ETH0, ipv4="off", ipv6="dhcp"),)),
    "by-path": NetworkIntent(nic=(NicIntent(match=Match(path="pci-0000:00:03.0")),)),
    "vlan-over-mac": NetworkIntent(vlan=(VlanIntent(name="lan", id=5, over="52:54:00:12:34:56"),)),
    "bonded-bridge": NetworkIntent(
        bond=(BondIntent(name="bond0", members=("eth0", "eth1")),),
        bridge=(BridgeIntent(name="br0", members=("bond0",), ipv4=("192.0.2.5/24",), ipv6="off"),),
    ),
    "vlan-over-bridge": NetworkIntent(
        bridge=(BridgeIntent(name="br0", members=("eth0",), vlan_aware=True, ipv4="off"),),
        vlan=(VlanIntent(id=9, over="br0"),),
    ),
    "nothing": NetworkIntent(),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_units_are_as_they_were_reviewed(name: str, golden: Golden) -> None:
    """Each network gives these files, with this summary in the plan."""
    units = network_units(NETWORKS[name])
    golden(f"networkd/{name}", "\n".join(f"# {unit.name}  ({unit.summary})\n{unit.text}" for unit in units))


@pytest.mark.parametrize("name", NETWORKS)
def test_no_two_units_have_the_same_name(name: str) -> None:
    """One file for each link: the second would replace the first."""
    names = [unit.name for unit in network_units(NETWORKS[name])]
    assert len(set(names)) == len(names)
