"""Updates by the API: of one host, and of the hosts of a cluster."""

from pathlib import Path

import pytest

from engine.images import Images
from engine.store.migrations.m0001_first_tables import DEFAULT_CLUSTER
from tests.engine.bundles import write_bundle
from tests.engine.rest.engines import TestEngine
from tests.engine.worlds import ADMIN

CLUSTER = f"/clusters/{DEFAULT_CLUSTER}"


@pytest.fixture
def host(engine: TestEngine, tmp_path: Path) -> str:
    """Make a host without guests, and an image for it."""
    images: Images = engine.services.images
    packages = {"linux": "2", "qemu": "1"}
    images.add(write_bundle(tmp_path, system="Debian GNU/Linux 13", packages=packages), ADMIN)
    return join(engine, "rack-1")


def join(engine: TestEngine, name: str) -> str:
    """Make a host without guests."""
    node = engine.join_up(name)
    heartbeat = engine.services.nodes.get(node).heartbeat
    assert heartbeat is not None
    engine.services.nodes.heartbeat(node, type(heartbeat)(**{**vars(heartbeat), "guests": 0}))
    return node


def test_an_update_is_offered(engine: TestEngine, host: str) -> None:
    """The host says so, and its updates say which, with the packages that would change."""
    assert engine.ask(f"/hosts/{host}").json("update_available") == "true"
    assert engine.ask("/hosts").json("host", 0, "update_available") == "true"
    engine.links.packages = {"linux": "1", "qemu": "1", "nano": "8"}
    found = engine.ask(f"/hosts/{host}/updates", user="viewer").json()
    assert isinstance(found, dict)
    assert (found["installed_version"], found["installed_build"]) == ("virtnode 0.1.0", "abc")
    assert (found["available_version"], found["available_build"]) == ("0.2.0", "build-0.2.0")
    assert found["packages"]["package"] == [
        {"name": "linux", "before": "1", "after": "2"},
        {"name": "nano", "before": "8", "after": ""},
    ]
    engine.links.away.add(host)
    assert engine.ask(f"/hosts/{host}/updates").json("packages") == {}
    assert engine.ask(f"/hosts/{host}/updates?image=0.9").status == 404


def test_nothing_is_offered_without_an_image(engine: TestEngine) -> None:
    """And an upgrade is a conflict that says what to do."""
    node = join(engine, "rack-1")
    assert engine.ask(f"/hosts/{node}").json("update_available") == "false"
    assert engine.ask(f"/hosts/{node}/updates").json("update_available") == "false"
    answer = engine.act(f"/hosts/{node}/upgrade")
    assert answer.status == 409
    assert "virtnode-engine image add" in answer.text


def test_a_host_is_checked_and_upgraded(engine: TestEngine, host: str) -> None:
    """The answer comes at once; status and events tell how it goes, by the correlation that was given."""
    assert engine.act(f"/hosts/{host}/upgradecheck", user="operator").status == 200
    assert "can be updated to 0.2.0" in str(engine.ask("/events?search=type=update-checked").json())
    answer = engine.act(f"/hosts/{host}/upgrade?correlation_id=c-7", "<action><reboot>true</reboot></action>")
    assert answer.status == 200, answer.text
    assert engine.ask(f"/hosts/{host}").json("status") == "installing"
    last = engine.ask(f"/hosts/{host}/updates").json("last")
    assert isinstance(last, dict)
    assert (last["phase"], last["version"], last["correlation_id"]) == ("ordering", "0.2.0", "c-7")
    for action in ("upgrade", "activate", "deactivate"):
        assert engine.act(f"/hosts/{host}/{action}").status == 409, action
    assert engine.ask("/events?search=type=update-ordered").json("event", 0, "correlation_id") == "c-7"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("<action><image>0.9.0</image></action>", 404),
        ("<action><timeout>0</timeout></action>", 400),
        ("<action><timeout>soon</timeout></action>", 400),
    ],
)
def test_a_wish_that_cannot_be_is_refused(engine: TestEngine, host: str, body: str, status: int) -> None:
    """And the host stays as it was."""
    assert engine.act(f"/hosts/{host}/upgrade", body).status == status
    assert engine.ask(f"/hosts/{host}").json("status") == "up"


def test_guests_are_a_reason_not_to_begin(engine: TestEngine, host: str) -> None:
    """Unless whoever asks says that they may be stopped."""
    node = engine.join_up("rack-2")
    assert "3 virtual machines run on rack-2" in engine.act(f"/hosts/{node}/upgrade").text
    body = "<action><stop_guests>true</stop_guests><timeout>5</timeout></action>"
    assert engine.act(f"/hosts/{node}/upgrade", body).status == 200


def test_a_cluster_is_upgraded(engine: TestEngine, host: str) -> None:
    """Start, look at it, and finish: what stands in the cluster and in its roll."""
    join(engine, "rack-2")
    assert engine.ask(f"{CLUSTER}/roll").json("state") == "none"
    assert engine.ask(CLUSTER).json("upgrade_in_progress") == "false"
    start = "<action><upgrade_action>start</upgrade_action><correlation_id>c-9</correlation_id></action>"
    assert engine.act(f"{CLUSTER}/upgrade", start, user="operator").status == 200
    assert engine.act(f"{CLUSTER}/upgrade", start).status == 409
    engine.services.rolls.advance()
    cluster = engine.ask(CLUSTER).json()
    assert isinstance(cluster, dict)
    assert (cluster["upgrade_in_progress"], cluster["upgrade_percent_complete"]) == ("true", "0")
    assert cluster["upgrade_correlation_id"] == "c-9"
    roll = engine.ask(f"{CLUSTER}/roll", user="viewer").json()
    assert isinstance(roll, dict)
    hosts = [(one["name"], one["state"]) for one in roll["hosts"]["host"]]
    assert hosts == [("rack-1", "updating"), ("rack-2", "waiting")]
    progress = "<action><upgrade_action>update_progress</upgrade_action></action>"
    assert engine.act(f"{CLUSTER}/upgrade", progress).status == 200
    finish = "<action><upgrade_action>finish</upgrade_action></action>"
    assert engine.act(f"{CLUSTER}/upgrade", finish).status == 200
    assert engine.ask(f"{CLUSTER}/roll").json("state") == "stopping"


def test_what_is_to_be_done_with_a_cluster_must_be_said(engine: TestEngine, host: str) -> None:
    """Nothing is begun by an empty action, and there is nothing to finish."""
    answer = engine.act(f"{CLUSTER}/upgrade")
    assert answer.status == 400
    assert "start, finish, update_progress" in answer.text
    finish = "<action><upgrade_action>finish</upgrade_action></action>"
    assert engine.act(f"{CLUSTER}/upgrade", finish).status == 409
    assert engine.act("/clusters/nobody/upgrade").status == 404


def test_figures_tell_who_runs_what(engine: TestEngine, host: str) -> None:
    """Nodes are counted by their image."""
    text = engine.client.ask("GET", "/metrics", user="metrics").text
    assert 'virtnode_nodes_by_image{image="virtnode 0.1.0",build="abc"} 1' in text
