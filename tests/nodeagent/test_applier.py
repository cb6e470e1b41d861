"""Plans, changes and confirmations, on a node's tree with services that are not there."""

import concurrent.futures
import contextlib
import json
import threading
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from nodeagent.applier import Applier, boot_clock, new_ticket
from nodeagent.intent import VERSION
from nodeagent.intent_changes import hide_secrets, secret_values
from nodeagent.intent_sources import STATE, parse_node_toml
from nodeagent.rollback import PATH
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.places import Place, at
from tests.nodeagent.node_trees import FULL, PIN, FakeServices, make_node, snapshot

ADDRESS: Mapping[str, object] = {
    "network": {"nic": [{"match": {"name": "eth0"}, "ipv4": ["192.0.2.5/24"], "gateway4": "192.0.2.1"}]}
}
ROLLBACK = "var/lib/virtnode"


class Clock:
    """A clock that stands until somebody moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Read it."""
        return self.now


class Node:
    """A node of the tests: its tree, its services, its clock, and an applier."""

    def __init__(self, root: Path) -> None:
        self.root = make_node(root)
        self.services = FakeServices()
        self.clock = Clock()
        self.applier = self.start()

    def start(self) -> Applier:
        """Start the agent's part anew, as after a crash."""
        return Applier(self.root, "quiet", self.services, clock=self.clock)

    def reboot(self) -> Applier:
        """Start the machine anew: another boot id, and a clock that begins again."""
        path = self.root / "proc/sys/kernel/random/boot_id"
        path.write_text("99999999-2222-3333-4444-555555555555\n")
        self.clock.now = 5.0
        return self.start()

    def text(self, name: str) -> str:
        """Read a file of the tree."""
        return (self.root / name).read_text()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """Make a node."""
    return Node(tmp_path)


def test_a_document_of_an_older_version_is_applied(node: Node) -> None:
    """What an earlier release read is read still; what comes of it is of the newest version."""
    patch = {"version": 1, "access": {"ssh": "auto"}, "system": {"hostname": "older"}}
    assert node.applier.preview(patch)
    node.applier.confirm(node.applier.apply(patch, 60, "test").ticket)
    intent = node.applier.load().intent
    assert (intent.system.hostname, intent.access.ssh, intent.version) == ("older", "image", VERSION)
    with pytest.raises(InvalidInput, match=f"{VERSION + 1} is not known"):
        node.applier.apply({"version": VERSION + 1}, 60, "test")


def test_applying_twice_changes_nothing(node: Node) -> None:
    """After everything that can be said was applied, the plan is empty, and a second time does nothing."""
    document = parse_node_toml(FULL, "x")
    applied = node.applier.apply(document, 60, "test")
    assert applied.ticket
    node.applier.confirm(applied.ticket)
    assert node.applier.plan(node.applier.load().intent) == ()
    node.services.calls.clear()
    before = snapshot(node.root)
    assert node.applier.settle() == ()
    again = node.applier.apply(document, 60, "test")
    assert (again.changes, again.ticket, node.services.calls) == ((), "", [])
    assert snapshot(node.root) == before


def test_a_plan_says_one_line_for_each_thing_and_does_nothing(node: Node) -> None:
    """A person reads what will be different; the tree stays as it is."""
    before = snapshot(node.root)
    changes = node.applier.preview(parse_node_toml(FULL, "x"))
    assert [(change.kind, change.text) for change in changes][:16] == [
        ("engine", "engine.address: engine.example.org"),
        ("engine", f"engine.ca: {PIN}"),
        ("engine", "engine.token: (hidden)"),
        ("access", "access.idle_lock: 600"),
        ("hostname", "host name node1.example.org"),
        ("hosts", "hosts: node1.example.org is this machine"),
        ("timezone", "time zone Europe/Berlin"),
        ("keymap", "keyboard layout de-latin1"),
        ("dns", "name servers 192.0.2.53, 2001:db8::53; search example.org"),
        ("ntp", "time servers ntp1.example.org, 192.0.2.123"),
        ("syslog", "syslog to udp://logs.example.org, tcp://[2001:db8::5]:6514"),
        ("firewall", "open ports: 8080/tcp, 6000-6010/udp"),
        ("password", "the administrator's password"),
        ("ssh", "1 SSH key may log in"),
        ("ssh", "SSH on"),
        ("initiator", "iSCSI initiator iqn.2026-01.org.example:node1"),
    ]
    assert all(change.text and "\n" not in change.text for change in changes)
    assert [change.before for change in changes if change.kind == "hostname"] == ["localhost\n"]
    assert "secret-join-token" not in repr(changes)
    assert (snapshot(node.root), node.services.calls) == (before, [])


