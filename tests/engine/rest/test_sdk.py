"""oVirt's own Python SDK, unmodified, against a running engine over TLS."""

import dataclasses
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ovirtsdk4
import pytest
from ovirtsdk4 import types

from engine.nodes import Identity
from engine.options import ServeOptions
from engine.pki import make_key_pair
from engine.serve import Engine, running_engine
from nodelib.link import PROTOCOL, RegisterRequest, register_proof
from tests.engine.bundles import write_bundle
from tests.engine.rest.engines import FACTS, GIB, HEARTBEAT
from tests.engine.rest.threads import DEADLINE, in_thread
from tests.engine.worlds import ADMIN


@dataclass(frozen=True)
class Running:
    """A running engine, its first administrator's password, and its CA in a file."""

    engine: Engine
    password: str
    ca_file: Path

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"https://127.0.0.1:{self.engine.rest_port}/ovirt-engine/api"

    def connect(self, username: str = "admin@internal", password: str = "") -> ovirtsdk4.Connection:
        """Log in as a tool does."""
        return ovirtsdk4.Connection(
            url=self.url, username=username, password=password or self.password, ca_file=str(self.ca_file)
        )

    def join(self, name: str) -> str:
        """Have a node ask to be let in."""
        pair = make_key_pair()
        hardware = dataclasses.replace(FACTS.hardware, serial=f"serial-{name}")
        facts = dataclasses.replace(FACTS, hardware=hardware)
        request = RegisterRequest(PROTOCOL, pair.make_csr(name), pair.sign(register_proof("nonce")), facts)
        return self.engine.nodes.register(request, "nonce", "192.0.2.7").node

    def live(self, node: str) -> None:
        """Have a node that was let in be heard."""
        nodes = self.engine.nodes
        nodes.connected(Identity(node, nodes.get(node).fingerprint), object())
        nodes.heartbeat(node, HEARTBEAT)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """Run an engine in a thread: the SDK waits for its answers."""
    output = io.StringIO()
    options = ServeOptions(tmp_path, "", "127.0.0.1", 0, 0, ("127.0.0.1", "localhost"))
    with in_thread(lambda: running_engine(options, output)) as engine:
        password = re.search(r"password +(\S+)", output.getvalue())
        assert password is not None
        ca_file = tmp_path / "ca.pem"
        ca_file.write_text(engine.pki.trust_bundle())
        yield Running(engine, password[1], ca_file)


def test_the_sdk_logs_in_and_out(running: Running) -> None:
    """A connection is tested, says what it is connected to, and ends its session."""
    connection = running.connect()
    assert connection.test(raise_exception=True)
    api = connection.system_service().get()
    assert api.product_info.name == "virtnode Engine"
    assert (api.product_info.version.major, api.summary.hosts.total) == (4, 0)
    assert api.authenticated_user.user_name == "admin@internal"
    assert abs(api.time.timestamp() - running.engine.nodes._clock()) < DEADLINE
    token = connection.authenticate()
    connection.close()
    again = ovirtsdk4.Connection(url=running.url, token=token, ca_file=str(running.ca_file))
    assert not again.test()
    again.close(logout=False)


def test_the_sdk_is_told_what_is_wrong(running: Running) -> None:
    """A wrong password and another CA are errors of the right kind."""
    for username in ("admin", "nobody@internal"):
        connection = running.connect(username, "wrong password")
        with pytest.raises(ovirtsdk4.AuthError, match="the name or the password is wrong"):
            connection.test(raise_exception=True)
        connection.close()
    stranger = ovirtsdk4.Connection(url=running.url, username="admin", password=running.password)
    with pytest.raises(ovirtsdk4.Error, match="certificate"):
        stranger.test(raise_exception=True)
    stranger.close()


