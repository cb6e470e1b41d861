"""The help: every key and what it does."""

from collections.abc import Sequence

from textual.app import ComposeResult

from tui.dialogs.dialog import Dialog
from tui.texts import say
from tui.widgets.footer import Hint, wrap_hints
from tui.widgets.line import Line

WIDTH = 70
"""Columns of text in a dialog, beside its border, padding and scroll bar."""


class HelpDialog(Dialog[None]):
    """Lists the keys of a screen in as few lines as they take, then those of the console, a line each."""

    def __init__(self, title: str = "", hints: Sequence[Hint] = ()) -> None:
        super().__init__(say("help.title"))
        self._of = title
        self._hints = hints

    def body(self) -> ComposeResult:
        """Give each line as the catalogue has it: a key's name is no word to begin a sentence with."""
        if self._hints:
            yield Line(self._of, classes="heading")
            for line in wrap_hints(self._hints, WIDTH):
                yield Line(line)
            yield Line(say("help.everywhere"), classes="heading")
        for line in say("help.keys").splitlines():
            yield Line(line)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show no help over the help."""
        return action != "help"

    def on_press_pressed(self) -> None:
        """Close."""
        self.dismiss(None)
