"""A console in front of a recorded machine, with a clock that stands still: for tests and pictures."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from tests.tui.slow_node import SlowNode
from tui.app import ConsoleApp
from tui.look import Look
from tui.recorded import RecordedMachine, load_machine

MACHINES = Path(__file__).parent.parent / "data/machines"
PLAIN = Look(ascii=True, monochrome=True, slow=True)
COLOUR = Look(may_leave=True)


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@dataclass
class Session:
    """A console in front of a recorded machine."""

    app: ConsoleApp
    machine: RecordedMachine
    pilot: Pilot[None]
    clock: Clock

    @property
    def text(self) -> str:
        """What the screen shows, line by line."""
        return screen_text(self.app)

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until all that they began is done."""
        for key in keys:
            await self.pilot.press(key)
        await self.settle()

    def type_ahead(self, *keys: str) -> None:
        """Press keys at once, as a person does who does not wait for the screen to follow."""
        for key in keys:
            name = _character_to_key(key) if len(key) == 1 else key
            event = events.Key(name, key if len(key) == 1 else None)
            event.set_sender(self.app)
            self.app.post_message(event)

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.pilot.press(*text)
        await self.settle()

    async def paste(self, text: str) -> None:
        """Paste a text into what has the focus."""
        assert self.app.focused is not None
        self.app.focused.post_message(events.Paste(text))
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while not self.app.type_ahead.idle and self.app.is_running:
            await self.pilot.pause(0.01)
        await self.pilot.pause()
        await self.pilot.pause()

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; fails with the screen's text after some seconds."""
        for _ in range(500):
            if condition():
                await self._settle_picture()
                return
            await self.pilot.pause(0.01)
        raise AssertionError(self.text)

    async def _settle_picture(self) -> None:
        """Wait until nothing moves: a dialog is there before its layout, and a table before its columns."""
        await self.settle()
        for _ in range(20):
            before = self.text
            await self.pilot.pause(0.01)
            if self.text == before:
                return


def screen_text(app: ConsoleApp) -> str:
    """Write what an application shows as text, trailing blanks removed."""
    width, height = app.size
    console = Console(
        width=width, height=height, file=io.StringIO(), force_terminal=True, record=True, legacy_windows=False
    )
    render = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    console.print(render)
    text = console.export_text(styles=False)
    return "\n".join(line.rstrip() for line in text.splitlines()[:height]) + "\n"


@asynccontextmanager
async def running(
    machine: str = "small",
    *,
    look: Look = PLAIN,
    size: tuple[int, int] = (80, 24),
    first: str = "status",
    delay: float = 0.0,
    heard: bool = True,
) -> AsyncIterator[Session]:
    """Run a console in front of a recorded machine, which answers after `delay` seconds.

    It is there once the machine was `heard`, or else once it is drawn.
    """
    clock = Clock()
    recorded = load_machine(MACHINES / f"{machine}.json", clock)
    client = SlowNode(recorded, delay) if delay else recorded
    app = ConsoleApp(client, look, first=first, clock=clock)
    async with app.run_test(size=size) as pilot:
        session = Session(app, recorded, pilot, clock)
        await session.wait_for(lambda: app.node_watch.seen.heard or not heard)
        await session.settle()
        yield session
