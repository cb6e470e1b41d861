"""A picture of every screen at two sizes, and those of the documentation: none is missing or stale."""

import asyncio
from pathlib import Path

import pytest

from docs.make_pictures import IMAGES, MOST_BYTES, SCENES, take
from tests.tui.drawings import be_done, draw
from tests.tui.sessions import COLOUR, PLAIN, running
from tui.screen_table import SCREENS

SNAPSHOTS = Path(__file__).parent / "snapshots"
SIZES = {(80, 24): PLAIN, (120, 40): COLOUR}
"""The smallest terminal, without colour, and a large one."""
MOST_SNAPSHOTS = 1_500_000
"""Bytes that all of them may have together in a checkout."""


def snapshot_name(key: str, size: tuple[int, int]) -> str:
    """Name a screen's picture."""
    return f"{key}-{size[0]}x{size[1]}.svg"


async def take_snapshot(key: str, size: tuple[int, int]) -> str:
    """Draw a screen of a server, whose clock stands still."""
    async with running("server", look=SIZES[size], size=size, first=key) as session:
        await be_done(session)
        return draw(session.app, key, f"{key}, {size[0]}x{size[1]}")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("key", SCREENS)
def test_each_screen_looks_as_it_did(key: str, size: tuple[int, int], request: pytest.FixtureRequest) -> None:
    """A screen without a picture fails, and so does one that has changed; --regenerate draws it anew."""
    path = SNAPSHOTS / snapshot_name(key, size)
    found = asyncio.run(take_snapshot(key, size))
    if request.config.getoption("--regenerate"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found)
    assert path.is_file(), f"{path} is not there; pytest --regenerate draws it"
    # No diff of two pictures is of use: a browser shows them.
    assert found == path.read_text() or pytest.fail(f"{key} does not look like {path}")


def test_no_snapshot_is_of_a_screen_that_is_gone() -> None:
    """There are as many as there are screens and sizes, and a checkout stays small."""
    files = {path.name: path.stat().st_size for path in SNAPSHOTS.iterdir()}
    assert set(files) == {snapshot_name(key, size) for key in SCREENS for size in SIZES}
    assert sum(files.values()) < MOST_SNAPSHOTS


@pytest.mark.parametrize("name", SCENES)
def test_each_picture_of_the_documentation_is_what_is_seen_now(
    name: str, request: pytest.FixtureRequest
) -> None:
    """It is small, some page shows it, and it is not stale; --regenerate draws it anew."""
    path = IMAGES / f"{name}.svg"
    found = asyncio.run(take(name, SCENES[name]))
    if request.config.getoption("--regenerate"):
        path.write_text(found)
    assert path.read_text() == found or pytest.fail(f"python -m docs.make_pictures: {name} has changed")
    assert len(found) < MOST_BYTES
    assert any(f"(images/{path.name})" in page.read_text() for page in IMAGES.parent.glob("*.md"))
