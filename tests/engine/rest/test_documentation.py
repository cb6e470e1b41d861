"""docs/rest.md keeps up with the tables that the API is made of."""

import re
from pathlib import Path

import pytest

from engine.accounts import Role
from engine.rest.endpoint import API_PATH, Endpoint
from engine.rest.endpoints import ENDPOINTS
from engine.rest.faults import STATUSES
from engine.rest.host_documents import STATUSES as HOST_STATUSES
from engine.rest.metrics import Metrics
from engine.rest.resources import ACTION, RESOURCES

PAGE = Path(__file__).parents[3] / "docs/rest.md"


@pytest.fixture(scope="module")
def page() -> str:
    """Read the page."""
    return PAGE.read_text()


def row_of(page: str, words: str) -> str:
    """Find the row of a table that has some words."""
    rows = [line for line in page.splitlines() if line.startswith("|") and words in line]
    assert rows, words
    return rows[0]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: f"{one.method} {one.path}")
def test_every_endpoint_is_documented(page: str, endpoint: Endpoint) -> None:
    """Each stands in the table with its role, and its parameters somewhere on the page."""
    path = endpoint.path.removeprefix(API_PATH) or API_PATH
    row = row_of(page, f"`{endpoint.method} {path}`")
    assert f"| {endpoint.role.value if endpoint.role else 'everybody'} |" in row
    assert [one.name for one in endpoint.parameters if one.name not in page] == []


def test_every_role_state_and_code_is_documented(page: str) -> None:
    """Each role, each state with its status, and each code with its HTTP status has a row."""
    for role in Role:
        row_of(page, f"| `{role.value}` |")
    for state, status in HOST_STATUSES.items():
        assert f"`{status}`" in row_of(page, f"| `{state.value}` |")
    for code, number in STATUSES.items():
        row_of(page, f"| {number} | `{code.value}` |")


def test_every_name_of_a_search_is_documented(page: str) -> None:
    """What can be searched for stands in the row of its resource."""
    searched = {shape.tag: shape.search for shape in RESOURCES if shape.search}
    rows = {
        "host": "hosts",
        "event": "events",
        "cluster": "clusters",
        "data_center": "data centres",
        "user": "users",
    }
    assert set(rows) == set(searched)
    for tag, title in rows.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| {title} | `"))
        assert set(re.findall(r"`([\w.]+)`", row)) == set(searched[tag])


def test_every_field_of_an_action_and_every_metric_is_documented(page: str) -> None:
    """What can be said with an action is explained, and so are the engine's own figures."""
    asked = {one.name for one in ACTION.fields} - {"status", "fault", "cluster"}
    assert [name for name in sorted(asked) if f"`{name}`" not in page] == []
    named = set(re.findall(r"^# TYPE (\w+)", Metrics().render().decode(), re.MULTILINE))
    assert [name for name in sorted(named) if f"`{name}`" not in page] == []
