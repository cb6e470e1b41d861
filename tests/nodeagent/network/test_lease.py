"""A lease becomes an intent."""

import json

import pytest

from nodeagent.intent import BridgeIntent, Intent, Match, NetworkIntent, NicIntent
from nodeagent.intent_check import read_intent
from nodeagent.intent_sources import merge
from nodeagent.network.lease import persist_dhcp, read_lease
from nodelib.errors import Code, VirtnodeError

STATUS = {
    "Index": 2,
    "Name": "eth0",
    "Path": "pci-0000:00:03.0",
    "PermanentHardwareAddress": [82, 84, 0, 18, 52, 86],
    "Addresses": [
        {"Family": 2, "Address": [192, 0, 2, 15], "PrefixLength": 24, "ConfigSource": "DHCPv4"},
        {"Family": 10, "Address": [254, 128] + [0] * 13 + [1], "PrefixLength": 64, "ConfigSource": "foreign"},
    ],
    "Routes": [
        {
            "Family": 2,
            "Destination": [192, 0, 2, 0],
            "DestinationPrefixLength": 24,
            "ConfigSource": "DHCPv4",
        },
        {
            "Family": 2,
            "Destination": [0, 0, 0, 0],
            "DestinationPrefixLength": 0,
            "Gateway": [192, 0, 2, 1],
            "ConfigSource": "DHCPv4",
        },
    ],
    "DNS": [
        {"Family": 2, "Address": [192, 0, 2, 53], "ConfigSource": "DHCPv4"},
        {"Family": 2, "Address": [198, 51, 100, 53], "ConfigSource": "static"},
    ],
}


def ask(name: str) -> str:
    """Answer as networkd does."""
    return json.dumps({**STATUS, "Name": name})


def test_a_lease_becomes_a_patch_that_the_node_takes() -> None:
    """A port that the intent does not speak of is named by its MAC address, which stays."""
    patch = persist_dhcp("eth0", NetworkIntent(), ask)
    intent, problems = read_intent(merge({}, patch))
    assert problems == ()
    assert intent.network.nic == (
        NicIntent(
            match=Match(mac="52:54:00:12:34:56"),
            ipv4=("192.0.2.15/24",),
            gateway4="192.0.2.1",
            dns=("192.0.2.53",),
        ),
    )


@pytest.mark.parametrize(
    "match", [Match(mac="52:54:00:12:34:56"), Match(name="eth0"), Match(path="pci-0000:00:03.0")], ids=str
)
def test_the_table_of_the_link_is_changed_and_no_other(match: Match) -> None:
    """However the intent names the port, its table gets the addresses and keeps the rest."""
    other = NicIntent(match=Match(name="eth9"), ipv4="off")
    network = NetworkIntent(nic=(other, NicIntent(match=match, mtu=9000, ipv6="off")))
    found = read_intent(merge({}, persist_dhcp("eth0", network, ask)))[0].network.nic
    assert found == (
        other,
        NicIntent(
            match=match,
            mtu=9000,
            ipv6="off",
            ipv4=("192.0.2.15/24",),
            gateway4="192.0.2.1",
            dns=("192.0.2.53",),
        ),
    )


def test_a_bridge_keeps_its_lease_as_well() -> None:
    """What is no port is found by its name."""
    network = NetworkIntent(bridge=(BridgeIntent(name="br0", members=("eth0",)),))
    found: Intent = read_intent(merge({}, persist_dhcp("br0", network, ask)))[0]
    assert found.network.bridge[0].ipv4 == ("192.0.2.15/24",)
    assert found.network.bridge[0].members == ("eth0",)


def test_a_lease_of_ipv6_takes_the_router_that_announced_itself() -> None:
    """DHCPv6 names no router; the router does."""
    router = [254, 128] + [0] * 13 + [1]
    status = {
        "Name": "eth0",
        "Addresses": [
            {
                "Family": 10,
                "Address": [32, 1, 13, 184] + [0] * 11 + [5],
                "PrefixLength": 128,
                "ConfigSource": "DHCPv6",
            }
        ],
        "Routes": [{"Family": 10, "DestinationPrefixLength": 0, "Gateway": router, "ConfigSource": "NDisc"}],
    }
    lease = read_lease(json.dumps(status))
    assert (lease.ipv6, lease.gateway6, lease.ipv4) == (("2001:db8::5/128",), "fe80::1", ())


def test_a_link_without_a_lease_is_refused() -> None:
    """There is nothing to keep, and the hint says where to look."""
    with pytest.raises(VirtnodeError) as caught:
        persist_dhcp("eth0", NetworkIntent(), lambda name: json.dumps({"Name": name}))
    assert (caught.value.code, bool(caught.value.hint)) == (Code.CONFLICT, True)


@pytest.mark.parametrize("text", ["", "[]", '{"Name": "x", "Addresses": [{"ConfigSource": "DHCPv4"}]}'])
def test_an_answer_that_is_not_understood_is_an_error(text: str) -> None:
    """No address is made up."""
    with pytest.raises(VirtnodeError) as caught:
        read_lease(text)
    assert caught.value.code is Code.FAILED
