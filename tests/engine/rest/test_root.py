"""The root of the API, sessions, the CA, figures, events, users and places."""

import asyncio
import json
import urllib.parse

import pytest

from engine.rest.authentication import Doorkeeper
from engine.rest.endpoints import LOGOUT_PATH, METRICS_PATH, PKI_PATH, SSO_PATH
from nodelib.errors import Code, VirtnodeError
from tests.engine.rest.engines import API, PASSWORD, Answer, TestEngine

FORM = "application/x-www-form-urlencoded"


def post_form(engine: TestEngine, path: str, content_type: str = FORM, **fields: str) -> Answer:
    """Send a form as a browser does."""
    body = urllib.parse.urlencode(fields).encode()
    return engine.client.ask("POST", path, body=body, content_type=content_type)


def log_in(engine: TestEngine, user: str = "viewer@internal", password: str = PASSWORD) -> Answer:
    """Ask for a session as oVirt's SDK does."""
    return post_form(
        engine, SSO_PATH, grant_type="password", scope="ovirt-app-api", username=user, password=password
    )


def with_token(engine: TestEngine, token: object, path: str = API) -> int:
    """Ask with a session's token; tells the status."""
    return engine.client.ask("GET", path, headers={"Authorization": f"Bearer {token}"}).status


def test_the_root_says_what_this_is(engine: TestEngine) -> None:
    """Product, summary and links are where clients begin."""
    engine.join_up("rack-1")
    engine.join("rack-2")
    answer = engine.ask("", user="viewer", accept="")
    assert answer.xml.tag == "api"
    assert answer.xml.findtext("product_info/version/major") == "4"
    assert answer.xml.findtext("product_info/virtnode_version") == "0.1.0"
    assert answer.xml.findtext("summary/hosts/active") == "1"
    assert answer.xml.findtext("summary/hosts/total") == "2"
    assert answer.xml.findtext("authenticated_user/user_name") == "viewer@internal"
    links = {link.get("rel"): link.get("href") for link in answer.xml.findall("link")}
    assert links["hosts"] == f"{API}/hosts"
    assert links["hosts/search"] == f"{API}/hosts?search={{query}}"


def test_each_link_of_the_root_leads_somewhere(engine: TestEngine) -> None:
    """No link is a promise alone, with and without a slash behind it."""
    for link in engine.ask("", accept="").xml.findall("link"):
        path = str(link.get("href")).replace("{query}", "").removeprefix(API)
        assert engine.ask(path).status == 200, path
    assert engine.ask("/").status == 200
    assert engine.ask("/hosts/").status == 200


def test_a_session_opens_and_closes(engine: TestEngine) -> None:
    """A token stands for a name and password until it is revoked."""
    opened = log_in(engine)
    assert opened.status == 200
    assert opened.headers["cache-control"] == "no-store"
    assert opened.json("scope") == "ovirt-app-api"
    assert opened.json("exp") == str(round((engine.clock.now + 86400) * 1000))
    token = opened.json("access_token")
    assert with_token(engine, token) == 200
    closed = post_form(engine, LOGOUT_PATH, scope="ovirt-app-api", token=str(token))
    assert (closed.status, closed.json()) == (200, {})
    assert with_token(engine, token) == 401
    assert post_form(engine, LOGOUT_PATH, token=str(token)).status == 200


def test_a_session_that_is_not_used_ends(engine: TestEngine) -> None:
    """Half an hour without a request ends a session, and each request counts."""
    token = log_in(engine).json("access_token")
    for _ in range(3):
        engine.clock.now += 29 * 60
        assert with_token(engine, token) == 200
    engine.clock.now += 31 * 60
    assert with_token(engine, token) == 401


def test_a_session_ends_after_a_day(engine: TestEngine) -> None:
    """However busy it is, a session ends after 24 hours."""
    token = log_in(engine).json("access_token")
    for _ in range(24 * 3 - 1):
        engine.clock.now += 20 * 60
        assert with_token(engine, token) == 200
    engine.clock.now += 20 * 60
    assert with_token(engine, token) == 401


@pytest.mark.parametrize(
    ("fields", "status", "word", "words"),
    [
        ({}, 400, "invalid_request", "grant_type=password"),
        ({"grant_type": "password"}, 400, "invalid_request", "username and password missing"),
        ({"grant_type": "password", "username": "viewer"}, 400, "invalid_request", "password missing"),
        (
            {"grant_type": "password", "username": "viewer", "password": "wrong"},
            400,
            "access_denied",
            "the name or the password is wrong",
        ),
    ],
)
def test_a_session_is_refused_in_oauths_words(
    engine: TestEngine, fields: dict[str, str], status: int, word: str, words: str
) -> None:
    """What is wrong comes as JSON with the fields that oVirt's clients read."""
    answer = post_form(engine, SSO_PATH, **fields)
    assert (answer.status, answer.json("error_code")) == (status, word)
    assert words in str(answer.json("error"))