def test_services_are_told_in_order_and_once(node: Node) -> None:
    """Each service hears of its own changes alone; the network comes last."""
    node.applier.apply(parse_node_toml(FULL, "x"), 60, "test")
    assert node.services.calls == [
        "hostname node1.example.org",
        "timezone Europe/Berlin",
        "keymap de-latin1",
        "restart systemd-resolved.service",
        "restart chrony.service",
        "reload units",
        "restart systemd-journald.service",
        "start rsyslog.service",
        "reload units",
        "firewall firewall.nft",
        "reload units",
        "start ssh.service",
        "restart iscsid.service",
        "network",
    ]


def test_the_network_is_left_alone_by_what_does_not_concern_it(node: Node) -> None:
    """Another host name reloads no network and writes none of its files."""
    node.applier.confirm(node.applier.apply(ADDRESS, 60, "test").ticket)
    unit = node.root / "etc/systemd/network/20-virtnode-eth0.network"
    written = unit.stat().st_mtime_ns
    node.services.calls.clear()
    node.applier.confirm(node.applier.apply({"system": {"hostname": "node2"}}, 60, "test").ticket)
    assert (node.services.calls, unit.stat().st_mtime_ns) == (["hostname node2"], written)


def test_only_what_was_confirmed_is_in_the_state(node: Node) -> None:
    """Until then the state does not know of the change, and afterwards it does, readable by root alone."""
    applied = node.applier.apply(ADDRESS, 60, "test")
    assert not (node.root / STATE).exists()
    assert node.applier.load().intent.network.nic == ()
    node.applier.confirm(applied.ticket)
    assert tomllib.loads(node.text(STATE)) == {"version": 2, **ADDRESS}
    assert (node.root / STATE).stat().st_mode & 0o777 == 0o600
    assert node.applier.load().intent.network.nic[0].gateway4 == "192.0.2.1"
    assert (node.applier.pending(), (node.root / PATH).exists()) == (None, False)


def test_what_nobody_confirms_is_put_back(node: Node) -> None:
    """After the window every byte is as before, and the services are told so."""
    before = snapshot(node.root, without=(ROLLBACK,))
    node.applier.apply(parse_node_toml(FULL, "x"), 60, "test")
    node.clock.now += 59
    assert node.applier.tick() is None
    pending = node.applier.pending()
    assert pending is not None
    assert (pending.seconds_left, pending.deadline, pending.actor) == (1, 1060, "test")
    assert "host name node1.example.org" in pending.changes
    node.services.calls.clear()
    node.clock.now += 1
    reverted = node.applier.tick()
    assert reverted is not None
    assert (reverted.reason, reverted.changes) == ("nobody confirmed it in time", pending.changes)
    assert snapshot(node.root, without=(ROLLBACK,)) == before
    gone = node.services.calls[-1].removeprefix("network gone ").split(",")
    assert sorted(gone) == ["bond0", "bond0.42", "br0", "guests", "storage"]
    assert node.services.calls[0] == "hostname"
    assert node.applier.pending() is None
    assert node.applier.tick() is None


def test_links_that_went_are_deleted_when_a_change_is_put_back(node: Node) -> None:
    """networkd deletes no bond by itself."""
    patch = {"network": {"bond": [{"name": "bond0", "members": ["eth1"]}]}}
    ticket = node.applier.apply(patch, 60, "test").ticket
    node.applier.revert(ticket)
    assert node.services.calls == ["network", "network gone bond0"]