def test_the_sdk_leads_a_host_through_its_life(running: Running) -> None:
    """List, search, get, approve, deactivate, activate and remove, by the SDK's own services."""
    node, other = running.join("rack-1"), running.join("rack-2")
    connection = running.connect()
    hosts = connection.system_service().hosts_service()
    assert {host.status for host in hosts.list()} == {types.HostStatus.PENDING_APPROVAL}
    service = hosts.host_service(node)
    service.approve(cluster=types.Cluster(name="Default"))
    assert service.get().status == types.HostStatus.CONNECTING
    running.live(node)
    found = hosts.list(search="status=up", max=10, case_sensitive=False)
    assert [host.id for host in found] == [node]
    host = service.get(all_content=True, follow="nics")
    assert (host.memory, host.cpu.topology.sockets) == (8 * GIB, 2)
    assert host.libvirt_version.full_version == "11.3.0"
    # oVirt's Ansible modules look at these without asking whether they are there.
    assert (host.comment, host.os.custom_kernel_cmdline) == ("", "")
    assert (host.power_management.enabled, host.power_management.kdump_detection) == (False, False)
    assert host.spm.priority == 1
    assert [nic.name for nic in host.nics] == ["eno1", "bond0", "bond0.7", "br0"]
    assert connection.follow_link(host.cluster).name == "Default"
    service.deactivate(reason="cleaning")
    assert service.get().status == types.HostStatus.MAINTENANCE
    service.activate()
    assert service.get().status == types.HostStatus.UP
    with pytest.raises(ovirtsdk4.Error, match="active already"):
        service.activate()
    # Nothing dialled in this test: the link is real, and has nobody at its other end.
    with pytest.raises(ovirtsdk4.Error, match="the node is not connected"):
        service.fence(fence_type="restart")
    service.remove()
    with pytest.raises(ovirtsdk4.NotFoundError):
        service.get()
    assert [host.id for host in hosts.list()] == [other]
    connection.close()


def test_the_sdk_reads_what_is_below_a_host(running: Running) -> None:
    """Interfaces, disks and figures come as the SDK's own types."""
    node = running.join("rack-1")
    connection = running.connect()
    service = connection.system_service().hosts_service().host_service(node)
    service.approve()
    running.live(node)
    nics = {nic.name: nic for nic in service.nics_service().list()}
    assert nics["bond0"].ip.address == "192.0.2.7"
    assert nics["eno1"].status == types.NicStatus.UP
    assert nics["eno1"].speed == 1_000_000_000
    assert [slave.id for slave in nics["bond0"].bonding.slaves] == [nics["eno1"].id]
    disks = service.storage_service().list()
    assert [disk.logical_units[0].size for disk in disks] == [100 * GIB, 200 * GIB]
    assert disks[0].logical_units[0].status == types.LunStatus.USED
    figures = {one.name: one.values[0].datum for one in service.statistics_service().list()}
    assert figures["memory.free"] == 5 * GIB
    host = service.get()
    assert [one.name for one in connection.follow_link(host.nics)] == list(nics)
    assert len(connection.follow_link(host.storages)) == 2
    connection.close()


def test_the_sdk_reads_the_rest(running: Running) -> None:
    """Clusters, data centres, events and users are there as well."""
    node = running.join("rack-1")
    connection = running.connect()
    system = connection.system_service()
    cluster = system.clusters_service().list(search="name=Default")[0]
    center = system.data_centers_service().list()[0]
    assert connection.follow_link(cluster.data_center).id == center.id
    assert [one.id for one in connection.follow_link(center.clusters)] == [cluster.id]
    events = system.events_service().list(search="severity=normal", max=5)
    assert node in {event.host.id for event in events if event.host}
    newest = events[0]
    assert newest.time is not None
    assert system.events_service().list(from_=newest.index) == []
    assert [user.user_name for user in system.users_service().list()] == ["admin@internal"]
    connection.close()


def test_the_sdk_upgrades_hosts_and_a_cluster(running: Running, tmp_path: Path) -> None:
    """It checks and upgrades a host, and starts and finishes the upgrade of a cluster."""
    connection = running.connect()
    system = connection.system_service()
    engine = running.engine
    engine.updating.images.add(write_bundle(tmp_path, system="Debian GNU/Linux 13"), ADMIN)
    nodes = [running.join(name) for name in ("rack-1", "rack-2")]
    for node in nodes:
        system.hosts_service().host_service(node).approve()
        running.live(node)
        engine.nodes.heartbeat(node, dataclasses.replace(HEARTBEAT, guests=0))
    service = system.hosts_service().host_service(nodes[0])
    service.upgrade_check()
    assert service.get().update_available
    service.upgrade(image="0.2.0", reboot=True, timeout=10)
    assert service.get().status == types.HostStatus.INSTALLING
    with pytest.raises(ovirtsdk4.Error, match="is being updated"):
        service.upgrade()
    cluster = system.clusters_service().list()[0]
    upgrade = system.clusters_service().cluster_service(cluster.id).upgrade
    upgrade(upgrade_action=types.ClusterUpgradeAction.START, correlation_id="c-1")
    found = system.clusters_service().list()[0]
    assert (found.upgrade_in_progress, found.upgrade_percent_complete) == (True, 0)
    upgrade(upgrade_action=types.ClusterUpgradeAction.UPDATE_PROGRESS, upgrade_percent_complete=15)
    upgrade(upgrade_action=types.ClusterUpgradeAction.FINISH)
    roll = engine.updating.rolls.latest(cluster.id)
    assert roll is not None
    assert roll.row.correlation == "c-1"
    connection.close()
