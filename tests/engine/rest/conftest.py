"""An engine for each test, above either kind of database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.rest.engines import TestEngine, make_engine


@pytest.fixture
def engine(tmp_path: Path, database: str) -> Iterator[TestEngine]:
    """Run an engine without sockets."""
    made = make_engine(tmp_path, database)
    yield made
    made.client.close()
    made.services.store.close()
