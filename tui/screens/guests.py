"""The guests screen: virtual machines, what they take, start and stop, their serial consoles."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable

from nodelib.bus_guests import (
    CONSOLE_OPEN,
    GUEST_DO,
    GUESTS,
    ConsoleRequest,
    Guest,
    GuestDeed,
    GuestRequest,
    GuestsReply,
)
from nodelib.errors import VirtnodeError
from nodelib.link import Nothing
from tui.details import room_in, shorten, write_details
from tui.dialogs.choice import Choice
from tui.page import Page, deed
from tui.seen import Seen
from tui.texts import say, sentence
from tui.units import size
from tui.widgets.line import Line
from tui.widgets.press import Press
from tui.widgets.table import Table

COLUMNS = ("name", "state", "cpu", "memory")
SHORTEST_NAME = 12
RUNNING = ("running", "paused", "in shutdown", "blocked", "pmsuspended")
"""libvirt's words for what has a plug that can be pulled."""


class GuestsPage(Page):
    """A table of virtual machines, the details of the marked one; or a console in their place."""

    KEY = "guests"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "start", "guests.start"),
        Binding("h", "shutdown", "guests.shutdown"),
        Binding("o", "poweroff", "guests.poweroff"),
        Binding("c", "console", "guests.console"),
    ]
    DEFAULT_CSS = """
    GuestsPage #list { height: auto; }
    GuestsPage #guests { max-height: 13; margin-bottom: 1; }
    GuestsPage #guests.roomy { max-height: 28; }
    GuestsPage .row { height: 1; margin-top: 1; }
    """

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(id="list"):
            yield Table(*(say(f"guests.column_{name}") for name in COLUMNS), id="guests")
            yield Line(id="details")
            with Horizontal(classes="row"):
                for name in ("start", "shutdown", "poweroff", "console"):
                    yield Press(say(f"guests.{name}"), name)

    def on_mount(self) -> None:
        """Look again now and then, while the page is seen."""
        self._reply: GuestsReply | None = None
        self._console_of = ""
        self.query_one("#guests").set_class(self.app.size.height > 30, "roomy")
        self.set_interval(self.dialogue.look.meters_every, self._look_again)

    async def load(self) -> None:
        """Ask which virtual machines there are."""
        if self._console_of:
            self._focus_console()
            return
        self._reply = await self.ask(GUESTS, Nothing())
        self._draw()

    def see(self, seen: Seen) -> None:
        """Close the console when the node was locked: whoever comes next gives the password first."""
        if seen.locked and self._console_of:
            self.do(self._close_console())

    def on_resize(self) -> None:
        """Fit the names to the room."""
        self._draw()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the details of the machine that is marked."""
        event.stop()
        self._show_details()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Offer what can be done with the machine."""
        event.stop()
        self.do(self._offer())

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Do what the button says."""
        getattr(self, f"action_{event.name}")()

    def on_guest_pane_left(self) -> None:
        """Show the list again."""
        self.do(self._close_console())

    @deed
    async def action_start(self) -> None:
        """Start the marked machine."""
        await self._act("start")

    @deed
    async def action_shutdown(self) -> None:
        """Ask the marked machine to shut down."""
        await self._act("shutdown")

    @deed
    async def action_poweroff(self) -> None:
        """Pull the marked machine's plug, once that is confirmed."""
        await self._act("poweroff")

    @deed
    async def action_console(self) -> None:
        """Open the marked machine's serial console."""
        await self._act("console")

    async def _offer(self) -> None:
        guest = self._marked
        if guest is None:
            return
        names = ["start"]
        if guest.state in RUNNING:
            names = ["console"] if guest.console else []
            names += ["shutdown", "poweroff"]
        choices = [Choice(name, say(f"guests.choice_{name}")) for name in names]
        chosen = await self.dialogue.choose(guest.name, choices)
        if chosen is not None:
            await self._act(chosen)

    async def _act(self, name: str) -> None:
        guest = self._marked
        if self._console_of:
            self._focus_console()
        elif guest is None:
            await self.dialogue.tell(say("guests.nothing_chosen"))
        elif name == "console":
            await self._open_console(guest)
        elif await self._is_sure(name, guest):
            await self.ask(GUEST_DO, GuestRequest(guest.uuid, GuestDeed(name)))
            await self.load()
            if name == "shutdown":
                await self.dialogue.tell(say("guests.asked", name=guest.name))

    async def _is_sure(self, name: str, guest: Guest) -> bool:
        if name == "start":
            return True
        text = say("guests.poweroff_text") if name == "poweroff" else ""
        question = say(f"guests.{name}_question", name=guest.name)
        return await self.dialogue.confirm(question, text, yes=say(f"guests.{name}"))

    async def _open_console(self, guest: Guest) -> None:
        if not guest.console:
            text = say("guests.no_console", name=guest.name, state=guest.state)
            await self.dialogue.tell(text, say("guests.no_console_hint"))
            return
        reply = await self.ask(CONSOLE_OPEN, ConsoleRequest(guest.uuid))
        # The emulation is loaded when a console is opened first: most never are.
        from tui.guest_pane import GuestPane

        self._console_of = guest.uuid
        self.query_one("#list").display = False
        await self.mount(GuestPane(self.dialogue, guest, reply.handle))

    def _focus_console(self) -> None:
        for terminal in self.query("Terminal"):
            terminal.focus()

    async def _close_console(self) -> None:
        from tui.guest_pane import GuestPane

        self._console_of = ""
        for pane in self.query(GuestPane):
            await pane.close()
            await pane.remove()
        self.query_one("#list").display = True
        self.query_one(Table).focus()
        await self.load()

    def _look_again(self) -> None:
        if self.display and not self._console_of:
            self.run_worker(self._refresh(), group="look", exclusive=True)

    async def _refresh(self) -> None:
        try:
            self._reply = await self.dialogue.listen(GUESTS, Nothing())
        except VirtnodeError:
            return  # The frame's banner tells that the agent is away.
        self._draw()

    @property
    def _guests(self) -> dict[str, Guest]:
        return {guest.uuid: guest for guest in self._reply.guests} if self._reply is not None else {}

    @property
    def _marked(self) -> Guest | None:
        return self._guests.get(self.query_one(Table).chosen or "")

    def _draw(self) -> None:
        rows = {uuid: row_of(guest) for uuid, guest in self._guests.items()}
        names = [say(f"guests.column_{name}") for name in COLUMNS]
        several = [names, *rows.values()]
        others = sum(max(len(row[column]) for row in several) + 1 for column in range(1, len(names)))
        room = max(room_in(self) - others - 2, SHORTEST_NAME)
        fitted = {uuid: (shorten(row[0], room), *row[1:]) for uuid, row in rows.items()}
        self.query_one(Table).fill(fitted)
        self._show_details()

    def _show_details(self) -> None:
        if self._reply is None:
            return
        guest = self._marked
        details = details_of(guest) if guest is not None else []
        if self._reply.problem:
            details.append((say("guests.problem"), sentence(self._reply.problem)))
        text = write_details(details, room_in(self)) or say("guests.none")
        self.query_one("#details", Line).show(text)


def row_of(guest: Guest) -> tuple[str, ...]:
    """Write a virtual machine as a row."""
    busy = guest.state == "running"
    cpu = say(f"guests.cpu_{'busy' if busy else 'idle'}", count=guest.cpus, percent=round(guest.cpu_percent))
    return (guest.name, guest.state, cpu, size(guest.memory_bytes))


def details_of(guest: Guest) -> list[tuple[str, str]]:
    """List what does not fit into its row."""
    return [
        (say("guests.detail_name"), guest.name),
        (say("guests.detail_uuid"), guest.uuid),
        (say("guests.detail_state"), guest.state),
        (say("guests.detail_console"), say(f"guests.console_{'yes' if guest.console else 'no'}")),
    ]