def test_a_link_whose_making_changes_is_made_anew(node: Node) -> None:
    """The bond goes and comes back, and what hangs on it is configured again though its file is the same."""
    bond = {"name": "bond0", "members": ["eth1", "eth2"]}
    vlan = {"id": 5, "over": "bond0"}
    ticket = node.applier.apply({"network": {"bond": [bond], "vlan": [vlan]}}, 60, "test").ticket
    node.applier.confirm(ticket)
    node.applier.apply({"network": {"bond": [{**bond, "mode": "802.3ad"}]}}, 60, "test")
    folder = "/etc/systemd/network/20-virtnode-"
    files = ",".join(f"{folder}{name}.network" for name in ("bond0", "eth1", "eth2"))
    assert node.services.calls[-1] == f"network gone bond0 files {files}"


def test_a_change_can_be_taken_back_at_once(node: Node) -> None:
    """Nobody needs to wait for the window's end."""
    before = snapshot(node.root, without=(ROLLBACK,))
    node.applier.apply(ADDRESS, 60, "test")
    assert node.applier.revert().reason == "it was taken back"
    assert snapshot(node.root, without=(ROLLBACK,)) == before


def test_one_change_is_under_way_at_a_time(node: Node) -> None:
    """The second is told who is first and how long that may take."""
    applied = node.applier.apply(ADDRESS, 60, "the engine")
    node.clock.now += 20
    with pytest.raises(VirtnodeError) as caught:
        node.applier.apply({"system": {"hostname": "node2"}}, 60, "test")
    assert caught.value.code is Code.BUSY
    assert caught.value.message == "a change by the engine waits for its confirmation, 40 s more"
    assert at(Place.CONFIRM) in caught.value.hint
    assert node.applier.settle() == ()
    node.applier.confirm(applied.ticket)


def test_a_wrong_ticket_confirms_nothing(node: Node) -> None:
    """Each change has its own ticket, and without a change there is nothing to confirm."""
    for ticket in ("x", ""):
        with pytest.raises(VirtnodeError) as caught:
            node.applier.confirm(ticket)
        assert caught.value.code is Code.NOT_FOUND
    node.applier.apply(ADDRESS, 60, "test")
    with pytest.raises(VirtnodeError) as caught:
        node.applier.confirm("x")
    assert caught.value.code is Code.CONFLICT
    with pytest.raises(VirtnodeError) as caught:
        node.applier.revert("x")
    assert caught.value.code is Code.CONFLICT
    assert node.applier.pending() is not None


def test_a_confirmation_that_comes_too_late_puts_the_change_back(node: Node) -> None:
    """Nobody may believe that a change is kept which the next tick would undo."""
    applied = node.applier.apply(ADDRESS, 60, "test")
    node.clock.now += 61
    with pytest.raises(VirtnodeError) as caught:
        node.applier.confirm(applied.ticket)
    assert caught.value.code is Code.CONFLICT
    assert not (node.root / "etc/systemd/network/20-virtnode-eth0.network").exists()


def test_a_service_that_refuses_leaves_everything_as_it_was(node: Node) -> None:
    """The error says what failed, and that nothing of the change is left."""
    before = snapshot(node.root, without=(ROLLBACK,))
    node.services.refuse = "network"
    with pytest.raises(VirtnodeError) as caught:
        node.applier.apply({**ADDRESS, "system": {"hostname": "node2"}}, 60, "test")
    assert (caught.value.code, caught.value.hint) == (Code.FAILED, "look at the journal")
    assert caught.value.message == "network was refused; everything was put back"
    assert snapshot(node.root, without=(ROLLBACK,)) == before
    assert node.applier.pending() is None


@pytest.mark.parametrize("window", [0, 4.9, 3601, float("nan"), float("inf"), -1])
def test_a_window_must_make_sense(node: Node, window: float) -> None:
    """Too short could not be confirmed, and too long would protect nobody."""
    with pytest.raises(VirtnodeError) as caught:
        node.applier.apply(ADDRESS, window, "test")
    assert caught.value.code is Code.INVALID


