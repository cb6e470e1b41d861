"""The application: holds the node's client, keeps what is known fresh, locks itself, redraws."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from rich.color import ColorSystem
from rich.console import RenderableType
from textual import events
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.worker import get_current_worker

from nodelib.bus import Status
from nodelib.bus_access import LOCK
from nodelib.link import Nothing
from tui.client import NodeClient, Signal
from tui.dialogue import Dialogue
from tui.differences import Picture
from tui.drawing import AsciiScrollBar, PlainFilter
from tui.escape import know_digits
from tui.frame import Frame
from tui.look import Look
from tui.seen import Seen
from tui.texts import say
from tui.type_ahead import TypeAhead
from tui.watch import Watch

logger = logging.getLogger(__name__)

R = TypeVar("R")

CALM = 60.0
"""Seconds without a key after which nobody is taken to sit there."""
SELDOM = 10.0
"""Seconds between two looks at the meters then."""
NEARLY_SECONDS = 2.0
"""The agent's clock and this one's tick of their own: a change that ends so late has gone back by itself."""


class ConsoleApp(App[None], inherit_bindings=False):
    """virtnode-console."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+l", "redraw", "frame.redraw", show=False, priority=True),
        Binding("ctrl+d", "decide", "frame.pending_decide", key_display="^D", priority=True),
        # First of all: on a slow machine what is typed after Tab is there before a field has seen it.
        Binding("tab", "focus_next", show=False, priority=True),
        Binding("shift+tab", "focus_previous", show=False, priority=True),
    ]
    CSS = """
    Page, .body, OptionList, DataTable { scrollbar-size: 1 1; }
    .ascii .box { border: ascii $primary; }
    .ascii Menu { border-right: ascii $primary; }
    .mono TitleBar, .mono Footer { text-style: reverse; }
    .mono Banner { text-style: bold reverse; }
    .mono DataTable > .datatable--cursor { text-style: reverse; }
    .mono DataTable > .datatable--header { text-style: bold underline; }
    """
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        client: NodeClient,
        look: Look,
        *,
        first: str = "status",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        know_digits()
        self.look = look
        self.animation_level = "none"
        self.title = "virtnode"
        self._clock = clock
        self._last_key = clock()
        self.node_watch = Watch(client, self.meters_pause, self._on_news)
        self.dialogue = Dialogue(self, client, self.node_watch, look, self._on_busy)
        self._client = client
        self._pending_until = 0.0
        self._status = Status()
        """The last one that was heard."""
        self._frame = Frame(self.dialogue, first, may_leave=look.may_leave)
        self._picture = Picture()
        self.type_ahead = TypeAhead(self, super().on_event)
        self._filters_of_look: list[LineFilter] = []
        if look.ascii or look.monochrome:
            self._filters_of_look = [PlainFilter(ascii=look.ascii, monochrome=look.monochrome)]
        ScrollBar.renderer = AsciiScrollBar if self._filters_of_look else ScrollBarRender

    def meters_pause(self) -> float:
        """Tell how many seconds to wait before the next look at the meters."""
        every = self.look.meters_every
        return max(every, SELDOM) if self._clock() - self._last_key >= CALM else every

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Tell what goes over each line before it is drawn."""
        return self._filters_of_look

    def get_default_screen(self) -> Frame:
        """Begin with the frame."""
        return self._frame

    async def on_mount(self) -> None:
        """Begin to watch the node."""
        self.set_class(self.look.monochrome, "mono")
        self.set_class(self.look.ascii, "ascii")
        self._client.subscribe(self._hear)
        self.run_worker(self.type_ahead.pass_on_forever(), group="keys")
        self.run_worker(self.node_watch.keep_status(), group="watch")
        self.run_worker(self.node_watch.keep_meters(), group="watch")
        self.set_interval(1.0, self._each_second)

    async def on_event(self, event: events.Event) -> None:
        """Note when a key was pressed last, whoever takes it; and let it wait for its turn."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self._last_key = self._clock()
            self.type_ahead.take(event)
        else:
            await super().on_event(event)

    async def push_screen_wait(self, screen: Screen[R] | str, *, mode: str | None = None) -> Any:  # noqa: ANN401 - as Textual has it
        """Show a dialog and wait for what it gives; what is typed meanwhile goes to it."""
        if isinstance(screen, str):
            return await super().push_screen_wait(screen, mode=mode)
        with self.type_ahead.asking(get_current_worker(), screen):
            return await super().push_screen_wait(screen, mode=mode)

    def _set_pointer_shape(self, shape: str) -> None:
        """Say nothing of it: a plain terminal shows the sequence as text."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Ctrl-D to a field while there is nothing to decide."""
        return self._frame.may_decide if action == "decide" else super().check_action(action, parameters)

    def action_decide(self) -> None:
        """Ask about the change that waits."""
        self._frame.decide()

    def action_redraw(self) -> None:
        """Draw everything anew: what other programs wrote over the screen goes."""
        self._picture.forget()
        self.screen.refresh(layout=True)
        for widget in self.screen.walk_children():
            widget.refresh()

    def _fatal_error(self) -> None:
        """End after a mistake of the program: Textual would show local variables, passwords among them."""
        logger.critical("the console failed", exc_info=True)
        self._exit_renderables.append(say("frame.failed"))
        self._close_messages_no_wait()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Send a terminal that can do little only the cells that differ; Textual sends whole widgets."""
        frugal = self.look.ascii and not self.is_headless and isinstance(renderable, CompositorUpdate)
        if not frugal:
            super()._display(screen, renderable)
        elif self._running and not self._closed and not self._batch_count and self._driver is not None:
            colours = self.console._color_system or ColorSystem.STANDARD
            strips = screen._compositor.render_strips()
            text = self._picture.change(strips, screen.size.width, colours)
            if text:
                self._driver.write(text)
                self._driver.flush()

    def _hear(self, signal: Signal) -> None:
        """Take a signal from whatever thread it arrives in."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.node_watch.hear, signal)

    def _on_news(self, seen: Seen) -> None:
        time_is_up = 0.0 < self._pending_until <= self._clock() + NEARLY_SECONDS
        if seen.status is not self._status:
            # Other news bring the status that was known before, and with it the seconds of then.
            self._status, pending = seen.status, seen.status.pending
            self._pending_until = self._clock() + pending.seconds_left if pending else 0.0
        self._frame.take(seen, time_is_up=time_is_up)

    def _on_busy(self, waiting: int) -> None:
        self._frame.take_busy(waiting > 0)

    def _each_second(self) -> None:
        """Count down where something is pending; lock after idle time. Else nothing is drawn."""
        if self._pending_until:
            left = max(int(self._pending_until - self._clock()), 0)
            if not self.look.slow or left <= 10 or left % 5 == 0:
                self._frame.count_down(left)
        access = self.node_watch.seen.access
        idle = self._clock() - self._last_key
        if access.password_set and access.unlocked and 0 < access.idle_lock <= idle:
            self._last_key = self._clock()
            self.run_worker(self.dialogue.run(self._lock()))

    async def _lock(self) -> None:
        await self.dialogue.ask(LOCK, Nothing())
        await self.node_watch.refresh()
