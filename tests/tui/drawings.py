"""Draws what a console shows as SVG: the same bytes for the same screen, in every run."""

import re

from textual.app import App
from textual.widgets import Input

from tests.tui.sessions import Session

FONTS = re.compile(r"(?s)\s*@font-face\s*\{.*?\}")
"""The exporter names fonts on the net; what is at hand does as well."""
COMMENTS = re.compile(r"<!--.*?-->\s*")
UNIQUE = re.compile(r"terminal-(\d+)-")
"""And it makes up a name for each run, which begins every class and id."""


def draw(app: App[None], name: str, title: str) -> str:
    """Draw what an application shows; `name` begins the picture's classes and ids."""
    picture = app.export_screenshot(title=title, simplify=True)
    picture = COMMENTS.sub("", FONTS.sub("", picture))
    picture = picture.replace("<svg ", '<svg xml:space="preserve" ', 1)
    unique = UNIQUE.search(picture)
    picture = picture.replace(unique.group(1), name) if unique else picture
    return "\n".join(line.rstrip() for line in picture.splitlines()).rstrip() + "\n"


async def be_done(session: Session) -> None:
    """Wait until a page has all that it asked for, and no cursor blinks."""
    app = session.app
    await session.wait_for(lambda: bool(app.node_watch.seen.meters.uptime))
    await session.wait_for(
        lambda: all(worker.is_finished for worker in app.workers if worker.group == "deed")
    )
    for entry in app.screen.query(Input):
        entry.cursor_blink = False
    await session.settle()
