"""The OpenAPI document: whole, and true of every endpoint, for good requests and bad ones."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from engine.rest.app import make_app
from engine.rest.endpoint import Endpoint
from engine.rest.endpoints import ENDPOINTS
from engine.rest.resources import RESOURCES
from tests.engine.rest.engines import API, PASSWORD, TestEngine, basic, make_engine

EXAMPLES = 10
CREDENTIALS = {"Authorization": basic("administrator", PASSWORD)}


def test_every_endpoint_and_resource_is_described(engine: TestEngine) -> None:
    """The document has what the tables have."""
    document = engine.ask("/openapi.json", user="viewer").json()
    assert isinstance(document, dict)
    described = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    assert described == {(one.path, one.method) for one in ENDPOINTS}
    assert {shape.tag for shape in RESOURCES} <= set(document["components"]["schemas"])
    assert document["openapi"].startswith("3.1")


@dataclass(frozen=True)
class Described:
    """An engine and the document that it gives out."""

    engine: TestEngine
    schema: OpenApiSchema

    def known_names(self, endpoint: Endpoint) -> dict[str, str]:
        """Name something that there is, for the parameters of a path."""
        path = endpoint.path.removeprefix(API)
        if not re.match("/(hosts|clusters|datacenters|events|users)/{id}", path):
            return {}
        if path.startswith("/hosts"):
            node = self.engine.join_up(f"node-{path.count('/')}-{len(self.engine.keys)}")
            self.engine.send_archive(node)
            parts = path.replace("{id}", node).partition("/{part}")[0]
            return {"id": node, "part": self._first(parts) if "{part}" in path else ""}
        return {"id": self._first(path.partition("/{id}")[0])}

    def _first(self, path: str) -> str:
        return str(self.engine.ask(path, accept="").xml[0].get("id"))


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    """Load the document of an engine that has nodes, for requests made of it."""
    engine = make_engine(Path(tmp_path_factory.mktemp("engine")))
    engine.join("rack-1")
    schema = schemathesis.openapi.from_asgi(
        f"{API}/openapi.json", make_app(engine.services), headers=CREDENTIALS
    )
    yield Described(engine, schema)
    engine.client.close()
    engine.services.store.close()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: f"{one.method} {one.path}")
def test_every_endpoint_does_as_described(
    described: Described, endpoint: Endpoint, mode: GenerationMode
) -> None:
    """Requests made of the document, right and wrong ones, get the answers that it promises."""
    operation = described.schema[endpoint.path][endpoint.method]
    cases: SearchStrategy[schemathesis.Case[Any]] = operation.as_strategy(generation_mode=mode)
    known = described.known_names(endpoint)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        # Where any text will do there is little that is wrong, and the search for it is long.
        suppress_health_check=[HealthCheck.filter_too_much],
    )
    @given(cases)
    def ask(case: schemathesis.Case[Any]) -> None:
        # Wrong credentials are among the requests; their limit is tested elsewhere.
        described.engine.clock.now += 600
        if mode is GenerationMode.POSITIVE:
            case.path_parameters |= {name: known[name] for name in case.path_parameters if name in known}
        case.call_and_validate(
            headers=CREDENTIALS,
            # A text that is no search, and an action that a host's state forbids, are rightly refused.
            excluded_checks=[positive_data_acceptance],
        )

    ask()
