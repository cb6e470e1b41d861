"""The published schema, and the documentation of node.toml."""

import json
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from nodeagent.intent_schema import schema_keys, schema_text
from nodeagent.intent_sources import parse_node_toml
from nodeagent.kernel_arguments import KNOWN
from tests.nodeagent.node_trees import FULL

CHECKOUT = Path(__file__).parent.parent.parent
SCHEMA = CHECKOUT / "docs/node.schema.json"
DOCUMENTATION = CHECKOUT / "docs/node-toml.md"


def test_the_published_schema_is_that_of_the_types(request: pytest.FixtureRequest) -> None:
    """Who changes a type publishes its schema anew: pytest --regenerate writes it."""
    if request.config.getoption("--regenerate"):
        SCHEMA.write_text(schema_text())
    assert SCHEMA.read_text() == schema_text()


def test_the_schema_is_one_and_takes_what_the_node_takes() -> None:
    """A right document is right by the schema as well."""
    validator = jsonschema_rs.validator_for(json.loads(schema_text()))
    assert [str(error) for error in validator.iter_errors(tomllib.loads(FULL))] == []
    assert validator.is_valid({"version": 2, "system": {"hostname": ""}})


@pytest.mark.parametrize("name", ["keys", "shapes", "newer"])
def test_the_schema_refuses_what_the_node_refuses(name: str) -> None:
    """Wrong keys, types and forms are so by the schema; what needs arithmetic only the node knows."""
    document = tomllib.loads((Path(__file__).parent / f"intents/{name}.toml").read_text())
    assert not jsonschema_rs.validator_for(json.loads(schema_text())).is_valid(document)


@pytest.mark.parametrize("key", list(schema_keys()))
def test_every_key_is_documented(key: str) -> None:
    """A key that no document shows would be found by nobody."""
    table, _, name = key.rpartition(".")
    sections = DOCUMENTATION.read_text().split("\n## ")
    inherited = ("ipv4", "gateway4", "ipv6", "gateway6", "dns", "mtu")
    kind = "Addresses" if table.startswith("network.") and name in inherited else table.partition(".match")[0]
    section = [text for text in sections if text.startswith((f"`[{kind}]`", f"`[[{kind}]]`", kind or "The"))]
    assert any(f"| `{'match.' * ('.match' in table)}{name}`" in text for text in section), key


@pytest.mark.parametrize("argument", KNOWN)
def test_every_kernel_argument_is_documented(argument: str) -> None:
    """A kernel argument that no document shows would be found by nobody."""
    assert f"| `{argument}" in DOCUMENTATION.read_text()


def test_the_examples_of_the_documentation_are_right() -> None:
    """Every TOML block of the documentation can be used as it stands."""
    blocks = DOCUMENTATION.read_text().split("```toml\n")[1:]
    assert blocks
    for block in blocks:
        parse_node_toml(block.partition("```")[0], "docs/node-toml.md")
