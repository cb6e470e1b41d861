"""Hosts over the API: found, let in, put aside and forgotten, in XML and JSON."""

import dataclasses

import pytest

from engine.rest.host_documents import STATUSES
from engine.rest.resources import HOST_STATUSES
from nodelib.link import Heartbeat, NodeState
from tests.engine.rest.engines import API, FACTS, GIB, HEARTBEAT, TestEngine


def test_a_host_is_told_in_xml(engine: TestEngine) -> None:
    """XML is what comes without asking, with identity as attributes and links to what is below."""
    node = engine.join_up("rack-1")
    answer = engine.ask(f"/hosts/{node}", accept="")
    assert answer.headers["content-type"].startswith("application/xml")
    host = answer.xml
    assert (host.tag, host.get("id"), host.get("href")) == ("host", node, f"{API}/hosts/{node}")
    texts = {path: host.findtext(path) for path in ("name", "status", "address", "memory", "type")}
    assert texts == {
        "name": "rack-1",
        "status": "up",
        "address": "192.0.2.7",
        "memory": str(8 * GIB),
        "type": "ovirt_node",
    }
    assert host.findtext("cpu/name") == "Acme CPU & Sons"
    assert host.findtext("hardware_information/product_name") == "Server <9>"
    links = {link.get("rel"): link.get("href") for link in host.findall("link")}
    names = ("virtnode", "archives", "updates", "nics", "statistics")
    below = {name: name for name in names} | {"storages": "storage"}
    assert links == {rel: f"{API}/hosts/{node}/{path}" for rel, path in below.items()}
    assert [link.get("rel") for link in host.findall("actions/link")] == [
        "approve",
        "reject",
        "activate",
        "deactivate",
        "fence",
        "upgradecheck",
        "upgrade",
    ]


