"""Two nodes on two cables: bonds, VLANs and bridges that carry, and changes that come back by themselves.

On the way: who hears whom, and whose journal is sent on.
"""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from image.accelerator import Accelerator
from image.qemu import HOST_ADDRESS
from tests.vm.guest import BOOT_SECONDS, Guest, Wire, keep_evidence, wait_until
from tests.vm.joining import make_node, short_folder
from tests.vm.syslog_double import SyslogDouble, syslog_double

pytestmark = [
    pytest.mark.vm,
    pytest.mark.alone,
    pytest.mark.timeout(3600),
    pytest.mark.xdist_group("network"),
]

WINDOW = 45
INTENT = """\
version = 1

[[network.bond]]
name = "bond0"
mode = "{mode}"
members = ["{first}", "{second}"]
{lacp}ipv4 = "off"
ipv6 = "off"

[[network.vlan]]
name = "tagged"
id = {tag}
over = "bond0"
ipv4 = "off"
ipv6 = "off"

[[network.bridge]]
name = "br0"
members = ["tagged"]
ipv4 = ["192.0.2.{number}/24"]
ipv6 = ["2001:db8::{number}/64"]
"""
NAMED = """
[system]
hostname = "two.example.org"
"""
LOGGING = """
[logging]
syslog = {servers}
"""
# A node listens and says nothing of itself; here one of them does what a switch does.
EMIT = """\
for unit in /etc/systemd/network/20-virtnode-{mac}.network; do
    mkdir -p "/run/systemd/network/$(basename "$unit").d"
    printf '[Network]\\nEmitLLDP=yes\\n' >"/run/systemd/network/$(basename "$unit").d/emit.conf"
done
networkctl reload
"""
REACH = "python3 -c 'import socket; socket.create_connection((\"{address}\", 22), 3).close()'"


@dataclass(frozen=True)
class Side:
    """One of the two nodes, and what it is called."""

    guest: Guest
    number: int

    def intent(self, *, tag: int = 42, mode: str = "802.3ad") -> str:
        """Write what this side shall be."""
        macs = {"first": mac_of(self.number, 0), "second": mac_of(self.number, 1)}
        lacp = 'lacp_rate = "fast"\n' if mode == "802.3ad" else ""
        return INTENT.format(number=self.number, tag=tag, mode=mode, lacp=lacp, **macs)

    def apply(self, intent: str) -> None:
        """Apply it, unconfirmed."""
        self.guest.run(f"cat >/run/intent.toml <<'END'\n{intent}END\n")
        self.guest.run(f"virtnodectl config apply /run/intent.toml --window {WINDOW}")

    def keep(self, intent: str) -> None:
        """Apply it and confirm it."""
        self.apply(intent)
        self.guest.run("virtnodectl config confirm")

    def has_agent(self) -> bool:
        """Tell whether the agent answers."""
        return self.guest.try_run("virtnodectl status")[0] == 0

    def neighbours(self) -> dict[str, str]:
        """Tell whom each port hears, by the port's name."""
        nics = json.loads(self.guest.run("virtnodectl facts"))["nics"]
        return {nic["name"]: nic["lldp"]["system"] for nic in nics if nic["lldp"]}

    def reaches(self, address: str) -> bool:
        """Tell whether the other side's SSH server can be reached."""
        return self.guest.try_run(REACH.format(address=address))[0] == 0


@dataclass(frozen=True)
class Pair:
    """Both nodes, and whether they reach one another."""

    one: Side
    two: Side

    def is_connected(self) -> bool:
        """Tell whether both families of addresses work, in both directions."""
        return all(
            side.reaches(address)
            for side, other in ((self.one, self.two), (self.two, self.one))
            for address in (f"192.0.2.{other.number}", f"2001:db8::{other.number}")
        )

    def is_cut(self) -> bool:
        """Tell whether the first node reaches the other no longer."""
        return not self.one.reaches(f"192.0.2.{self.two.number}")

    def wait_until_connected(self, why: str, seconds: float = 90) -> None:
        """Wait for it."""
        wait_until(self.is_connected, seconds, f"both nodes to reach each other {why}")


def mac_of(number: int, wire: int) -> str:
    """Name the port of a node's end of a wire."""
    return f"52:54:00:00:{number:02x}:{16 + wire:02x}"


