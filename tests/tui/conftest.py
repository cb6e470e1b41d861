"""What the console's tests share: pictures of the screen that a person has reviewed."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.tui.sessions import Session

GOLDEN = Path(__file__).parent / "golden"
Picture: TypeAlias = Callable[[str, Session], None]
"""Compares what the screen shows with the picture of a name."""


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Show times as in Greenwich, wherever the tests run."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Picture:
    """Compare what the screen shows with what a person has reviewed; --regenerate writes it."""

    def compare(name: str, session: Session) -> None:
        path = GOLDEN / f"{name}.txt"
        if request.config.getoption("--regenerate"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(session.text)
        assert path.is_file(), f"{path} is not there; pytest --regenerate writes it"
        assert session.text == path.read_text()

    return compare
