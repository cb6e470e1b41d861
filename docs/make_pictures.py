"""Make the pictures of docs/ from recorded machines: python -m docs.make_pictures."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from nodelib.bus import JOIN, JoinRequest
from tests.tui.drawings import be_done, draw
from tests.tui.sessions import COLOUR, running

IMAGES = Path(__file__).parent / "images"
MOST_BYTES = 48_000
"""What a picture may weigh: a page with several of them is still read at once."""
SIZE, SMALL = (100, 34), (80, 24)


@dataclass(frozen=True)
class Scene:
    """What a picture shows: a screen of a recorded machine, once keys were pressed."""

    machine: str
    screen: str
    shows: str
    """What is on the screen once it is complete."""
    keys: tuple[str, ...] = ()
    joining: bool = False
    """The machine waits for its approval."""
    size: tuple[int, int] = SIZE


SCENES = {
    "console-status": Scene("server", "status", "VMs running"),
    "console-approval": Scene("small", "status", "Esc Back", ("c",), joining=True),
    "console-join": Scene("small", "join", "CA pin", joining=True),
    "console-power": Scene("server", "status", "Switch off", ("f12",)),
    "console-find": Scene("server", "status", "Leave", ("ctrl+p", *"leave")),
    "console-install": Scene("installer", "install", "WD40EFRX", ("tab", "down"), size=SMALL),
    "console-install-plan": Scene(
        "installer", "install", "Will be there", ("tab", "down", "down", "enter"), size=SMALL
    ),
}
"""File's name and what is in it."""
JOIN_REQUEST = JoinRequest("engine.example.org", (f"sha256:{'5a' * 32}",))


async def take(name: str, scene: Scene) -> str:
    """Open a screen, press keys, and draw what is seen."""
    async with running(scene.machine, look=COLOUR, size=scene.size, first=scene.screen) as session:
        if scene.joining:
            session.machine.call(JOIN, JOIN_REQUEST)
            session.clock.now += 10
            await session.app.node_watch.refresh()
        await be_done(session)
        await session.press(*scene.keys)
        await session.wait_for(lambda: scene.shows in session.text)
        return draw(session.app, name, f"virtnode-console: {scene.screen}")


def main() -> int:
    """Write all pictures."""
    for name, scene in SCENES.items():
        path = IMAGES / f"{name}.svg"
        path.write_text(asyncio.run(take(name, scene)))
        print(f"{path}: {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