def test_a_host_is_told_in_json(engine: TestEngine) -> None:
    """In JSON numbers and truth are text, as oVirt writes them."""
    node = engine.join_up("rack-1")
    answer = engine.ask(f"/hosts/{node}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json("memory") == str(8 * GIB)
    assert answer.json("device_passthrough") == {"enabled": "true"}
    assert answer.json("cpu", "topology") == {"sockets": "2", "cores": "4", "threads": "2"}
    assert answer.json("libvirt_version") == {
        "major": "11",
        "minor": "3",
        "build": "0",
        "full_version": "11.3.0",
    }
    assert answer.json("summary") == {"active": "3", "total": "3"}
    assert answer.json("max_scheduling_memory") == str(5 * GIB)
    assert answer.json("cluster", "name") == "Default"


def test_every_state_has_a_status_that_clients_know() -> None:
    """No state of a node is without one of oVirt's words."""
    assert set(STATUSES) == set(NodeState)
    assert set(STATUSES.values()) <= set(HOST_STATUSES)


def test_a_pending_node_is_approved(engine: TestEngine) -> None:
    """A node that waits is let in by one call, and the log says who did it."""
    node = engine.join("rack-1")
    assert engine.ask(f"/hosts/{node}").json("status") == "pending_approval"
    answer = engine.act(f"/hosts/{node}/approve", user="operator")
    assert (answer.status, answer.xml.findtext("status")) == (200, "complete")
    assert engine.ask(f"/hosts/{node}").json("status") == "connecting"
    assert engine.ask(f"/hosts/{node}/virtnode").json("approved_by") == "operator@internal"


def test_an_approval_with_the_wrong_code_is_refused(engine: TestEngine) -> None:
    """Who gives a code approves the node that shows it, or none."""
    node = engine.join("rack-1")
    wrong = engine.act(
        f"/hosts/{node}/approve", "<action><approval_code>00000-00000</approval_code></action>"
    )
    assert (wrong.status, wrong.xml.findtext("reason")) == (409, "conflict")
    assert "do not approve" in str(wrong.xml.findtext("detail"))
    assert engine.ask(f"/hosts/{node}").json("status") == "pending_approval"
    code = engine.code(node).lower().replace("-", " ")
    right = engine.act(f"/hosts/{node}/approve", f"<action><approval_code>{code}</approval_code></action>")
    assert right.status == 200


def test_an_approval_for_another_cluster_is_refused(engine: TestEngine) -> None:
    """A cluster that the node is not in is not silently ignored."""
    node = engine.join("rack-1")
    for inner in ('<cluster id="other"/>', "<cluster><name>other</name></cluster>"):
        assert engine.act(f"/hosts/{node}/approve", f"<action>{inner}</action>").status == 404
    body = "<action><cluster><name>Default</name></cluster></action>"
    assert engine.act(f"/hosts/{node}/approve", body).status == 200


def test_what_cannot_be_done_is_a_conflict(engine: TestEngine) -> None:
    """Approving twice, or activating what is active, says what the host is."""
    node = engine.join_up("rack-1")
    for action in ("approve", "reject", "activate"):
        answer = engine.act(f"/hosts/{node}/{action}")
        assert (answer.status, answer.xml.findtext("reason")) == (409, "conflict"), action
        assert "rack-1" in str(answer.xml.findtext("detail"))


def test_a_node_is_rejected(engine: TestEngine) -> None:
    """A node that nobody wants is down, and its detail says why."""
    node = engine.join("rack-1")
    assert engine.act(f"/hosts/{node}/reject", "<action><reason>not ours</reason></action>").status == 200
    host = engine.ask(f"/hosts/{node}")
    assert (host.json("status"), host.json("status_detail")) == ("down", "not ours")


def test_maintenance_begins_and_ends(engine: TestEngine) -> None:
    """Deactivating puts a host aside, activating brings it back."""
    node = engine.join_up("rack-1")
    body = "<action><reason>new fans</reason></action>"
    assert engine.act(f"/hosts/{node}/deactivate", body, user="operator").status == 200
    assert engine.ask(f"/hosts/{node}").json("status") == "maintenance"
    event = engine.ask("/events?search=type=node-deactivated").json("event", 0, "description")
    assert event == "rack-1 was put into maintenance: new fans"
    assert engine.act(f"/hosts/{node}/activate", user="operator").status == 200
    assert engine.ask(f"/hosts/{node}").json("status") == "up"


RESTART = "<action><fence_type>restart</fence_type></action>"


def test_a_host_is_rebooted(engine: TestEngine) -> None:
    """A connected host is asked to reboot, and its status says so until it is back."""
    node = engine.join_up("rack-1")
    assert engine.act(f"/hosts/{node}/fence", RESTART, user="operator").status == 200
    assert engine.links.rebooted == [node]
    assert engine.ask(f"/hosts/{node}").json("status") == "reboot"


def test_a_host_that_cannot_be_rebooted_says_why(engine: TestEngine) -> None:
    """What is no restart, and a host that is away, are refused, and the status stays."""
    node = engine.join_up("rack-1")
    for body in ("<action/>", "<action><fence_type>stop</fence_type></action>"):
        answer = engine.act(f"/hosts/{node}/fence", body)
        assert (answer.status, "fence_type" in answer.text) == (400, True)
    engine.links.away.add(node)
    assert engine.act(f"/hosts/{node}/fence", RESTART).status == 503
    assert engine.links.rebooted == []
    assert engine.ask(f"/hosts/{node}").json("status") == "up"


def test_an_action_is_taken_as_json(engine: TestEngine) -> None:
    """A body may be JSON, and so is then the answer if it is asked for."""
    node = engine.join("rack-1")
    answer = engine.client.ask(
        "POST",
        f"{API}/hosts/{node}/reject",
        user="operator",
        accept="application/json",
        content_type="application/json",
        body=b'{"reason": "not ours", "async": "false", "unknown": [1]}',
    )
    assert (answer.status, answer.json("status")) == (200, "complete")
    assert engine.ask(f"/hosts/{node}").json("status_detail") == "not ours"


def test_a_host_is_removed(engine: TestEngine) -> None:
    """A removed host is not found any more, and cannot be removed twice."""
    node = engine.join_up("rack-1")
    path = f"{API}/hosts/{node}"
    assert engine.client.ask("DELETE", path, user="administrator").status == 200
    again = engine.client.ask("DELETE", path, user="administrator")
    assert (again.status, again.xml.findtext("reason")) == (404, "not-found")
    assert engine.ask("/hosts").json() == {}


def test_hosts_are_searched(engine: TestEngine) -> None:
    """A search finds by name, status and cluster, sorts, and gives so many."""
    for name in ("web-1", "web-2", "store-1"):
        engine.join(name)
    engine.join_up("web-3")
    found = {
        "name=web*": ["web-1", "web-2", "web-3"],
        "name=web* and status=up": ["web-3"],
        "status=up or name=store-1": ["store-1", "web-3"],
        "name=web* sortby name desc": ["web-3", "web-2", "web-1"],
        "cluster=Default and name != web*": ["store-1"],
        "active_vms > 2": ["web-3"],
        "store": ["store-1"],
        "": ["store-1", "web-1", "web-2", "web-3"],
    }
    for search, names in found.items():
        answer = engine.ask(f"/hosts?search={search.replace(' ', '+')}")
        assert [host["name"] for host in _list(answer.json("host"))] == names, search
    assert len(_list(engine.ask("/hosts?max=2").json("host"))) == 2
    assert engine.ask("/hosts?max=0").json() == {}
    assert engine.ask("/hosts?search=name=WEB-1").json() == {}
    assert len(_list(engine.ask("/hosts?search=name=WEB-1&case_sensitive=false").json("host"))) == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("search=colour=red", "cannot search for 'colour': known are active_vms, address"),
        ("search=name=", "ends too early"),
        ("max=-1", "max: '-1' is not 0 or more"),
        ("max=many", "max: 'many' is not a whole number"),
        ("max=", "max: '' is not a whole number"),
        ("case_sensitive=perhaps", "is not true or false"),
        ("follow=tags", "cannot follow tags: known are cluster, nics"),
    ],
)
def test_a_bad_query_is_one_line_and_a_hint(engine: TestEngine, query: str, words: str) -> None:
    """What is wrong with a query is said, with what is known instead."""
    answer = engine.ask(f"/hosts?{query}", accept="")
    assert (answer.status, answer.xml.findtext("reason")) == (400, "invalid")
    assert words in str(answer.xml.findtext("detail"))


