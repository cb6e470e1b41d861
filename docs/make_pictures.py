"""Make the pictures of docs/console.md from recorded machines: python docs/make_pictures.py."""

import asyncio
import re
import sys
from pathlib import Path

from nodelib.bus import JOIN, JoinRequest
from tests.tui.sessions import COLOUR, running

IMAGES = Path(__file__).parent / "images"
SIZE = (100, 34)
PICTURES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "console-status": ("server", "status", ()),
    "console-approval": ("joining", "status", ("c",)),
    "console-join": ("joining", "join", ()),
    "console-power": ("server", "status", ("f12",)),
    "console-find": ("server", "status", ("ctrl+p", *"leave")),
}
"""File's name: the recorded machine, the screen, the keys to press. One that joins is `small`, later."""
JOIN_REQUEST = JoinRequest("engine.example.org", (f"sha256:{'5a' * 32}",))


async def take(name: str, machine: str, screen: str, keys: tuple[str, ...]) -> str:
    """Open a screen, press keys, and draw what is seen."""
    joining = machine == "joining"
    async with running("small" if joining else machine, look=COLOUR, size=SIZE, first=screen) as session:
        if joining:
            session.machine.call(JOIN, JOIN_REQUEST)
            session.clock.now += 10
            await session.app.node_watch.refresh()
            await session.settle()
        await session.press(*keys)
        picture = session.app.export_screenshot(title=f"virtnode-console: {screen}", simplify=True)
    # The exporter names fonts on the net; what is at hand does as well.
    picture = re.sub(r"(?s)\s*@font-face\s*\{.*?\}", "", picture)
    picture = picture.replace("<svg ", '<svg xml:space="preserve" ', 1)
    picture = re.sub(r"<!--.*?-->\s*", "", picture)
    # And it makes up a name for each run.
    unique = re.search(r"terminal-(\d+)-", picture)
    return picture.replace(unique.group(1), name) if unique else picture


def main() -> int:
    """Write all pictures."""
    for name, (machine, screen, keys) in PICTURES.items():
        path = IMAGES / f"{name}.svg"
        path.write_text(asyncio.run(take(name, machine, screen, keys)))
        print(f"{path}: {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
