"""Options that every test run knows."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests that boot an artefact be given one."""
    parser.addoption(
        "--artefacts",
        metavar="DIR",
        help="the folder of a finished build for tests/vm, or VIRTNODE_ARTEFACTS; one is built without",
    )
