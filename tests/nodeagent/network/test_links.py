"""Links as a graph: what the checks let through. What they refuse is in the bad documents."""

from nodeagent.intent import BondIntent, BridgeIntent, Match, NetworkIntent, NicIntent, VlanIntent
from nodeagent.network.links import Links, check_network, normal, vlan_name


def test_usual_networks_are_right() -> None:
    """A bridge over a VLAN over a bond of bare ports needs no table for each port."""
    network = NetworkIntent(
        bond=(BondIntent(name="bond0", members=("eth0", "52:54:00:AB:CD:EF"), mtu=9000),),
        vlan=(VlanIntent(id=5, over="bond0", mtu=9000),),
        bridge=(BridgeIntent(name="br0", members=("bond0.5",)),),
    )
    assert check_network(network) == ()
    links = Links(network)
    assert links.bare_ports == ("eth0", "52:54:00:ab:cd:ef")
    assert links.masters["bond0.5"].reference == "br0"
    assert links.vlans_over("bond0") == ("bond0.5",)


def test_a_gateway_may_be_link_local() -> None:
    """Routers of IPv6 are often known by nothing else."""
    nic = NicIntent(match=Match(name="eth0"), ipv6=("2001:db8::5/64",), gateway6="fe80::1")
    assert check_network(NetworkIntent(nic=(nic,))) == ()


def test_a_small_packet_is_right_without_ipv6() -> None:
    """IPv6 alone needs 1280 bytes."""
    small = NicIntent(match=Match(name="eth0"), mtu=1000)
    assert [problem.line for problem in check_network(NetworkIntent(nic=(small,)))] == [
        'network.nic[0].mtu: 1000 is too small for IPv6; allowed: 1280 and more, or ipv6 = "off"'
    ]
    assert (
        check_network(NetworkIntent(nic=(NicIntent(match=Match(name="eth0"), mtu=1000, ipv6="off"),))) == ()
    )


def test_addresses_of_hosts_in_tiny_networks_are_right() -> None:
    """A /31 and a /32 have no broadcast."""
    nic = NicIntent(
        match=Match(name="eth0"), ipv4=("192.0.2.0/31", "198.51.100.7/32"), ipv6=("2001:db8::/127",)
    )
    assert check_network(NetworkIntent(nic=(nic,))) == ()


def test_references_are_compared_whatever_their_letters() -> None:
    """A MAC address is the same in capitals; a name is not."""
    assert normal("52:54:00:AB:CD:EF") == "52:54:00:ab:cd:ef"
    assert normal("Eth0") == "Eth0"
    assert vlan_name(VlanIntent(id=5, over="eth0")) == "eth0.5"
    assert vlan_name(VlanIntent(id=5, over="pci-0000:00:03.0")) == ""
