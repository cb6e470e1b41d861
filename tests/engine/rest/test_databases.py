"""The API above both kinds of database."""

import urllib.parse

from engine.rest.endpoints import SSO_PATH
from tests.engine.rest.engines import API, PASSWORD, TestEngine, basic


def test_a_host_lives_and_goes(engine: TestEngine) -> None:
    """What the API does, it does above each kind of database."""
    node = engine.join_up("rack-1")
    assert engine.ask(f"/hosts/{node}").json("status") == "up"
    assert engine.act(f"/hosts/{node}/deactivate").status == 200
    assert engine.ask("/hosts?search=status=maintenance").json("host", 0, "id") == node
    assert engine.client.ask("DELETE", f"{API}/hosts/{node}", user="administrator").status == 200
    assert engine.ask("/events?search=type=node-removed").json("event", 0, "host", "id") == node
    for path in ("", "/clusters", "/datacenters", "/users", "/hosts"):
        assert engine.ask(path).status == 200, path


def test_odd_text_is_refused_not_stumbled_over(engine: TestEngine) -> None:
    """Text that a database may not take is an answer of ours all the same."""
    odd = "a\0b"
    node = engine.join("rack-1")
    quoted = urllib.parse.quote(odd)
    for path in (f"/hosts/{quoted}", f"/events/{quoted}", f"/users/{quoted}", f"/clusters/{quoted}"):
        assert engine.ask(path).status == 404, path
    assert engine.ask(f"/hosts?search={quoted}").json() == {}
    body = urllib.parse.urlencode({"grant_type": "password", "username": odd, "password": odd}).encode()
    content_type = "application/x-www-form-urlencoded"
    assert engine.client.ask("POST", SSO_PATH, body=body, content_type=content_type).status == 400
    headers = {"Authorization": basic(odd, PASSWORD)}
    assert engine.client.ask("GET", API, headers=headers).status == 401
    answer = engine.client.ask(
        "POST",
        f"{API}/hosts/{node}/reject?correlation_id={quoted}",
        user="operator",
        content_type="application/json",
        body=b'{"reason": "no\\u0000no \\ud800"}',
    )
    assert answer.status == 200, answer.text
    assert engine.ask("/events?search=type=node-rejected").json("event", 0, "correlation_id") == "a b"