def test_links_are_followed(engine: TestEngine) -> None:
    """What is followed is shown instead of its link, for one host and for many."""
    node = engine.join_up("rack-1")
    host = engine.ask(f"/hosts/{node}?follow=nics,statistics,storage,cluster")
    assert [nic["name"] for nic in _list(host.json("nics", "host_nic"))] == [
        "eno1",
        "bond0",
        "bond0.7",
        "br0",
    ]
    assert [one["rel"] for one in _list(host.json("link"))] == ["virtnode", "archives", "updates"]
    assert host.json("cluster", "virt_service") == "true"
    hosts = engine.ask("/hosts?follow=nics", accept="")
    assert len(hosts.xml.findall("host/nics/host_nic")) == 4
    assert [link.get("rel") for link in hosts.xml.findall("host/link")] == [
        "virtnode",
        "archives",
        "updates",
        "statistics",
        "storages",
    ]


def test_all_content_shows_the_certificate(engine: TestEngine) -> None:
    """What is large or dull is shown to who asks for all of it."""
    node = engine.join_up("rack-1")
    # A certificate is issued when the approved node fetches it.
    engine.services.nodes.issue(node)
    assert "certificate" not in _table(engine.ask(f"/hosts/{node}").json())
    assert engine.ask(f"/hosts/{node}?all_content=true").json("certificate", "subject") == f"CN={node}"


def test_interfaces_are_told(engine: TestEngine) -> None:
    """Each interface has what was found, in oVirt's units, and an address of its own."""
    node = engine.join_up("rack-1")
    nics = {str(nic["name"]): nic for nic in _list(engine.ask(f"/hosts/{node}/nics").json("host_nic"))}
    assert nics["eno1"]["speed"] == "1000000000"
    assert nics["eno1"]["status"] == "up"
    assert nics["bond0"]["ip"] == {"address": "192.0.2.7", "netmask": "255.255.255.0", "version": "v4"}
    assert nics["bond0"]["ipv6"] == {"address": "2001:db8::7", "netmask": "64", "version": "v6"}
    assert nics["bond0"]["bonding"] == {
        "slaves": {"host_nic": [{"name": "eno1", "href": nics["eno1"]["href"], "id": nics["eno1"]["id"]}]}
    }
    assert nics["bond0.7"]["base_interface"] == "bond0"
    assert nics["br0"]["bridged"] == "true"
    assert "ip" not in nics["br0"]
    one = engine.ask(str(nics["eno1"]["href"]).removeprefix(API))
    assert one.json("name") == "eno1"
    assert engine.ask(f"/hosts/{node}/nics/nothing").status == 404


