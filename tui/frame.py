"""The frame: title bar, menu, the open page, footer; and what every key of it does."""

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Container, Horizontal
from textual.css.query import NoMatches
from textual.screen import Screen

from nodelib.bus import CONFIG_CONFIRM, CONFIG_REVERT, PendingChange, RevertRequest
from nodelib.link import ConfirmRequest
from tui.dialogs.choice import Choice
from tui.dialogs.message import MessageDialog
from tui.dialogs.pending import PendingDialog
from tui.dialogue import Dialogue
from tui.frame_parts import Banner, Footer, Menu, TitleBar
from tui.login import LOGIN_WANTED, wants_login
from tui.page import Page
from tui.power import ask_power
from tui.screen_table import SCREENS, digit, page_class
from tui.seen import Seen
from tui.texts import say

PAGE_KEYS: list[BindingType] = [Binding(digit(key), f"digit('{key}')", show=False) for key in SCREENS]

LOG_IN = "log_in"
"""The action that leaves for a login prompt."""
AFTER_ESC = {"1": "help", "2": "customise", "0": "power"}
"""What a digit means at once after Esc: function keys get lost on many serial lines."""
ESC_SECONDS = 1.0


class Frame(Screen[None]):
    """The one screen under all dialogs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *PAGE_KEYS,
        # Textual takes Esc and a digit in one go for what the Option key of one maker's keyboards types.
        Binding(
            "f1,ctrl+g,question_mark,alt+1,inverted_exclamation_mark", "help", "frame.help", key_display="F1"
        ),
        Binding("f2,ctrl+o,alt+2,trade_mark_sign", "customise", "frame.customise", key_display="F2"),
        Binding("f12,ctrl+t,alt+0,º", "power", "frame.power", key_display="F12"),
        Binding("escape", "back", "frame.back", key_display="Esc"),
        Binding("ctrl+p", "find", "frame.palette", key_display="^P"),
        Binding("pageup", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(1)", show=False),
        Binding("ctrl+d", "decide", "frame.pending_decide", show=False),
        Binding("q", "quit_session", "frame.leave", key_display="q"),
    ]
    DEFAULT_CSS = """
    Frame { layout: vertical; }
    Frame > #middle { height: 1fr; }
    Frame #content { width: 1fr; height: 1fr; }
    """

    def __init__(
        self, dialogue: Dialogue, first: str, clock: Callable[[], float], *, may_leave: bool
    ) -> None:
        super().__init__()
        self._dialogue = dialogue
        self._first = first
        self._clock = clock
        self._escaped = -ESC_SECONDS
        self._may_leave = may_leave
        self._seen = Seen()
        self._asked = ""
        """The ticket of the pending change that the person was asked about already."""

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

    def take(self, seen: Seen) -> None:
        """Show what is known of the node, here and on the open page."""
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
            self._end_pending()
        elif pending is not None and pending.ticket != self._asked:
            self._asked = pending.ticket
            self.run_worker(self._ask_pending(pending))

    def take_busy(self, busy: bool) -> None:
        """Show that a call is under way."""
        self.query_one(TitleBar).take_busy(busy)

    def count_down(self, seconds: int) -> None:
        """Show how long a pending change waits."""
        self.query_one("#pending", Banner).tell(say("frame.pending", seconds=seconds))
        for screen in self.app.screen_stack:
            if isinstance(screen, PendingDialog) and screen.is_mounted:
                screen.count(seconds)

    async def open_page(self, key: str) -> None:
        """Open a page; it is made when it is needed first, and keeps what was typed."""
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

    async def action_digit(self, key: str) -> None:
        """Open a page by its digit; at once after Esc some digits are function keys."""
        action = AFTER_ESC.get(digit(key))
        if action is not None and self._clock() - self._escaped < ESC_SECONDS:
            self._escaped = -ESC_SECONDS
            await self.run_action(action)
        else:
            await self.action_open(key)

    def action_back(self) -> None:
        """Go to the menu."""
        self._escaped = self._clock()
        self.query_one(Menu).focus()

    def action_help(self) -> None:
        """Show the keys."""
        self.app.push_screen(MessageDialog(say("help.keys"), title=say("help.title")))

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

    def action_decide(self) -> None:
        """Ask again about the pending change."""
        if self._seen.status.pending is not None:
            self.run_worker(self._ask_pending(self._seen.status.pending))

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
        keys = [key for key in SCREENS if page_class(key).SETTINGS]
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
        choices = []
        for key in SCREENS:
            title = say(f"{key}.title")
            choices.append(Choice(key, say("frame.open_page", title=title)))
            for binding in page_class(key).BINDINGS:
                if isinstance(binding, Binding) and binding.description:
                    text = f"{title}: {say(binding.description)}"
                    choices.append(Choice(f"{key} {binding.action}", text))
        choices += [Choice(f" {action}", say(text)) for action, text in GLOBAL_ACTIONS.items()]
        choices += [Choice(f" {choice.value}", choice.text) for choice in self._login_choice()]
        chosen = await self._dialogue.choose(say("dialog.palette"), choices)
        if chosen is None:
            return
        key, _, action = chosen.partition(" ")
        if key:
            await self.action_open(key)
        if action:
            await self.app.run_action(action, self.page if key and self.page else self)

    async def _ask_pending(self, pending: PendingChange) -> None:
        dialog = PendingDialog(pending.ticket, pending.changes, int(pending.seconds_left))
        answer = await self._dialogue.show(dialog)
        if answer is not None:
            await self._dialogue.run(self._answer_pending(pending.ticket, answer))

    async def _answer_pending(self, ticket: str, answer: str) -> None:
        if answer == "keep":
            await self._dialogue.ask(CONFIG_CONFIRM, ConfirmRequest(ticket))
        else:
            await self._dialogue.ask(CONFIG_REVERT, RevertRequest(ticket))
        await self._dialogue.refresh()

    def _end_pending(self) -> None:
        """Take the dialog away, and let the page ask what is now: the change is kept or has gone back."""
        self.query_one("#pending", Banner).tell("")
        for screen in self.app.screen_stack:
            if isinstance(screen, PendingDialog):
                screen.dismiss(None)
        if self.page is not None:
            self.page.open(self._seen)

    def _on_keys(self, screen: Screen[object]) -> None:
        self._show_keys()

    def _show_keys(self) -> None:
        page_keys = list(self.page.key_table.values()) if self.page is not None else []
        self.query_one(Footer).tell(shown_keys(page_keys, self.active_bindings))


GLOBAL_ACTIONS = {
    "help": "frame.help",
    "customise": "frame.customise",
    "power": "frame.power",
    "app.redraw": "frame.redraw",
}
"""What the palette offers beside the pages and their actions."""


def shown_keys(page_keys: list[Binding], active: dict[str, ActiveBinding]) -> list[tuple[str, str]]:
    """List the keys that a footer shows, each action once: help, the page's, then the rest."""
    shown: dict[str, tuple[str, str]] = {"help": ("F1", say("frame.help"))}
    others = [binding for _, binding, enabled, _ in active.values() if enabled]
    for binding in (*page_keys, *others):
        if binding.show and binding.description:
            key = binding.key_display or binding.key.split(",")[0]
            shown.setdefault(binding.action, (key, say(binding.description)))
    return list(shown.values())
