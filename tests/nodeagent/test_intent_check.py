"""What people get wrong in node.toml: everything is named at once, with its line and what is allowed."""

from pathlib import Path

import pytest

from nodeagent.intent import Intent, to_document
from nodeagent.intent_check import read_intent
from nodeagent.intent_forms import FORMS, split_host_port
from nodeagent.intent_sources import parse_node_toml
from nodeagent.intent_state import write_toml
from nodelib.codec import decode
from nodelib.errors import InvalidInput
from tests.conftest import Golden
from tests.nodeagent.node_trees import FULL, SSH_KEY

BAD = sorted((Path(__file__).parent / "intents").glob("*.toml"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_everything_that_is_wrong_is_named_with_its_line(path: Path, golden: Golden) -> None:
    """Each bad document gives exactly the lines that a person has reviewed."""
    with pytest.raises(InvalidInput) as caught:
        parse_node_toml(path.read_text(), "node.toml")
    assert caught.value.hint == "see docs/node-toml.md"
    golden(f"intents/{path.stem}.expected", caught.value.message + "\n")


def test_a_full_document_is_right() -> None:
    """A document that says something of everything has nothing wrong with it."""
    document = parse_node_toml(FULL, "node.toml")
    intent, problems = read_intent(document)
    assert problems == ()
    assert intent.network.bond[0].members == ("eth1", "52:54:00:AB:CD:EF")
    assert intent.access.ssh_keys == (SSH_KEY,)


def test_an_intent_survives_the_way_to_toml_and_back() -> None:
    """What is written for the state is read as the same intent."""
    intent, _ = read_intent(parse_node_toml(FULL, "node.toml"))
    again = parse_node_toml(write_toml(to_document(intent)), "node.toml")
    assert read_intent(again)[0] == intent
    assert decode(Intent, again) == intent


def test_a_secret_is_not_in_what_is_said_of_it() -> None:
    """A token that is wrong is not shown, for the message goes to logs and screens."""
    _, problems = read_intent({"engine": {"token": "not a token!", "proxy": 7}})
    assert [problem.line.split(": ")[1].split(";")[0] for problem in problems] == [
        "the value (not shown) is wrong",
        "the value (not shown) is not text",
    ]
    assert "not a token!" not in "".join(problem.line for problem in problems)


def test_a_problem_is_one_line_whatever_the_key() -> None:
    """A key may be any text, and a terminal must not act on it."""
    _, problems = read_intent({"a\nb\x1b[2J": 1, "system": {"": 2}})
    assert [problem.line.partition(": ")[0] for problem in problems] == ['"a\\nb\\u001b[2J"', 'system.""']


def test_what_is_wrong_is_as_if_it_were_not_there() -> None:
    """The rest of a bad document is still looked at, and nothing wrong gets into the intent."""
    intent, problems = read_intent({"system": {"hostname": "-x-", "timezone": "UTC"}, "dns": []})
    assert (intent.system.hostname, intent.system.timezone, len(problems)) == ("", "UTC", 2)


GOOD_VALUES = {
    "host-port": (
        "engine",
        "engine:1",
        "192.0.2.1:7443",
        "2001:db8::1",
        "[2001:db8::1]",
        "[2001:db8::1]:7443",
    ),
    "proxy": ("http://proxy:3128", "http://user:word@192.0.2.1:3128", "http://[2001:db8::1]:80/"),
    "reference": ("eth0", "pci-0000:00:03.0", "52:54:00:12:34:56", "usb-0:1:1.0"),
    "ssh-key": (SSH_KEY, SSH_KEY.rpartition(" ")[0]),
    "port": ("22/tcp", "1-65535/udp", "5/sctp"),
    "mtu": (0, 576, 9000, 65535),
    "ipv4": ("192.0.2.5/24", "192.0.2.0/31", "192.0.2.5/32"),
    "ipv6": ("2001:db8::5/64", "fd00::1/128"),
    "hostname": ("node1", "node-1.example.org"),
    "timezone": ("UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+1"),
    "syslog": ("udp://logs", "tcp://192.0.2.1:601", "udp://[2001:db8::1]:514"),
    "interface": ("eth0", "a" * 15, "br_lan.5"),
    "iscsi-name": (
        "iqn.2026-01.org.example",
        "iqn.1993-08.org.debian:01:abc",
        "eui.0123456789ABCDEF",
        "naa.0123456789abcdef",
    ),
    "keymap": ("us", "de-latin1", "sr-cy"),
    "password-hash": ("$6$salt$abcdefgh", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7"),
    "idle-lock": (0, 300, 86400),
}
BAD_VALUES = {
    "iscsi-name": ("iqn.2026-13.org", "iqn.org.example", "eui.0", "naa.012345678", "IQN.2026-01.org", "x\n"),
    "keymap": ("../us", "de latin1", "-x", ""),
    "password-hash": ("secret", "$1$salt$abcdefgh", "$6$sa:lt$abcdefgh", "$6$salt$abc\n", "!"),
    "idle-lock": (-1, 86401),
    "host-port": (
        "a:b",
        "engine:0",
        "engine:70000",
        "[engine]:1",
        "192.0.2.1.",
        "",
        "a b",
        "-x",
        "[192.0.2.1]",
    ),
    "proxy": (
        "https://proxy",
        "proxy:3128",
        "http://",
        "http://a b",
        'http://p"',
        "http://p/x",
        "http://p:0",
    ),
    "reference": ("eth 0", "a" * 16, "pci-0000:00/3", ":", ""),
    "ssh-key": (
        "ssh-ed25519 AAAA",
        f"{SSH_KEY}\nssh-rsa x",
        f'command="x" {SSH_KEY}',
        "x",
        SSH_KEY.replace("ssh-ed25519", "ssh-rsa"),
    ),
    "port": ("22", "0/tcp", "70000/tcp", "9-8/tcp", "ssh/tcp", "22/icmp", "22/tcp; drop"),
    "mtu": (1, 575, 65536, -1),
    "ipv4": ("192.0.2.5", "127.0.0.1/8", "0.0.0.0/0", "224.0.0.1/4", "2001:db8::1/64", "192.0.2.5/33"),
    "ipv6": ("2001:db8::5", "::1/128", "ff02::1/64", "192.0.2.5/24", "fe80::1%eth0/64"),
    "hostname": ("-a", "a_b", "a..b", "a" * 64, ".", "a.b."),
    "timezone": ("../etc", "/etc/passwd", "a//b", "Europe/Ber lin"),
    "syslog": ("logs", "udp://", "udp://logs/path", "tls://logs"),
    "interface": ("a" * 16, "a b", "..", "a/b", "a:b"),
}


@pytest.mark.parametrize("data", ["lvm", "none", ["bus:nvme", "size:1T-,rotational:no"], ["/dev/sdb"]])
def test_data_is_a_word_or_rules(data: object) -> None:
    """A list of rules stands for the disks that join the volume group."""
    intent, problems = read_intent({"install": {"data": data}})
    assert (problems, intent.install.data) == ((), tuple(data) if isinstance(data, list) else data)


@pytest.mark.parametrize("data", ["", "bus:nvme", [], ["biggest"], [5], True])
def test_data_is_nothing_else(data: object) -> None:
    """A rule by itself, no rule at all, or one that makes no sense."""
    _, problems = read_intent({"install": {"data": data}})
    assert [problem.path[:2] for problem in problems] == [("install", "data")]


@pytest.mark.parametrize("name", GOOD_VALUES)
def test_a_form_takes_what_is_right(name: str) -> None:
    """No form refuses a value that works."""
    assert [value for value in GOOD_VALUES[name] if not FORMS[name].check(value)] == []


@pytest.mark.parametrize("name", BAD_VALUES)
def test_a_form_refuses_what_is_wrong(name: str) -> None:
    """No form takes a value that could not work, or that would say more than it should."""
    assert [value for value in BAD_VALUES[name] if FORMS[name].check(value)] == []


def test_a_host_and_its_port_come_apart() -> None:
    """An address of IPv6 keeps its colons, and the port is the usual one where none is given."""
    assert split_host_port("engine", 7443) == ("engine", 7443)
    assert split_host_port("2001:db8::1", 7443) == ("2001:db8::1", 7443)
    assert split_host_port("[2001:db8::1]:443", 7443) == ("2001:db8::1", 443)