@pytest.fixture(scope="module")
def pair(
    artefacts: Path, accelerator: Accelerator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Start two nodes with two cables between them."""
    evidence = tmp_path_factory.mktemp("network")
    with short_folder(evidence) as folder:
        sides = [make_side(artefacts, folder, accelerator, number) for number in (1, 2)]
        try:
            for side in sides:
                side.guest.switch_on()
            for side in sides:
                side.guest.wait_for_shell()
                wait_until(side.has_agent, BOOT_SECONDS, "the agent")
            yield Pair(*sides)
        finally:
            for side in sides:
                keep_evidence(side.guest, evidence / f"evidence-{side.number}")
                side.guest.pull_the_plug()


def make_side(artefacts: Path, folder: Path, accelerator: Accelerator, number: int) -> Side:
    """Lay out a node with its ends of both cables."""
    wires = tuple(
        Wire(mac_of(number, wire), folder / f"{number}-{wire}", folder / f"{3 - number}-{wire}")
        for wire in (0, 1)
    )
    hardware = {"wires": wires, "mac": f"52:54:00:00:{number:02x}:01", "cpus": 1}
    return Side(make_node(artefacts, folder / f"n{number}", accelerator, hardware=hardware), number)


def test_bonds_vlans_and_bridges_carry(pair: Pair) -> None:
    """LACP finds its partner, a tagged bridge over it reaches the other side, and one cable may go."""
    for side in (pair.one, pair.two):
        side.keep(side.intent())
    pair.wait_until_connected("over LACP")
    bond = pair.one.guest.run("cat /proc/net/bonding/bond0")
    assert "802.3ad" in bond
    assert "Partner Mac Address: 00:00:00:00:00:00" not in bond
    assert bond.count("MII Status: up") == 3
    assert pair.one.guest.run("virtnodectl config plan /run/intent.toml").strip() == "nothing would change"
    pair.one.guest.set_link("wire0", up=False)
    pair.wait_until_connected("over one cable")
    pair.one.guest.set_link("wire0", up=True)


def test_a_neighbour_is_heard(pair: Pair) -> None:
    """What the other end of a cable says of itself is among the facts of the port that hears it.

    Its name comes from its configuration, and so does the line in its /etc/hosts.
    """
    assert pair.one.neighbours() == {}
    pair.two.keep(pair.two.intent() + NAMED)
    name = pair.two.guest.run("hostname").strip()
    assert NAMED.count(name) == 1
    assert pair.two.guest.run("grep 127.0.1.1 /etc/hosts").split() == ["127.0.1.1", name, "two"]
    for wire in (0, 1):
        pair.two.guest.run(EMIT.format(mac=mac_of(2, wire).replace(":", "")))
    heard = f"both ports to hear {name}"
    wait_until(lambda: list(pair.one.neighbours().values()) == [name, name], 120, heard, pause=3.0)
    pair.wait_until_connected("while they are heard")


def test_the_journal_is_sent_on(pair: Pair) -> None:
    """A line of the journal reaches a server by UDP and one by TCP; nothing is sent once none is named."""
    with syslog_double() as servers:
        urls = json.dumps(servers.urls(HOST_ADDRESS))
        pair.one.keep(pair.one.intent() + LOGGING.format(servers=urls))
        pair.one.guest.run("echo by-both-ways | systemd-cat -t trial")
        for protocol in ("udp", "tcp"):
            hears = functools.partial(is_heard, servers, protocol)
            wait_until(hears, 60, f"a line by {protocol}")
        # What a document does not name stays as it is.
        pair.one.keep(pair.one.intent() + LOGGING.format(servers="[]"))
        pair.one.guest.run("echo to-nobody | systemd-cat -t trial")
        assert pair.one.guest.try_run("systemctl is-active rsyslog.service")[1].strip() == "inactive"
        assert "to-nobody" not in servers.heard("udp") + servers.heard("tcp")


def is_heard(servers: SyslogDouble, protocol: str) -> bool:
    """Tell whether the line has come, and under the name of who said it."""
    return any("trial" in line and "by-both-ways" in line for line in servers.heard(protocol).splitlines())


def test_a_change_that_cuts_the_node_off_comes_back(pair: Pair) -> None:
    """Nobody confirms: when the window is over, everything is as it was."""
    pair.one.apply(pair.one.intent(tag=43))
    wait_until(pair.is_cut, WINDOW, "the change to cut the node off")
    pair.wait_until_connected("once the window is over", WINDOW + 60)


def test_a_killed_agent_puts_the_change_back(pair: Pair) -> None:
    """The agent is killed before the confirmation: its next start puts everything back in time."""
    pair.one.apply(pair.one.intent(tag=43))
    wait_until(pair.is_cut, WINDOW, "the change to cut the node off")
    pair.one.guest.run("systemctl kill --signal=KILL virtnode-agent.service")
    pair.wait_until_connected("after the agent was killed", WINDOW + 90)


def test_a_power_failure_puts_the_change_back(pair: Pair) -> None:
    """The node loses power before the confirmation: it starts with what was confirmed last."""
    pair.one.apply(pair.one.intent(tag=43))
    wait_until(pair.is_cut, WINDOW, "the change to cut the node off")
    pair.one.guest.pull_the_plug()
    pair.one.guest.switch_on()
    pair.one.guest.wait_for_shell()
    pair.wait_until_connected("after the power failure", BOOT_SECONDS)


def test_another_mode_is_made_anew(pair: Pair) -> None:
    """A bond changes its mode only by being made again; what runs over it comes back with it.

    balance-xor hears on both ports: over cables without a switch active-backup may choose a different one at
    each end.
    """
    for side in (pair.one, pair.two):
        side.keep(side.intent(mode="balance-xor"))
    pair.wait_until_connected("without LACP")
    assert "load balancing (xor)" in pair.two.guest.run("cat /proc/net/bonding/bond0")
