"""A virtual machine's serial console in a pane: what it shows, and what is typed to it."""

import asyncio
import base64

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from nodelib.bus_guests import (
    CONSOLE_CLOSE,
    CONSOLE_READ,
    CONSOLE_SEND,
    ConsoleClose,
    ConsoleRead,
    ConsoleSend,
    Guest,
)
from nodelib.errors import VirtnodeError
from tui.details import shorten
from tui.dialogue import Dialogue
from tui.texts import say
from tui.widgets.line import Line
from tui.widgets.terminal import Terminal

WAIT = 10.0
"""Seconds that the agent waits for more output before it says that there is none."""
PATIENCE = 30.0
PAUSE = 0.2
"""Seconds between two questions where the agent did not wait itself."""
LONGEST_NAME = 16


class GuestPane(Vertical):
    """Reads and sends until the person leaves; sends `Left` then."""

    DEFAULT_CSS = """
    GuestPane { height: 1fr; width: 1fr; }
    GuestPane > Line { height: 1; text-style: reverse; }
    """

    class Left(Message):
        """The person is done with the console."""

    def __init__(self, dialogue: Dialogue, guest: Guest, handle: str) -> None:
        super().__init__()
        self._dialogue = dialogue
        self._guest = guest
        self._handle = handle
        self._typed: asyncio.Queue[str] = asyncio.Queue()
        self._ended = False

    def compose(self) -> ComposeResult:
        """Lay it out: a line that says how to leave, and the terminal."""
        yield Line()
        yield Terminal()

    def on_mount(self) -> None:
        """Begin to send; what the machine says is read once the terminal knows its size."""
        self._reading = False
        self.run_worker(self._dialogue.run(self._send()), group="send")
        self.query_one(Terminal).focus()

    def on_terminal_typed(self, event: Terminal.Typed) -> None:
        """Send it, after what was typed before."""
        event.stop()
        if not self._ended:
            self._typed.put_nowait(event.text)

    def on_terminal_left(self, event: Terminal.Left) -> None:
        """Let the page close the pane."""
        event.stop()
        self.post_message(self.Left())

    def on_terminal_resized(self, event: Terminal.Resized) -> None:
        """Say which size the machine should be told."""
        event.stop()
        self._show_head()
        if not self._reading:
            self._reading = True
            self.run_worker(self._dialogue.run(self._read()), group="read")

    async def close(self) -> None:
        """Give the console back; that it is gone already is no failure."""
        if not self._ended:
            self._ended = True
            try:
                await self._dialogue.listen(CONSOLE_CLOSE, ConsoleClose(self._handle))
            except VirtnodeError:
                return

    async def _read(self) -> None:
        try:
            while not self._ended:
                output = await self._dialogue.listen(CONSOLE_READ, ConsoleRead(self._handle, WAIT), PATIENCE)
                if output.data:
                    self.query_one(Terminal).feed(base64.b64decode(output.data))
                elif not output.closed:
                    await asyncio.sleep(PAUSE)
                if output.closed:
                    self._end()
        except VirtnodeError:
            self._end()
            raise

    async def _send(self) -> None:
        while not self._ended:
            text = await self._typed.get()
            while not self._typed.empty():
                text += self._typed.get_nowait()
            await self._dialogue.listen(CONSOLE_SEND, ConsoleSend(self._handle, text))

    def _end(self) -> None:
        self._ended = True
        self._show_head()

    def _show_head(self) -> None:
        size = self.query_one(Terminal).size
        name = shorten(self._guest.name, LONGEST_NAME)
        key = "guests.pane_closed" if self._ended else "guests.pane"
        self.query_one(Line).show(say(key, name=name, columns=size.width, lines=size.height))
