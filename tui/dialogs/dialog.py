"""What every dialog is: a box with a title, a body and buttons, which Esc closes."""

from typing import Any, ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from tui.texts import say
from tui.widgets.footer import Footer, find_hints
from tui.widgets.line import Line
from tui.widgets.press import Press

T = TypeVar("T")


class Dialog(ModalScreen[T]):
    """A box over the screen; a subclass gives `body`, `buttons`, and says what each button means."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,ctrl+g,question_mark", "help", "frame.help", key_display="F1"),
        Binding("escape", "leave", "frame.back", key_display="Esc"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
        Binding("up", "scroll_body(-1)", show=False),
        Binding("down", "scroll_body(1)", show=False),
        Binding("pageup", "scroll_body(-10)", show=False),
        Binding("pagedown", "scroll_body(10)", show=False),
    ]
    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > .box {
        width: 76; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; padding: 0 1; background: $surface;
    }
    Dialog .box > .title { text-style: bold; margin-bottom: 1; }
    Dialog .body { height: auto; max-height: 16; }
    Dialog .body Line { height: auto; }
    Dialog .buttons { height: 1; margin-top: 1; align-horizontal: right; }
    """

    ENTER: ClassVar[str] = ""
    """The key of the text that says what Enter does in a field."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._heading = title
        self._given: tuple[T | None] | None = None
        """The answer that waits until nothing lies over this dialog."""

    def compose(self) -> ComposeResult:
        """Lay out title, body, buttons."""
        with Vertical(classes="box"):
            yield Line(self._heading, classes="title")
            with VerticalScroll(classes="body", can_focus=False):
                yield from self.body()
            with Horizontal(classes="buttons"):
                yield from self.buttons()
        yield Footer()

    def on_mount(self) -> None:
        """Show the keys that work where the focus is."""
        self.bindings_updated_signal.subscribe(self, self._show_keys)
        self._show_keys(self)

    def body(self) -> ComposeResult:
        """Give what stands between title and buttons."""
        yield from ()

    def buttons(self) -> ComposeResult:
        """Give the buttons, the one that does no harm first."""
        yield Press(say("dialog.close"), "close")

    def enter_does(self, field: Widget) -> str:
        """Tell what Enter does in a field, as the key of a text."""
        return self.ENTER

    def action_help(self) -> None:
        """Show the keys."""
        # The help is itself a dialog.
        from tui.dialogs.help import HelpDialog

        self.app.push_screen(HelpDialog())

    def action_scroll_body(self, lines: int) -> None:
        """Show more of a body that is longer than the screen."""
        self.query_one(".body").scroll_relative(y=lines, animate=False)

    def action_leave(self) -> None:
        """Close without an answer."""
        self.dismiss(None)

    def give(self, answer: T | None) -> None:
        """Close with an answer that no key gave: at once, or when what lies over it has gone."""
        self._given = (answer,)
        self.on_screen_resume()

    def on_screen_resume(self) -> None:
        """Be seen only while there is something to answer."""
        if self._given is not None and self.app.screen is self:
            (answer,), self._given = self._given, None
            self.dismiss(answer)

    def _show_keys(self, screen: Screen[Any]) -> None:
        for footer in self.query(Footer):
            footer.tell(find_hints(self))
