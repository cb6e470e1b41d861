"""The frame: title bar, menu, the open page, footer; and what every key of it does."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.css.query import NoMatches
from textual.screen import Screen

from nodelib.bus import CONFIG_CONFIRM, CONFIG_REVERT, PendingChange, RevertRequest
from nodelib.errors import VirtnodeError
from nodelib.link import ConfirmRequest
from tui.dialogs.choice import Choice
from tui.dialogs.help import HelpDialog
from tui.dialogs.pending import PendingDialog
from tui.dialogue import Dialogue
from tui.frame_parts import Banner, Menu, TitleBar
from tui.login import LOGIN_WANTED, wants_login
from tui.page import Page
from tui.palette import Palette, frame_choice
from tui.power import ask_power
from tui.screen_table import SCREENS, digit, load_page, page_class
from tui.seen import Seen
from tui.texts import say
from tui.widgets.footer import Footer, find_hints, hint_of

PAGE_KEYS: list[BindingType] = [Binding(digit(key), f"open('{key}')", show=False) for key in SCREENS]

LOG_IN = "log_in"
"""The action that leaves for a login prompt."""


class Frame(Screen[None]):
    """The one screen under all dialogs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *PAGE_KEYS,
        Binding("f1,ctrl+g,question_mark", "help", "frame.help", key_display="F1"),
        Binding("f2,ctrl+o", "customise", "frame.customise", key_display="F2"),
        Binding("f12,ctrl+t", "power", "frame.power", key_display="F12"),
        Binding("escape", "back", "frame.back", key_display="Esc"),
        Binding("ctrl+p", "find", "frame.palette", key_display="^P"),
        Binding("pageup", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(1)", show=False),
        Binding("q", "quit_session", "frame.leave", key_display="q"),
    ]
    DEFAULT_CSS = """
    Frame { layout: vertical; }
    Frame > #middle { height: 1fr; }
    Frame #content { width: 1fr; height: 1fr; }
    """

    def __init__(self, dialogue: Dialogue, first: str, *, may_leave: bool) -> None:
        super().__init__()
        self._dialogue = dialogue
        self._first = first
        self._may_leave = may_leave
        self._seen = Seen()
        self._asked = ""
        """The ticket of the pending change that the person was asked about already."""
        self._decided = ""
        """The ticket of the one that was kept or put back here."""

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield TitleBar()
        yield Banner(id="trouble")
        yield Banner(id="pending")
        with Horizontal(id="middle"):
            yield Menu()
            yield Container(id="content")
        yield Footer()

    async def on_mount(self) -> None:
        """Open the first page."""
        self.bindings_updated_signal.subscribe(self, self._on_keys)
        await self.open_page(self._first)
        self.query_one(Menu).focus()

    @property
    def page(self) -> Page | None:
        """The page that is open."""
        return next((page for page in self.query(Page) if page.display), None)

    def take(self, seen: Seen, *, time_is_up: bool) -> None:
        """Show what is known of the node, here and on the open page; a pending change's time may be up."""
        before, self._seen = self._seen, seen
        try:
            self.query_one(TitleBar).take(seen)
        except NoMatches:
            return  # Not laid out yet: `open_page` tells the page.
        self.query_one("#trouble", Banner).take(seen)
        if self.page is not None:
            self.page.take(seen)
        pending = seen.status.pending
        if pending is None and before.status.pending is not None:
            self._end_pending(before.status.pending, time_is_up=time_is_up)
        elif pending is not None and pending.ticket not in (self._asked, self._decided):
            self._asked = pending.ticket
            self.run_worker(self._ask_pending(pending))
        if (pending is None) != (before.status.pending is None):
            for screen in self.app.screen_stack:
                screen.refresh_bindings()

    def take_busy(self, busy: bool) -> None:
        """Show that a call is under way."""
        # A call may end while the screen is taken down.
        for bar in self.query(TitleBar):
            bar.take_busy(busy)

    def count_down(self, seconds: int) -> None:
        """Show how long a pending change waits, unless it is decided already."""
        if self._is_decided:
            return
        in_console = self.focused is not None and self.focused.check_consume_key("ctrl+d", None)
        # The clock may tick while the screen is not laid out yet, or is taken down.
        for banner in self.query("#pending").results(Banner):
            banner.tell(say("frame.pending_console" if in_console else "frame.pending", seconds=seconds))
        for screen in self.app.screen_stack:
            if isinstance(screen, PendingDialog) and screen.is_mounted:
                screen.count(seconds)

    @property
    def may_decide(self) -> bool:
        """A change waits, and no dialog asks about it."""
        asked = any(isinstance(screen, PendingDialog) for screen in self.app.screen_stack)
        return self._seen.status.pending is not None and not asked and not self._is_decided

    @property
    def _is_decided(self) -> bool:
        """The change that waits was decided here, and the node has not done it yet."""
        pending = self._seen.status.pending
        return pending is not None and pending.ticket == self._decided

    def decide(self) -> None:
        """Ask again about the change that waits."""
        if self._seen.status.pending is not None:
            self.run_worker(self._ask_pending(self._seen.status.pending))

    async def open_page(self, key: str) -> None:
        """Open a page; it is made when it is needed first, and keeps what was typed."""
        if self._seen.status.pending is None:
            self.query_one("#pending", Banner).tell("")
        found = self.query(f"#content > #{key}").results(Page)
        page = next(iter(found), None)
        if page is None:
            page = page_class(key)(self._dialogue)
            await self.query_one("#content").mount(page)
        for other in self.query(Page):
            other.display = other is page
        self.query_one(Menu).mark(key)
        page.open(self._seen)
        self._show_keys()

    async def on_menu_chosen(self, event: Menu.Chosen) -> None:
        """Open what was chosen, and go there."""
        await self.action_open(event.key)

    async def action_open(self, key: str) -> None:
        """Open a page and put the focus on its first part."""
        await self.open_page(key)
        page = self.page
        first = next((one for one in page.query("*") if one.focusable), None) if page else None
        (first or self.query_one(Menu)).focus()

    def action_scroll(self, direction: int) -> None:
        """Scroll the open page, wherever the focus is."""
        if self.page is not None and direction < 0:
            self.page.scroll_page_up(animate=False)
        elif self.page is not None:
            self.page.scroll_page_down(animate=False)

    def action_back(self) -> None:
        """Go to the menu."""
        self.query_one(Menu).focus()

    def action_help(self) -> None:
        """Show the keys."""
        title = say(f"{self.page.KEY}.title") if self.page is not None else ""
        hints = [hint_of(binding) for binding in self._page_keys if binding.description]
        self.app.push_screen(HelpDialog(title, hints))

    def action_customise(self) -> None:
        """Offer the screens with settings."""
        self.run_worker(self._customise())

    def action_power(self) -> None:
        """Offer to restart, switch off, go into maintenance."""
        self.run_worker(self._dialogue.run(self._power()))

    def action_log_in(self) -> None:
        """Leave for a login prompt."""
        self.run_worker(self._dialogue.run(self._log_in()))

    def action_find(self) -> None:
        """Find any action by its name."""
        self.run_worker(self._find())

    def action_quit_session(self) -> None:
        """End the session."""
        self.app.exit()

    async def on_key(self, event: events.Key) -> None:
        """Let the open page's keys work wherever the focus is; a field has taken what was typed before."""
        page = self.page
        binding = page.key_table.get(event.key) if page is not None else None
        if page is not None and binding is not None:
            event.stop()
            event.prevent_default()
            await self.app.run_action(binding.action, page)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leaving is for sessions that somebody opened, a login prompt for lines that are always on."""
        if action == "quit_session":
            return self._may_leave
        return action != LOG_IN or self._dialogue.look.may_log_in

    async def _customise(self) -> None:
        keys = [key for key in SCREENS if (await load_page(key)).SETTINGS]
        choices = [*(Choice(key, say(f"{key}.title")) for key in keys), *self._login_choice()]
        chosen = await self._dialogue.choose(say("dialog.customise"), choices)
        if chosen == LOG_IN:
            self.action_log_in()
        elif chosen is not None:
            await self.action_open(chosen)

    async def _power(self) -> None:
        if await ask_power(self._dialogue, self._login_choice()) == LOG_IN:
            await self._log_in()

    async def _log_in(self) -> None:
        if self._dialogue.look.may_log_in and await wants_login(self._dialogue):
            self.app.exit(return_code=LOGIN_WANTED)

    def _login_choice(self) -> list[Choice]:
        return [Choice(LOG_IN, say("frame.login"))] if self._dialogue.look.may_log_in else []

    async def _find(self) -> None:
        chosen = await self._dialogue.show(Palette(self._own_choices()))
        if chosen is None:
            return
        key, _, action = chosen.partition(" ")
        if key:
            await self.action_open(key)
        if action:
            await self.app.run_action(action, self.page if key and self.page else self)

    def _own_choices(self) -> list[Choice]:
        """Offer what the frame does, as far as it does it now."""
        choices = [frame_choice(*words) for words in OWN_ACTIONS]
        if self.may_decide:
            choices.append(frame_choice("app.decide", "frame.pending_decide", "^D"))
        if self._dialogue.look.may_log_in:
            choices.append(frame_choice(LOG_IN, "frame.login"))
        if self._may_leave:
            choices.append(frame_choice("quit_session", "frame.leave_session", "q"))
        return choices

    async def _ask_pending(self, pending: PendingChange) -> None:
        now = self._seen.status.pending
        if now is None or now.ticket != pending.ticket:
            return  # It ended while this waited for its turn.
        dialog = PendingDialog(pending.ticket, pending.changes, int(pending.seconds_left))
        answer = await self._dialogue.show(dialog)
        if answer is not None:
            await self._dialogue.run(self._answer_pending(pending.ticket, answer))

    async def _answer_pending(self, ticket: str, answer: str) -> None:
        self._decided = ticket
        under_way = say("frame.keeping" if answer == "keep" else "frame.reverting")
        self.query_one("#pending", Banner).tell(under_way)
        try:
            if answer == "keep":
                await self._dialogue.ask(CONFIG_CONFIRM, ConfirmRequest(ticket))
            else:
                await self._dialogue.ask(CONFIG_REVERT, RevertRequest(ticket))
        except VirtnodeError:
            self._decided = ""
            raise
        await self._dialogue.refresh()

    def _end_pending(self, pending: PendingChange, *, time_is_up: bool) -> None:
        """Take the dialog away, and let the page ask what is now: the change is kept or has gone back.

        What went back because nobody decided is said until a screen is opened.
        """
        # An answer that was on its way before the change began may come after the news of it.
        self._asked = ""
        went_back = time_is_up and pending.ticket != self._decided
        self.query_one("#pending", Banner).tell(say("frame.put_back") if went_back else "")
        for screen in self.app.screen_stack:
            if isinstance(screen, PendingDialog):
                screen.give(None)
        if self.page is not None:
            self.page.open(self._seen)

    def _on_keys(self, screen: Screen[object]) -> None:
        self._show_keys()

    def _show_keys(self) -> None:
        # Like the clock, the focus may move while the screen is taken down.
        for footer in self.query(Footer):
            footer.tell(find_hints(self, self._page_keys))

    @property
    def _page_keys(self) -> list[Binding]:
        """The keys of the open page, each once."""
        return list(dict.fromkeys(self.page.key_table.values())) if self.page is not None else []


OWN_ACTIONS = (
    ("help", "frame.help", "F1"),
    ("customise", "frame.customise", "F2"),
    ("power", "frame.power", "F12"),
    ("app.redraw", "frame.redraw", "^L"),
)
"""What the palette offers beside the pages and their actions: action, text, key."""
