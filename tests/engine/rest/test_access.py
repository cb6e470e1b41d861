"""Who may ask what: each endpoint without credentials, with too few, and with just enough."""

import pytest

from engine.accounts import Role
from engine.rest.endpoint import Endpoint
from engine.rest.endpoints import ENDPOINTS, LOGOUT_PATH, PKI_PATH, SSO_PATH
from tests.engine.rest.engines import TestEngine, basic

PROTECTED = [one for one in ENDPOINTS if one.role is not None]
TOO_FEW = [
    (one, role) for one in PROTECTED for role in Role if one.role is not None and not role.covers(one.role)
]


def name_of(value: object) -> str:
    """Name a case by its endpoint or role."""
    return f"{value.method} {value.path}" if isinstance(value, Endpoint) else str(value)


def path_of(endpoint: Endpoint) -> str:
    """Fill an endpoint's path with what nobody has."""
    return endpoint.path.replace("{id}", "nobody").replace("{part}", "nothing")


def test_few_things_are_for_everybody() -> None:
    """What needs no credentials is a short list that grows by decision."""
    assert {one.path for one in ENDPOINTS if one.role is None} == {SSO_PATH, LOGOUT_PATH, PKI_PATH}


@pytest.mark.parametrize("endpoint", PROTECTED, ids=name_of)
def test_nobody_is_asked_for_credentials(engine: TestEngine, endpoint: Endpoint) -> None:
    """Without credentials the answer is 401 and says how to send them."""
    answer = engine.client.ask(endpoint.method, path_of(endpoint))
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert b"credentials are missing" in answer.body


@pytest.mark.parametrize(("endpoint", "role"), TOO_FEW, ids=name_of)
def test_too_few_rights_are_refused(engine: TestEngine, endpoint: Endpoint, role: Role) -> None:
    """An account whose role is not enough is told which one is."""
    answer = engine.client.ask(endpoint.method, path_of(endpoint), user=role.value)
    assert answer.status == 403
    assert f"this takes the role {endpoint.role}" in answer.text


def test_every_protected_endpoint_has_somebody_with_too_few_rights() -> None:
    """But for the figures, which the lowest role may read."""
    assert {one.path for one in PROTECTED} - {one.path for one, role in TOO_FEW} == {"/metrics"}


@pytest.mark.parametrize("endpoint", PROTECTED, ids=name_of)
def test_the_role_that_is_named_is_enough(engine: TestEngine, endpoint: Endpoint) -> None:
    """With the least role that an endpoint names, it is done or there is nothing to do it to."""
    answer = engine.client.ask(endpoint.method, path_of(endpoint), user=str(endpoint.role))
    assert answer.status == (404 if "{" in endpoint.path else 200), answer.text


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        ("Bearer nonsense", "the session is over"),
        ("Basic ???", "not written as Basic"),
        ("Basic bm9jb2xvbg==", "no password"),
        ("Digest x", "credentials are missing"),
        (basic("viewer", "wrong password"), "the name or the password is wrong"),
        (basic("nobody", "wrong password"), "the name or the password is wrong"),
    ],
)
def test_bad_credentials_are_refused(engine: TestEngine, authorization: str, words: str) -> None:
    """Whatever is wrong with credentials is 401, and a known name answers like an unknown one."""
    answer = engine.client.ask("GET", "/ovirt-engine/api", headers={"Authorization": authorization})
    assert answer.status == 401
    assert words in answer.text


def test_too_many_wrong_passwords_are_not_tried(engine: TestEngine) -> None:
    """After five wrong passwords even the right one waits, and then it is taken."""
    headers = {"Authorization": basic("viewer", "wrong password")}
    statuses = [engine.client.ask("GET", "/ovirt-engine/api", headers=headers).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    waiting = engine.ask("", user="viewer")
    assert (waiting.status, waiting.headers["retry-after"]) == (429, "30")
    assert engine.ask("", user="operator").status == 200
    engine.clock.now += 31
    assert engine.ask("", user="viewer").status == 200
