"""systemd-networkd's units: their text. What networkd says of them is in test_networkd."""

from pathlib import Path

import pytest

from nodeagent.intent import (
    BondIntent,
    BridgeIntent,
    Intent,
    Match,
    NetworkIntent,
    NicIntent,
    VlanIntent,
)
from nodeagent.intent_check import read_intent
from nodeagent.intent_sources import parse_node_toml
from nodeagent.network.setting import wanted
from nodeagent.network.units import network_units
from nodeagent.tree_files import TreeFiles
from tests.conftest import Golden
from tests.nodeagent.machines import make_machine
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


def test_a_port_is_told_by_its_name_beside_its_mac_address(tmp_path: Path) -> None:
    """As it is called now, a bond's member by its own address; what is not there keeps its address alone."""
    make_machine(
        tmp_path,
        {
            "sys/class/net/eth0/address": "52:54:00:00:00:01\n",
            "sys/class/net/eth0/device/x": "",
            "sys/class/net/eth1/address": "52:54:00:00:00:01\n",
            "sys/class/net/eth1/bonding_slave/perm_hwaddr": "52:54:00:00:00:02\n",
            "sys/class/net/eth1/device/x": "",
            "sys/class/net/bond0/address": "52:54:00:00:00:01\n",
        },
    )
    first, second, gone = (f"52:54:00:00:00:0{number}" for number in (1, 2, 3))
    network = NetworkIntent(
        nic=(
            NicIntent(
                match=Match(mac=first),
                ipv4=("192.0.2.5/24",),
                gateway4="192.0.2.1",
                ipv6="off",
                dns=("192.0.2.53", "192.0.2.54"),
            ),
        ),
        bond=(BondIntent(name="bond1", members=(second, gone), ipv4="off", ipv6="off"),),
    )
    told = [one.text for one in wanted(Intent(network=network), TreeFiles(tmp_path)) if one.text]
    assert told == [
        f"eth0 ({first}): ipv4 192.0.2.5/24 via 192.0.2.1, ipv6 off, DNS 192.0.2.53 192.0.2.54",
        f"bond1: bond (active-backup) of eth1 ({second}), {gone}",
        "bond1: ipv4 off, ipv6 off",
        f"eth1 ({second}): member of bond1",
        f"{gone}: member of bond1",
    ]