def test_a_wrong_patch_is_refused_with_everything_that_is_wrong(node: Node) -> None:
    """Nothing is written for it."""
    before = snapshot(node.root)
    with pytest.raises(InvalidInput) as caught:
        node.applier.apply({"system": {"hostname": "-"}, "colour": 1, "ntp": {"servers": "x"}}, 60, "test")
    assert len(caught.value.problems) == 3
    assert all(problem.startswith("the change: ") for problem in caught.value.problems)
    with pytest.raises(InvalidInput):
        node.applier.preview({"colour": 1})
    assert snapshot(node.root) == before


def test_what_the_image_cannot_do_is_refused(node: Node) -> None:
    """A change that would have no effect is no success."""
    for name in ("usr/lib/systemd/system/rsyslog.service", "etc/nftables.conf", "etc/chrony/chrony.conf"):
        (node.root / name).unlink()
    (node.root / "usr/lib/systemd/system/ssh.service").unlink()
    patch = {
        "system": {"timezone": "Mars/Olympus"},
        "logging": {"syslog": ["udp://logs"]},
        "firewall": {"open": ["80/tcp"]},
        "ntp": {"servers": ["ntp"]},
        "access": {"ssh": "on"},
    }
    with pytest.raises(VirtnodeError) as caught:
        node.applier.apply(patch, 60, "test")
    assert caught.value.code is Code.UNAVAILABLE
    assert [line.partition(":")[0] for line in caught.value.message.splitlines()] == [
        "system.timezone",
        "ntp.servers",
        "logging.syslog",
        "firewall.open",
        "access.ssh",
    ]


def test_the_engine_needs_no_confirmation(node: Node) -> None:
    """Nothing on the node changes, so nothing can be lost: the state has it at once."""
    applied = node.applier.apply({"engine": {"address": "engine", "token": "word"}}, 60, "test")
    assert [change.text for change in applied.changes] == ["engine.address: engine", "engine.token: (hidden)"]
    assert (applied.ticket, node.applier.load().intent.engine.token) == ("", "word")
    node.applier.apply({"engine": {"token": None}}, 60, "test")
    assert tomllib.loads(node.text(STATE)) == {"version": 2, "engine": {"address": "engine"}}


def test_a_key_that_goes_brings_back_what_the_image_has(node: Node) -> None:
    """The image's files are kept for as long as the intent has something else."""
    before = snapshot(node.root, without=(ROLLBACK, "run"))
    document = parse_node_toml(FULL, "x")
    node.applier.confirm(node.applier.apply(document, 60, "test").ticket)
    gone = {name: None for name in document if name != "version"}
    node.applier.confirm(node.applier.apply(gone, 60, "test").ticket)
    after = snapshot(node.root, without=(ROLLBACK, "run"))
    assert {name: found for name, found in after.items() if name in before} == before
    assert [name for name in after if name not in before and (node.root / name).is_file()] == []
    assert node.applier.plan(node.applier.load().intent) == ()


def test_a_broken_state_is_kept_beside_the_new_one(node: Node) -> None:
    """Who broke it by hand finds it again."""
    (node.root / STATE).write_text('[system]\nhostname = "mine\n')
    node.applier.apply({"engine": {"address": "engine"}}, 60, "test")
    assert node.text(f"{STATE}.bad") == '[system]\nhostname = "mine\n'
    assert tomllib.loads(node.text(STATE))["engine"] == {"address": "engine"}


def test_at_boot_everything_is_settled_that_can_be(node: Node) -> None:
    """What fails is told, and hinders nothing else; nothing waits for a confirmation."""
    (node.root / STATE).write_text(FULL)
    (node.root / "usr/share/zoneinfo/Europe/Berlin").unlink()
    (node.root / "etc/systemd/resolved.conf.d/50-virtnode.conf").mkdir(parents=True)
    node.services.refuse = "restart chrony"
    problems = node.applier.settle()
    assert [problem.partition(":")[0] for problem in problems] == ["system.timezone", "dns", "ntp"]
    assert node.text("etc/hostname") == "node1.example.org\n"
    assert node.services.calls[-1] == "network"
    assert node.applier.pending() is None