def test_a_form_that_is_none_is_refused(engine: TestEngine) -> None:
    """Another media type, broken text and endless fields are told, not guessed at."""
    assert post_form(engine, SSO_PATH, "application/json", username="x").status == 415
    for body in (b"a=\xff", b"&".join(b"a=1" for _ in range(200))):
        assert engine.client.ask("POST", SSO_PATH, body=body, content_type=FORM).status == 400


def test_the_password_appears_nowhere(engine: TestEngine, caplog: pytest.LogCaptureFixture) -> None:
    """Neither logs nor events have a password or a token, or what may be a password given as a name."""
    caplog.set_level("DEBUG")
    token = str(log_in(engine).json("access_token"))
    log_in(engine, user="hunter2secret", password="another secret")
    with_token(engine, token)
    events = engine.ask("/events?max=1000").text
    for secret in (PASSWORD, token, "hunter2secret", "another secret"):
        assert secret not in caplog.text
        assert secret not in events
    assert "an unknown name" in events


def test_the_ca_is_handed_out(engine: TestEngine) -> None:
    """Tools fetch the CA where oVirt has it, without credentials."""
    answer = engine.client.ask("GET", f"{PKI_PATH}?resource=ca-certificate&format=X509-PEM-CA")
    assert answer.status == 200
    assert answer.text == engine.services.authority()
    for query in ("", "?resource=engine-key", "?resource=ca-certificate&format=OPENSSH-PUBKEY"):
        assert engine.client.ask("GET", PKI_PATH + query).status == 400, query


