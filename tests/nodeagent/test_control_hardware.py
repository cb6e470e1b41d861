"""virtnodectl about network and storage, against an agent on a private bus and programs of a test."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nodeagent.control import make_parser
from nodeagent.controls.storage import storage_lines
from nodelib.bus_storage import IscsiSession, Multipath, StorageView
from tests.nodeagent.buses import RunningAgent, running_agent
from tests.nodeagent.network.test_lease import STATUS
from tests.nodeagent.storage.commands import FakeCommand
from tests.nodeagent.test_control import Result, control

TARGET = "iqn.2001-04.com.example:storage.disk1"


@dataclass
class Node:
    """An agent, and the programs that it meets."""

    running: RunningAgent
    iscsiadm: FakeCommand
    networkctl: FakeCommand

    def run(self, *words: str, stdin: str = "") -> Result:
        """Run virtnodectl."""
        return control(self.running.address, *words, stdin=stdin)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """Run an agent without an engine."""
    iscsiadm = FakeCommand(tmp_path / "bin", "iscsiadm")
    networkctl = FakeCommand(tmp_path / "bin", "networkctl")
    FakeCommand(tmp_path / "bin", "systemctl")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    with running_agent(tmp_path / "bus", tmp_path / "root") as agent:
        yield Node(agent, iscsiadm, networkctl)


def test_the_network_is_tested(node: Node, tmp_path: Path) -> None:
    """A test that fails is exit status 1 with its hint; a target that is none is 2."""
    resolvers = tmp_path / "root/etc/resolv.conf"
    resolvers.parent.mkdir(exist_ok=True)
    resolvers.write_text("nameserver 192.0.2.53\n")
    found = node.run("probe", "dns")
    assert (found.status, "192.0.2.53" in found.out, "hint" in found.out) == (0, True, True)
    engine = node.run("probe", "engine")
    assert (engine.status, "No engine is set." in engine.errors) == (1, True)
    assert node.run("probe", "host", "a b").status == 2
    assert "127.0.0.1 answers" in node.run("probe", "host", "127.0.0.1").out
    assert node.run("probe", "dns", "localhost").status == 0


def test_a_port_that_is_not_there_does_not_blink(node: Node) -> None:
    """Nor for as long as anybody likes."""
    assert "no link 'eth9'" in node.run("blink", "eth9").errors
    assert node.run("blink", "eth0", "--seconds", "90").status == 2


def test_a_lease_is_kept_for_good(node: Node, tmp_path: Path) -> None:
    """The patch is what `config apply` takes; nothing is applied yet."""
    leases = tmp_path / "root/run/systemd/netif/leases"
    leases.mkdir(parents=True)
    (leases / "2").write_text("ADDRESS=192.0.2.15\nMTU=9000\n")
    node.networkctl.on("status", out=json.dumps(STATUS))
    found = node.run("lease", "eth0")
    assert found.status == 0
    nic = tomllib.loads(found.out)["network"]["nic"][0]
    assert nic == {
        "match": {"mac": "52:54:00:12:34:56"},
        "ipv4": ["192.0.2.15/24"],
        "gateway4": "192.0.2.1",
        "dns": ["192.0.2.53"],
        "mtu": 9000,
    }
    assert "# " in found.out
    patch = tmp_path / "patch.toml"
    patch.write_text(found.out)
    assert node.run("config", "plan", str(patch)).status == 0
    node.networkctl.on("status", out=json.dumps({"Name": "eth0"}))
    assert "no address from a DHCP server" in node.run("lease", "eth0").errors
    assert "no link" in node.run("lease", "eth9").errors


def test_targets_are_found_and_logged_in_to(node: Node, tmp_path: Path) -> None:
    """The password comes by standard input, and goes into the record alone."""
    record = tmp_path / "root/etc/iscsi/nodes" / TARGET / "192.0.2.9,3260"
    node.iscsiadm.on("discovery", out=f"192.0.2.9:3260,1 {TARGET}\n")
    node.iscsiadm.on("new", files={str(record): "# BEGIN RECORD\n# END RECORD\n"})
    assert node.run("iscsi", "discover", "192.0.2.9").out == f"{TARGET} 192.0.2.9:3260\n"
    words = ("iscsi", "login", TARGET, "192.0.2.9:3260")
    assert node.run(*words, "--user", "node1", stdin="open-sesame\n").status == 0
    assert "open-sesame" in record.read_text()
    assert "open-sesame" not in str(node.iscsiadm.calls)
    assert node.run(*words, "--user", "node1").status == 2
    assert node.run("iscsi", "logout", TARGET, "192.0.2.9:3260").status == 0
    node.iscsiadm.on("--logout", status=21)
    assert "no session" in node.run("iscsi", "logout", TARGET, "192.0.2.9:3260").errors


def test_storage_is_shown(node: Node, tmp_path: Path) -> None:
    """For people and for programs; a node with plain disks has an initiator at most."""
    assert node.run("storage").out == "initiator  none yet\n"
    path = tmp_path / "root/etc/iscsi/initiatorname.iscsi"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("InitiatorName=iqn.x\n")
    assert json.loads(node.run("storage", "--json").out)["initiator"] == "iqn.x"
    view = StorageView(
        "iqn.x",
        (Multipath("mpatha", "3600", 10**10, ("sda active ready",)),),
        (IscsiSession(TARGET, "192.0.2.9:3260", ("sdc",)),),
        ("multipathd is dead",),
    )
    assert list(storage_lines(view)) == [
        "initiator  iqn.x",
        f"session    {TARGET} at 192.0.2.9:3260: sdc",
        "multipath  mpatha (3600), 10.0 GB",
        "           sda active ready",
        "problem    multipathd is dead",
    ]


def test_an_export_is_tried(node: Node) -> None:
    """What is none is wrong input; what nobody serves is a failure."""
    assert node.run("nfs-test", "host", "relative").status == 2
    found = node.run("nfs-test", "127.0.0.1", "/srv", "--options", "port=1")
    assert (found.status, "refuses connections" in found.errors) == (1, True)


@pytest.mark.parametrize(
    "verb",
    [
        *(
            "probe gateway",
            "probe dns",
            "probe engine",
            "probe host",
            "blink",
            "lease",
            "storage",
            "nfs-test",
        ),
        *("iscsi discover", "iscsi login", "iscsi logout", "guests"),
        *("guest start", "guest shutdown", "guest poweroff", "guest console"),
    ],
)
def test_every_verb_is_documented(verb: str) -> None:
    """docs/agent.md shows it, and the parser knows it."""
    text = (Path(__file__).parents[2] / "docs/agent.md").read_text()
    assert f"virtnodectl {verb}" in text
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args([*verb.split(), "--help"])
    assert caught.value.code == 0
