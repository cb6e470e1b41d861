"""Links: facts beside the configuration, forms to tables and back, patches."""

import pytest

from nodelib.bus import ConfigView
from nodelib.errors import InvalidInput
from nodelib.facts import Facts, Nic
from tui.links import (
    References,
    find_links,
    is_managed,
    new_nic_table,
    patch_of_reset,
    patch_with,
    patch_without,
    to_table,
    to_values,
)

ETH0 = Nic("eth0", "physical", mac="52:54:00:00:00:01", path="pci-0000:00:01.0")
ETH1 = Nic("eth1", "physical", mac="52:54:00:00:00:02", path="pci-0000:00:02.0")
SLAVE = Nic("eth2", "physical", mac="52:54:00:00:00:09", path="pci-0000:00:03.0", master="bond0")
BOND = Nic("bond0", "bond", mac="52:54:00:00:00:09")
FACTS = Facts(nics=(ETH0, ETH1, SLAVE, BOND))
NETWORK: dict[str, list[dict[str, object]]] = {
    "nic": [{"match": {"mac": "52:54:00:00:00:01"}, "ipv4": ["192.0.2.5/24"], "mtu": 9000}],
    "bond": [{"name": "bond0", "members": ["pci-0000:00:03.0"]}],
    "vlan": [{"id": 5, "over": "bond0"}],
}
DOCUMENT = {"network": NETWORK, "dns": {"servers": ["192.0.2.53"]}}
VIEW = ConfigView(DOCUMENT)


def test_links_are_found_on_both_sides() -> None:
    """What is there comes first, with its table; what is only configured comes last."""
    found = [(link.name, link.kind, link.number) for link in find_links(FACTS, VIEW)]
    assert found == [
        ("eth0", "nic", 0),
        ("eth1", "nic", None),
        ("eth2", "nic", None),
        ("bond0", "bond", 0),
        ("bond0.5", "vlan", 0),
    ]


@pytest.mark.parametrize(
    ("nic", "table"),
    [
        (ETH1, {"match": {"mac": "52:54:00:00:00:02"}}),
        (SLAVE, {"match": {"path": "pci-0000:00:03.0"}}),
        (Nic("eth3", "physical"), {"match": {"name": "eth3"}}),
    ],
)
def test_a_port_is_referred_to_by_what_stays_the_same(nic: Nic, table: object) -> None:
    """The MAC address; the path where a bond covers it; the name where there is nothing else."""
    assert new_nic_table(nic, FACTS, VIEW) == table


def test_a_form_gives_back_the_table_it_was_filled_from() -> None:
    """What nobody touched stays as it was, references among it."""
    references = References(FACTS, VIEW)
    for tables in NETWORK.values():
        for table in tables:
            assert to_table(to_values(table, references), table, references) == table


def test_members_are_typed_as_names() -> None:
    """A form shows names; references stay, and new names get one that stays the same."""
    references = References(FACTS, VIEW)
    table = {"name": "bond0", "members": ["pci-0000:00:03.0"]}
    assert to_values(table, references)["members"] == "eth2"
    made = to_table({"members": "eth2, eth1"}, table, references)
    assert made["members"] == ["pci-0000:00:03.0", "52:54:00:00:00:02"]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"ipv4_method": "static", "ipv4": ""}, "ipv4: give at least one address"),
        ({"ipv4_method": "static", "ipv4": "192.0.2.5"}, "ipv4: 192.0.2.5 lacks the prefix length"),
        ({"ipv6_method": "static", "ipv6": "2001:db8::5"}, "such as 2001:db8::5/64"),
        ({"ipv4_method": "dhcp", "ipv4": "192.0.2.5/24"}, "ipv4: choose static above"),
        ({"mtu": "big"}, 'mtu: "big" is no whole number'),
    ],
)
def test_what_is_no_value_is_said_at_its_field(values: dict[str, str], problem: str) -> None:
    """The console says it before the agent is asked."""
    with pytest.raises(InvalidInput) as caught:
        to_table(values, {}, References(FACTS, VIEW))
    assert problem in caught.value.message


def test_members_lose_their_addresses() -> None:
    """A port that becomes a member keeps what is its own alone."""
    bridge = {"name": "br0", "members": ["52:54:00:00:00:01"]}
    patch = patch_with(VIEW, "bridge", None, bridge)
    freed = {"match": {"mac": "52:54:00:00:00:01"}, "mtu": 9000}
    assert patch == {"network": {"bridge": [bridge], "nic": [freed]}}


def test_the_last_table_of_a_kind_takes_its_key_along() -> None:
    """An empty list would say that there shall be none; no key says nothing."""
    assert patch_without(VIEW, "vlan", 0) == {"network": {"vlan": None}}


def test_a_reset_leaves_what_the_engine_decided() -> None:
    """Only what people decided is taken away."""
    view = ConfigView(DOCUMENT, {"network.bond": "engine", "dns": "engine"})
    assert patch_of_reset(view) == {"network": {"nic": None, "vlan": None}}
    assert is_managed(view, "bond")
    assert not is_managed(view, "nic")