def test_disks_are_told(engine: TestEngine) -> None:
    """A disk is a storage with one logical unit, used if there is something on it."""
    node = engine.join_up("rack-1")
    disks = _list(engine.ask(f"/hosts/{node}/storage").json("host_storage"))
    assert [disk["name"] for disk in disks] == ["sda", "sdb"]
    assert disks[0]["description"] == "gpt partition table"
    answer = engine.ask(f"/hosts/{node}/storage/{disks[1]['id']}", accept="")
    unit = answer.xml.find("logical_units/logical_unit")
    assert unit is not None
    assert (unit.findtext("size"), unit.findtext("status")) == (str(200 * GIB), "free")


def test_figures_are_told(engine: TestEngine) -> None:
    """A host's figures come from its last heartbeat, and without one there are the fixed ones."""
    node = engine.join("rack-1")
    names = [one["name"] for one in _list(engine.ask(f"/hosts/{node}/statistics").json("statistic"))]
    assert names == ["memory.total", "swap.total", "boot.time"]
    node = engine.join_up("rack-2")
    figures = {
        str(one["name"]): one for one in _list(engine.ask(f"/hosts/{node}/statistics").json("statistic"))
    }
    assert figures["memory.used"]["values"] == {"value": [{"datum": str(3 * GIB)}]}
    assert figures["cpu.load.avg.5m"]["values"] == {"value": [{"datum": "0.25"}]}
    one = engine.ask(f"/hosts/{node}/statistics/{figures['uptime']['id']}")
    assert one.json("unit") == "seconds"


def test_what_ovirt_has_no_word_for_is_told(engine: TestEngine) -> None:
    """The approval code, the fingerprint, the ladder and the next thing to do are below each host."""
    node = engine.join("rack-1")
    answer = engine.ask(f"/hosts/{node}/virtnode")
    assert answer.json("approval_code") == engine.code(node)
    assert answer.json("fingerprint") == engine.fingerprint(node)
    assert answer.json("state") == "pending"
    assert "compare the approval code" in str(answer.json("action"))
    assert answer.json("ladder", "rung") == [
        {"step": "link", "state": "ok", "text": "eno1 has a carrier", "hint": "", "since": 5000}
    ]
    assert answer.json("connected") == "false"


def test_a_node_that_is_not_healthy_says_why(engine: TestEngine) -> None:
    """Problems of a node are its status's detail, and a list of their own."""
    beat = dataclasses.replace(HEARTBEAT, healthy=False, problems=("libvirtd.service failed",))
    node = engine.join_up("rack-1", heartbeat=beat)
    host = engine.ask(f"/hosts/{node}")
    assert (host.json("status"), host.json("external_status")) == ("non_operational", "error")
    assert "libvirtd" in str(host.json("status_detail"))
    assert engine.ask(f"/hosts/{node}/virtnode").json("problems", "problem") == ["libvirtd.service failed"]


def test_what_no_xml_can_hold_does_no_harm(engine: TestEngine) -> None:
    """A node's text with control characters is shown, and the document stays readable."""
    cpu = dataclasses.replace(FACTS.cpu, model="bad\x00\x1b]\ud800\ufffe name")
    node = engine.join_up("rack-1", dataclasses.replace(FACTS, cpu=cpu))
    name = engine.ask(f"/hosts/{node}", accept="").xml.findtext("cpu/name")
    assert name is not None
    assert name.startswith("bad\N{REPLACEMENT CHARACTER}")
    assert engine.ask(f"/hosts/{node}").status == 200


def test_a_large_heartbeat_number_does_no_harm(engine: TestEngine) -> None:
    """Figures that no machine has are shown as they came."""
    beat = Heartbeat(time=1.0, uptime=1e300, load=-1.0, memory_available_bytes=-5, guests=-7)
    node = engine.join_up("rack-1", heartbeat=beat)
    assert engine.ask(f"/hosts/{node}/statistics").status == 200


def _list(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


def _table(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value
