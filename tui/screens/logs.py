"""The logs screen: the journal of this boot, by unit and priority, followed and searched."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from nodelib.bus_support import JOURNAL, UNITS, JournalReply, JournalRequest
from nodelib.errors import VirtnodeError
from nodelib.link import Nothing
from tui.dialogs.choice import Choice
from tui.dialogs.entry import EntryDialog
from tui.dialogue import Dialogue
from tui.page import Page, deed
from tui.texts import say, sentence
from tui.widgets.line import Line
from tui.widgets.log_view import MOST, LogView

EVERYTHING = 7


class LogsPage(Page):
    """What is shown and found in a line or two, below it the journal."""

    KEY = "logs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "unit", "logs.unit"),
        Binding("p", "priority", "logs.priority"),
        Binding("f", "follow", "logs.follow"),
        Binding("slash", "search", "logs.search", key_display="/"),
        Binding("n", "step(-1)", "logs.older", show=False),
        Binding("N", "step(1)", "logs.newer", show=False),
    ]
    DEFAULT_CSS = """
    LogsPage { overflow: hidden; }
    """

    def __init__(self, dialogue: Dialogue) -> None:
        super().__init__(dialogue)
        self._unit = ""
        self._priority = EVERYTHING
        self._following = True
        self._cursor = ""
        self._search = ""
        self._trouble = ""
        self._polling = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(id="head", classes="heading")
        yield Line(id="note")
        yield LogView()

    def on_mount(self) -> None:
        """Begin to follow: every two seconds, on a serial line every ten."""
        self.set_interval(self.dialogue.look.meters_every, self.poll)

    async def load(self) -> None:
        """Read the journal, or what is new in it."""
        await self._read()

    def poll(self) -> None:
        """Look for more, if somebody sees it and wants it."""
        if self.display and self._following and not self._polling:
            self.run_worker(self._poll(), group="poll")

    @deed
    async def action_unit(self) -> None:
        """Choose whose lines are shown."""
        units = (await self.ask(UNITS, Nothing())).units
        choices = [Choice("", say("logs.units_all")), *(Choice(unit, unit) for unit in units)]
        chosen = await self.dialogue.choose(say("logs.unit_title"), choices, self._unit)
        if chosen is not None:
            self._unit = chosen
            await self._read_anew()

    @deed
    async def action_priority(self) -> None:
        """Choose how urgent a line must be."""
        choices = [Choice(str(level), up_to(level)) for level in range(EVERYTHING, -1, -1)]
        chosen = await self.dialogue.choose(say("logs.priority_title"), choices, str(self._priority))
        if chosen is not None:
            self._priority = int(chosen)
            await self._read_anew()

    @deed
    async def action_follow(self) -> None:
        """Follow from the end, or stop."""
        self._following = not self._following
        self._draw()
        if self._following:
            self.query_one(LogView).scroll_end(animate=False)
            await self._read()

    @deed
    async def action_search(self) -> None:
        """Find a text in what is shown."""
        dialog = EntryDialog(
            say("logs.search"),
            say("logs.search_field"),
            allowed=say("logs.search_allowed"),
            value=self._search,
        )
        text = await self.dialogue.show(dialog)
        if text is not None:
            self._search = text
            self.query_one(LogView).search(text)
            self._draw()

    def action_step(self, step: int) -> None:
        """Go to an older or a newer line that was found."""
        self.query_one(LogView).step(step)
        self._draw()

    async def _poll(self) -> None:
        self._polling = True
        try:
            await self._read(quiet=True)
            self._trouble = ""
        except VirtnodeError as error:
            # It is asked again and again: a dialog each time would shut the person out.
            self._trouble = sentence(error.message)
        finally:
            self._polling = False
        self._draw()

    async def _read_anew(self) -> None:
        self._cursor = ""
        await self._read()

    async def _read(self, *, quiet: bool = False) -> None:
        request = JournalRequest(self._unit, self._priority, MOST, self._cursor)
        if quiet:
            reply = await self.dialogue.listen(JOURNAL, request)
        else:
            reply = await self.ask(JOURNAL, request)
        if (request.unit, request.priority, request.cursor) == (self._unit, self._priority, self._cursor):
            self._take(reply)

    def _take(self, reply: JournalReply) -> None:
        view = self.query_one(LogView)
        if self._cursor:
            view.append(reply.entries)
        else:
            view.fill(reply.entries)
        self._cursor = reply.cursor or self._cursor
        self._draw()

    def _draw(self) -> None:
        """Say what is shown, what was found, what is wrong."""
        view = self.query_one(LogView)
        follows = say("logs.following" if self._following else "logs.stopped")
        shown = (self._unit or say("logs.units_all"), up_to(self._priority), follows)
        self.query_one("#head", Line).show("  ".join(shown))
        place, count = view.found
        notes = [self._trouble]
        if self._search:
            key = "logs.found" if count else "logs.not_found"
            notes.append(say(key, text=self._search, place=place, count=count))
        if not view.entries and not self._trouble:
            notes.append(say("logs.empty"))
        note = self.query_one("#note", Line)
        note.show("\n".join(filter(None, notes)))
        note.display = bool(note.text)


def up_to(level: int) -> str:
    """Say which lines a priority lets through."""
    if level == EVERYTHING:
        return say("logs.up_to_all")
    return say("logs.up_to", level=say(f"logs.level.{level}"))