def test_a_change_waits_on_when_the_agent_starts_anew(node: Node) -> None:
    """The same boot, in time: who has the ticket can still confirm."""
    applied = node.applier.apply(ADDRESS, 60, "test")
    node.clock.now += 30
    applier = node.start()
    assert applier.recover() is None
    pending = applier.pending()
    assert pending is not None
    assert pending.seconds_left == 30
    applier.confirm(applied.ticket)
    assert applier.load().intent.network.nic


@pytest.mark.parametrize("moment", [1060.0, 999.0, 5.0], ids=["too late", "clock went back", "far back"])
def test_an_agent_that_comes_too_late_puts_the_change_back(node: Node, moment: float) -> None:
    """So it does when the clock cannot be trusted."""
    before = snapshot(node.root, without=(ROLLBACK,))
    node.applier.apply(ADDRESS, 60, "test")
    node.clock.now = moment
    assert node.start().recover() is not None
    assert snapshot(node.root, without=(ROLLBACK,)) == before


def test_a_boot_before_the_confirmation_puts_the_change_back(node: Node) -> None:
    """A node that lost its power has a reason to."""
    before = snapshot(node.root, without=(ROLLBACK, "proc"))
    node.applier.apply(ADDRESS, 60, "test")
    applier = node.reboot()
    reverted = applier.recover()
    assert reverted is not None
    assert reverted.reason == "the machine was started anew before it was confirmed"
    assert snapshot(node.root, without=(ROLLBACK, "proc")) == before
    assert applier.load().intent.network.nic == ()


def test_a_boot_into_a_fresh_tree_touches_none_of_the_image(node: Node) -> None:
    """Where /etc went with the power, what is there now is the image's, maybe of another version."""
    node.applier.apply({"system": {"hostname": "node2"}}, 60, "test")
    (node.root / "etc/hostname").write_text("of-the-new-image\n")
    (node.root / "etc/hosts").write_text("127.0.0.1 of-the-new-image\n")
    assert node.reboot().recover() is not None
    assert node.text("etc/hostname") == "of-the-new-image\n"
    assert node.text("etc/hosts") == "127.0.0.1 of-the-new-image\n"


def test_a_rollback_that_cannot_be_read_is_put_aside(node: Node) -> None:
    """A damaged disk must not keep the agent from starting."""
    (node.root / PATH).write_text("{")
    applier = node.start()
    assert (applier.recover(), applier.pending()) == (None, None)
    assert node.text(f"{PATH}.bad") == "{"


def test_secrets_are_hidden_from_people(node: Node) -> None:
    """What is shown of an intent has no token and no proxy's password."""
    node.applier.apply(
        {"engine": {"token": "word", "proxy": "http://user:pass@proxy:1"}, "system": {"hostname": "n"}},
        60,
        "x",
    )
    loaded = node.applier.load()
    shown = hide_secrets({"engine": {"address": "e", "token": "word", "proxy": "http://user:pass@proxy:1"}})
    assert shown == {"engine": {"address": "e", "token": "(hidden)", "proxy": "(hidden)"}}
    assert secret_values(loaded.intent) == ()
    node.applier.confirm(str(getattr(node.applier.pending(), "ticket", "")))
    assert secret_values(node.applier.load().intent) == ("word", "http://user:pass@proxy:1")


def test_a_lease_is_kept_by_an_ordinary_change(node: Node) -> None:
    """The patch that a lease becomes is applied and confirmed like any other."""
    status = {
        "Name": "eth0",
        "PermanentHardwareAddress": [82, 84, 0, 18, 52, 86],
        "Addresses": [
            {"Family": 2, "Address": [192, 0, 2, 15], "PrefixLength": 24, "ConfigSource": "DHCPv4"}
        ],
    }
    patch = node.applier.persist_dhcp("eth0", lambda name: json.dumps(status))
    changes = node.applier.apply(patch, 60, "test").changes
    assert [change.text for change in changes] == ["52:54:00:12:34:56: ipv4 192.0.2.15/24, ipv6 auto"]


