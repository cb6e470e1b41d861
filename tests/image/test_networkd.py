"""systemd-networkd units of a kickstart's networks: golden text, and the real networkd's opinion of it."""

import re
from pathlib import Path

import pytest

from image.config import BootProtocol, Network
from image.networkd import BOND_KEYS, interface_name, network_units
from tests.conftest import Golden

NETWORKS = {
    "default": (),
    "static": (
        Network(
            "eth0",
            BootProtocol.STATIC,
            ip="192.0.2.5/24",
            gateway="192.0.2.1",
            ipv6="2001:db8::5/64",
            ipv6_gateway="2001:db8::1",
            nameservers=("192.0.2.53", "2001:db8::53"),
            mtu=9000,
        ),
        Network("52:54:00:12:34:56", BootProtocol.DHCP, ipv6="ignore", on_boot=False),
        Network("eth2", BootProtocol.NONE, ipv6="dhcp"),
    ),
    "bond-vlan-bridge": (
        Network(
            "bond0",
            BootProtocol.NONE,
            ipv6="ignore",
            bond_ports=("eth0", "eth1"),
            bond_options=(("mode", "1"), ("miimon", "100"), ("primary", "eth1")),
        ),
        Network("bond0", BootProtocol.NONE, ipv6="ignore", vlan_id=100),
        Network("br0", BootProtocol.DHCP, bridge_ports=("bond0.100",)),
        Network("eth2", BootProtocol.DHCP, vlan_id=7),
    ),
    "bridge-over-bond": (
        Network(
            "bond0",
            BootProtocol.NONE,
            bond_ports=("eth0", "eth1"),
            bond_options=(("mode", "802.3ad"), ("lacp_rate", "1"), ("xmit_hash_policy", "layer3+4")),
            mtu=9000,
        ),
        Network("br0", BootProtocol.DHCP, bridge_ports=("bond0",)),
        Network("bond0", BootProtocol.DHCP, vlan_id=20),
    ),
}


def as_text(units: dict[str, str]) -> str:
    """Write units one after another, as a person reviews them."""
    return "".join(f"# {name}\n{text}\n" for name, text in sorted(units.items()))


@pytest.mark.parametrize("name", NETWORKS)
def test_units_are_as_reviewed(name: str, golden: Golden) -> None:
    """Each set of network commands gives the units in its golden file."""
    golden(f"networkd/{name}.txt", as_text(network_units(NETWORKS[name])))


def matched(units: dict[str, str], device: str) -> str:
    """Return the .network unit that networkd takes for a device: the first by name that matches."""
    return next(
        text
        for name, text in sorted(units.items())
        if name.endswith(".network") and f"\nName={device}\n" in text
    )


def test_a_vlan_on_a_bridged_bond_reaches_networkd() -> None:
    """The one unit that networkd reads for the bond has bridge, VLAN and MTU."""
    unit = matched(network_units(NETWORKS["bridge-over-bond"]), "bond0")
    assert "Bridge=br0\n" in unit
    assert "VLAN=bond0.20\n" in unit
    assert "MTUBytes=9000\n" in unit


def test_the_primary_port_is_said_at_the_port() -> None:
    """Networkd knows no primary port in a .netdev, only in the port's own unit."""
    units = network_units(NETWORKS["bond-vlan-bridge"])
    assert "PrimarySlave=yes\n" in units["40-eth1.network"]
    assert "PrimarySlave" not in units["40-eth0.network"] + units["30-bond0.netdev"]


@pytest.mark.parametrize("number", range(7))
def test_bond_modes_may_be_numbers(number: int) -> None:
    """The kernel's numbers become networkd's words."""
    network = Network("bond0", bond_ports=("eth0",), bond_options=(("mode", str(number)),))
    text = network_units([network])["30-bond0.netdev"]
    assert not re.search(r"Mode=\d$", text, re.M)
    assert re.search(r"^Mode=[a-z8]", text, re.M)


@pytest.mark.parametrize("key", BOND_KEYS)
def test_every_bond_option_is_written(key: str) -> None:
    """No option that a kickstart may give is lost."""
    network = Network("bond0", bond_ports=("eth0",), bond_options=((key, "eth0"),))
    bare = Network("bond0", bond_ports=("eth0",))
    assert network_units([network]) != network_units([bare])


def test_a_port_without_a_name_is_matched_by_its_address() -> None:
    """A MAC address names the file without colons, which a unit's name may not have everywhere."""
    units = network_units([Network("52:54:00:12:34:56")])
    assert list(units) == ["50-525400123456.network"]
    assert "PermanentMACAddress=52:54:00:12:34:56\n" in units["50-525400123456.network"]


def test_a_vlan_is_named_after_its_port() -> None:
    """A number is added once."""
    assert interface_name(Network("eth0", vlan_id=5)) == "eth0.5"
    assert interface_name(Network("eth0.5", vlan_id=5)) == "eth0.5"
    assert interface_name(Network("eth0")) == "eth0"


def known_words(networkd: Path) -> set[str]:
    """Read Section.Setting of every setting that a networkd knows from its own perfect hash's words."""
    text = networkd.read_bytes().decode("latin-1")
    return set(re.findall(r"\b([A-Z][A-Za-z0-9]+\.[A-Z][A-Za-z0-9]+)\b", text))


@pytest.mark.integration
@pytest.mark.parametrize("name", NETWORKS)
def test_networkd_knows_every_setting(name: str, node_tree: Path) -> None:
    """The node's own systemd-networkd has each section and setting that we write."""
    words = known_words(node_tree / "usr/lib/systemd/systemd-networkd")
    assert "Match.Name" in words
    for unit, text in network_units(NETWORKS[name]).items():
        section = ""
        for line in text.splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line:
                assert f"{section}.{line.partition('=')[0]}" in words, f"{unit}: {line}"
