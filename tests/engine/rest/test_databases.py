"""The API above both kinds of database."""

import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.rest.endpoints import SSO_PATH
from tests.engine.rest.engines import API, PASSWORD, TestEngine, basic, make_engine


@pytest.fixture
def stored(tmp_path: Path, database: str) -> Iterator[TestEngine]:
    """Run an engine without sockets above either kind of database."""
    made = make_engine(tmp_path, database)
    yield made
    made.client.close()
    made.services.store.close()


def test_a_host_lives_and_goes(stored: TestEngine) -> None:
    """What the API does, it does above each kind of database."""
    node = stored.join_up("rack-1")
    assert stored.ask(f"/hosts/{node}").json("status") == "up"
    assert stored.act(f"/hosts/{node}/deactivate").status == 200
    assert stored.ask("/hosts?search=status=maintenance").json("host", 0, "id") == node
    assert stored.client.ask("DELETE", f"{API}/hosts/{node}", user="administrator").status == 200
    assert stored.ask("/events?search=type=node-removed").json("event", 0, "host", "id") == node
    for path in ("", "/clusters", "/datacenters", "/users", "/hosts"):
        assert stored.ask(path).status == 200, path


def test_odd_text_is_refused_not_stumbled_over(stored: TestEngine) -> None:
    """Text that a database may not take is an answer of ours all the same."""
    odd = "a\0b"
    node = stored.join("rack-1")
    quoted = urllib.parse.quote(odd)
    for path in (f"/hosts/{quoted}", f"/events/{quoted}", f"/users/{quoted}", f"/clusters/{quoted}"):
        assert stored.ask(path).status == 404, path
    assert stored.ask(f"/hosts?search={quoted}").json() == {}
    body = urllib.parse.urlencode({"grant_type": "password", "username": odd, "password": odd}).encode()
    content_type = "application/x-www-form-urlencoded"
    assert stored.client.ask("POST", SSO_PATH, body=body, content_type=content_type).status == 400
    headers = {"Authorization": basic(odd, PASSWORD)}
    assert stored.client.ask("GET", API, headers=headers).status == 401
    answer = stored.client.ask(
        "POST",
        f"{API}/hosts/{node}/reject?correlation_id={quoted}",
        user="operator",
        content_type="application/json",
        body=b'{"reason": "no\\u0000no \\ud800"}',
    )
    assert answer.status == 200, answer.text
    assert stored.ask("/events?search=type=node-rejected").json("event", 0, "correlation_id") == "a b"