class SlowServices(FakeServices):
    """Services whose network takes as long as the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.released = threading.Event()

    def reload_network(self, *, gone: Sequence[str], files: Sequence[str]) -> None:
        """Wait to be released."""
        self.reached.set()
        assert self.released.wait(30)


def test_nobody_waits_while_a_change_is_applied(node: Node) -> None:
    """What a main loop asks is answered at once, though a service takes its time."""
    services = SlowServices()
    applier = Applier(node.root, "", services, clock=node.clock)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        applying = pool.submit(applier.apply, ADDRESS, 60, "test")
        assert services.reached.wait(30)
        node.clock.now += 1000
        assert (applier.pending(), applier.tick()) == (None, None)
        services.released.set()
        applied = applying.result(30)
    pending = applier.pending()
    assert pending is not None
    assert (pending.ticket, pending.seconds_left) == (applied.ticket, 60)


def test_the_real_clock_and_tickets_are_sound() -> None:
    """Time goes on, and no two tickets are the same."""
    assert boot_clock() <= boot_clock()
    assert len({new_ticket() for _ in range(100)}) == 100


@contextlib.contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Let nothing be put at a path, not even by root: its half-written neighbour is a folder."""
    obstacle = path.with_name(f".{path.name}.new")
    obstacle.mkdir()
    try:
        yield
    finally:
        obstacle.rmdir()


def test_a_file_that_cannot_be_written_leaves_everything_as_it_was(node: Node) -> None:
    """The error names the file; a full disk is no reason to keep half of a change."""
    before = snapshot(node.root, without=(ROLLBACK,))
    with unwritable(node.root / "etc/hosts"), pytest.raises(VirtnodeError) as caught:
        node.applier.apply({"system": {"hostname": "node2", "timezone": "UTC"}}, 60, "test")
    assert caught.value.message.startswith("not everything could be put back: /etc/hosts cannot be written")
    with pytest.raises(VirtnodeError) as caught:
        node.applier.apply(ADDRESS, 60, "test")
    assert (caught.value.code, caught.value.hint) == (Code.BUSY, at(Place.REVERT))
    assert (node.applier.tick(), node.applier.pending()) == (None, None)
    node.applier.revert()
    assert snapshot(node.root, without=(ROLLBACK,)) == before


def test_a_change_that_cannot_be_kept_safe_is_not_begun(node: Node) -> None:
    """Without its way back on the disk nothing is changed."""
    before = snapshot(node.root, without=(ROLLBACK,))
    with unwritable(node.root / PATH), pytest.raises(VirtnodeError):
        node.applier.apply(ADDRESS, 60, "test")
    assert (snapshot(node.root, without=(ROLLBACK,)), node.services.calls) == (before, [])
    assert node.applier.apply(ADDRESS, 60, "test").ticket


def test_a_state_disk_that_fills_up_does_not_keep_a_change_in_force(node: Node) -> None:
    """What nobody confirmed is put back though that cannot be written down."""
    before = snapshot(node.root, without=(ROLLBACK,))
    node.applier.apply(ADDRESS, 60, "test")
    node.clock.now += 60
    obstacle = node.root / PATH
    with unwritable(obstacle), pytest.raises(VirtnodeError):
        node.applier.tick()
    assert snapshot(node.root, without=(ROLLBACK,)) == before


def test_a_confirmed_state_that_could_not_be_written_is_written_later(node: Node) -> None:
    """Once it is confirmed, a change is never put back."""
    ticket = node.applier.apply(ADDRESS, 60, "test").ticket
    with unwritable(node.root / STATE), pytest.raises(VirtnodeError):
        node.applier.confirm(ticket)
    node.clock.now += 100
    assert node.applier.tick() is None
    assert node.applier.load().intent.network.nic
    assert node.applier.plan(node.applier.load().intent) == ()
