"""Support archives below their host: who may see, fetch and remove them."""

from engine.rest.endpoint import API_PATH
from tests.engine.rest.engines import TestEngine


def test_an_operator_lists_and_fetches(engine: TestEngine) -> None:
    """The bytes are the node's own, under a name for a file."""
    node = engine.join_up("rack-1")
    identifier = engine.send_archive(node, b"\x1f\x8barchive")
    listed = engine.ask(f"/hosts/{node}/archives", user="operator")
    assert listed.json("archive", 0, "id") == identifier
    assert listed.json("archive", 0, "size") == "9"
    shown = engine.ask(f"/hosts/{node}/archives/{identifier}", user="operator")
    assert shown.json("link", 0, "href") == f"{API_PATH}/hosts/{node}/archives/{identifier}/content"
    content = engine.ask(f"/hosts/{node}/archives/{identifier}/content", user="operator")
    assert (content.status, content.body) == (200, b"\x1f\x8barchive")
    assert content.headers["content-type"] == "application/gzip"
    assert f'filename="virtnode-support-{identifier}.tar.gz"' in content.headers["content-disposition"]


def test_too_few_rights_see_nothing(engine: TestEngine) -> None:
    """A viewer fetches none, an operator removes none, and nobody is asked who they are."""
    node = engine.join_up("rack-1")
    path = f"/hosts/{node}/archives/{engine.send_archive(node)}"
    for below in ("", "/content"):
        assert engine.ask(f"{path}{below}", user="viewer").status == 403
        assert engine.client.ask("GET", f"{API_PATH}{path}{below}").status == 401
    assert engine.client.ask("DELETE", API_PATH + path, user="operator").status == 403
    assert engine.client.ask("DELETE", API_PATH + path).status == 401
    assert engine.ask(path).status == 200


def test_an_administrator_removes(engine: TestEngine) -> None:
    """Then it is not found, and the log has who did what."""
    node = engine.join_up("rack-1")
    path = f"/hosts/{node}/archives/{engine.send_archive(node)}"
    assert engine.ask(f"{path}/content", user="operator").status == 200
    assert engine.client.ask("DELETE", API_PATH + path, user="administrator").status == 200
    assert engine.ask(path).status == 404
    assert engine.ask(f"{path}/content").status == 404
    events = engine.ask("/events?search=type=archive-*").json("event")
    assert isinstance(events, list)
    assert [(one["comment"], one.get("user", {}).get("user_name")) for one in events] == [
        ("archive-removed", "administrator@internal"),
        ("archive-read", "operator@internal"),
        ("archive-received", None),
    ]


def test_an_archive_is_its_own_hosts(engine: TestEngine) -> None:
    """Under another host it is not there, nor is it by a path."""
    one, other = engine.join_up("rack-1"), engine.join_up("rack-2")
    identifier = engine.send_archive(one)
    assert engine.ask(f"/hosts/{other}/archives/{identifier}").status == 404
    assert engine.ask(f"/hosts/{other}/archives").json() == {}
    assert engine.ask(f"/hosts/{one}/archives/%2e%2e%2f{identifier}/content").status == 404
