"""An engine for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.rest.engines import TestEngine, make_engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[TestEngine]:
    """Run an engine without sockets."""
    made = make_engine(tmp_path)
    yield made
    made.client.close()
    made.services.store.close()