def test_figures_for_prometheus(engine: TestEngine) -> None:
    """Nodes by state, what others contribute, memory and durations, in Prometheus' text format."""
    engine.join_up("rack-1")
    engine.join("rack-2")
    engine.ask("/hosts")
    answer = engine.client.ask("GET", METRICS_PATH, user="metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'virtnode_nodes{state="up"} 1' in lines
    assert 'virtnode_nodes{state="pending"} 1' in lines
    assert 'virtnode_extra_total{of="a\\"b\\\\"} 7' in lines
    labels = 'method="GET",path="/ovirt-engine/api/hosts",status="2xx"'
    assert f"virtnode_request_duration_seconds_count{{{labels}}} 1" in lines
    assert f'virtnode_request_duration_seconds_bucket{{{labels},le="+Inf"}} 1' in lines
    resident = next(line for line in lines if line.startswith("process_resident_memory_bytes "))
    assert int(resident.split()[1]) > 1 << 20
    assert answer.text.endswith("\n")


def test_events_are_listed(engine: TestEngine) -> None:
    """The log has the latest first, names host and user, and is searched and continued."""
    node = engine.join_up("rack-1")
    answer = engine.ask("/events?search=type=node-approved")
    assert len(_list(answer.json("event"))) == 1
    assert answer.json("event", 0, "host", "name") == "rack-1"
    assert answer.json("event", 0, "user", "user_name") == "operator@internal"
    assert answer.json("event", 0, "severity") == "normal"
    index = int(str(answer.json("event", 0, "index")))
    later = _list(engine.ask(f"/events?from={index}").json("event"))
    assert later
    assert all(int(str(one["index"])) > index for one in later)
    assert [int(str(one["index"])) for one in later] == sorted(
        (int(str(one["index"])) for one in later), reverse=True
    )
    assert len(_list(engine.ask("/events?max=1").json("event"))) == 1
    assert engine.ask(f"/events/{index}").json("host", "id") == node
    for bad in ("0", "nothing", "9" * 30):
        assert engine.ask(f"/events/{bad}").status == 404
    found = engine.ask("/events?search=host=rack-1+and+time+>+2001-01-01+sortby+time")
    times = [int(str(one["time"])) for one in _list(found.json("event"))]
    assert times == sorted(times)


def test_what_a_client_calls_its_request_is_in_the_log(engine: TestEngine) -> None:
    """A correlation identifier ties an event to the request that caused it."""
    for action, kind in (("approve", "node-approved"), ("reject", "node-rejected")):
        node = engine.join(f"node-{action}")
        path = f"{API}/hosts/{node}/{action}"
        engine.client.ask("POST", path, user="operator", headers={"Correlation-Id": f"ticket-{action}"})
        answer = engine.ask(f"/events?search=correlation_id=ticket-{action}")
        assert answer.json("event", 0, "comment") == kind


def test_an_event_tells_what_changed(engine: TestEngine) -> None:
    """What was before and what is after come as JSON."""
    node = engine.join_up("rack-1")
    engine.client.ask("DELETE", f"{API}/hosts/{node}", user="administrator")
    answer = engine.ask("/events?search=type=node-removed")
    changed = json.loads(str(answer.json("event", 0, "custom_data")))
    assert changed["before"]["state"] == "up"


def test_a_crowd_that_logs_in_is_bounded(engine: TestEngine) -> None:
    """When too many wait for their password to be checked, the next is sent away at once."""
    doorkeeper = Doorkeeper(engine.services.accounts, most_waiting=0)
    with pytest.raises(VirtnodeError, match="too many are logging in at once") as caught:
        asyncio.run(doorkeeper.sign_in("viewer", PASSWORD, "192.0.2.1"))
    assert caught.value.code is Code.BUSY


def test_users_are_listed(engine: TestEngine) -> None:
    """Accounts are oVirt's users, and nothing of a password is shown."""
    answer = engine.ask("/users")
    assert [one["user_name"] for one in _list(answer.json("user"))] == [
        "administrator@internal",
        "metrics@internal",
        "operator@internal",
        "viewer@internal",
    ]
    assert "scrypt" not in answer.text
    user = answer.json("user", 2, "id")
    assert engine.ask(f"/users/{user}").json("roles", "role", 0, "name") == "operator"
    assert len(_list(engine.ask("/users?search=name=view*").json("user"))) == 1


def test_places_are_listed(engine: TestEngine) -> None:
    """There is a cluster in a data centre, which is up when a host is."""
    cluster = engine.ask("/clusters").json("cluster", 0, "id")
    center = engine.ask("/datacenters").json("data_center", 0, "id")
    assert engine.ask(f"/clusters/{cluster}").json("data_center", "id") == center
    assert engine.ask(f"/datacenters/{center}").json("status") == "uninitialized"
    assert engine.ask(f"/datacenters/{center}/clusters").json("cluster", 0, "id") == cluster
    assert engine.ask("/datacenters/nothing/clusters").status == 404
    node = engine.join_up("rack-1")
    assert engine.ask(f"/datacenters/{center}").json("status") == "up"
    engine.act(f"/hosts/{node}/deactivate")
    assert engine.ask(f"/datacenters/{center}").json("status") == "not_operational"
    assert engine.ask("/clusters?search=datacenter=Default").json("cluster", 0, "id") == cluster
    assert engine.ask("/clusters?search=datacenter=Other").json() == {}


def test_what_is_not_there_is_a_fault(engine: TestEngine) -> None:
    """An unknown path and an unknown method are answered in the media type that was asked for."""
    missing = engine.ask("/vms")
    assert (missing.status, missing.json("reason")) == (404, "not-found")
    wrong = engine.client.ask("PUT", f"{API}/hosts", user="administrator")
    assert (wrong.status, wrong.xml.findtext("reason")) == (405, "invalid")
    assert "GET" in wrong.headers["allow"]


def test_accept_is_honoured(engine: TestEngine) -> None:
    """The better liked media type is given, and one that there is not is refused."""
    given = {
        "application/json": "application/json",
        "application/xml": "application/xml",
        "text/xml": "application/xml",
        "*/*": "application/xml",
        "": "application/xml",
        "application/json;q=0.5, application/xml;q=0.4": "application/json",
        "text/html, */*;q=0.1": "application/xml",
        "application/xml;q=0, */*": "application/json",
    }
    for accept, media_type in given.items():
        assert engine.ask("", accept=accept).headers["content-type"].startswith(media_type), accept
    refused = engine.ask("", accept="text/html")
    assert (refused.status, refused.xml.tag) == (406, "fault")


@pytest.mark.parametrize(
    ("content_type", "body", "status", "words"),
    [
        ("application/xml", b"<action", 400, "no XML"),
        ("application/xml", b"<host/>", 400, "the body is <host>, not <action>"),
        ("application/xml", b"<action><async>maybe</async></action>", 400, "action.async"),
        ("application/xml", b'<!DOCTYPE a [<!ENTITY x "y">]><action>&x;</action>', 400, "no XML"),
        ("application/xml", b"\xff\xfe<", 400, "no XML"),
        ("application/json", b"[]", 400, "not an object"),
        ("application/json", b"{", 400, "not JSON"),
        ("application/json", b'{"reason": 5}', 400, "action.reason: 5 is not text"),
        ("application/json", b'{"cluster": "x"}', 400, "action.cluster"),
        ("text/plain", b"hello", 415, "a body is application/xml or application/json"),
        ("application/xml", b"<action>" + b" " * (1 << 20), 413, "at most 1048576 bytes"),
    ],
)
def test_a_bad_body_changes_nothing(
    engine: TestEngine, content_type: str, body: bytes, status: int, words: str
) -> None:
    """Whatever is wrong with a body is said in one line, and the host stays as it was."""
    node = engine.join("rack-1")
    answer = engine.client.ask(
        "POST", f"{API}/hosts/{node}/approve", user="operator", content_type=content_type, body=body
    )
    assert answer.status == status
    assert words in str(answer.xml.findtext("detail"))
    assert engine.ask(f"/hosts/{node}").json("status") == "pending_approval"


def _list(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value
