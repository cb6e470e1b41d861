"""Options that every test run knows, and what the tests of every folder share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "image/golden"
Golden = Callable[[str, str], None]
"""Compares a text with the golden file of a name."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests that boot an artefact be given one."""
    parser.addoption(
        "--artefacts",
        metavar="DIR",
        help="the folder of a finished build for tests/vm, or VIRTNODE_ARTEFACTS; one is built without",
    )
    parser.addoption(
        "--regenerate",
        action="store_true",
        help="write the golden files anew, for a person to review with git",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs root where there is none, and say so."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("integration"):
            item.add_marker(pytest.mark.skip(reason="integration tests need root"))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare what is generated with what a person has reviewed."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--regenerate"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.is_file(), f"{path} is not there; pytest --regenerate writes it"
        assert text == path.read_text()

    return compare
