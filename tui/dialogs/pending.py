"""Counts down while an applied change waits: keep it, go back, or decide later."""

from collections.abc import Sequence

from textual.app import ComposeResult

from tui.dialogs.dialog import Dialog
from tui.texts import say
from tui.widgets.line import Line
from tui.widgets.press import Press


class PendingDialog(Dialog[str]):
    """Gives `keep`, `revert`, or None for later; the frame tells it the seconds and closes it at the end."""

    def __init__(self, ticket: str, changes: Sequence[str], seconds: int) -> None:
        super().__init__(say("dialog.pending"))
        self.ticket = ticket
        self._changes = changes
        self._seconds = seconds

    def body(self) -> ComposeResult:
        """Give the changes and the seconds that are left."""
        for change in self._changes:
            yield Line(f"- {change}", classes="change")
        yield Line(say("dialog.pending_text", seconds=self._seconds), id="seconds")

    def count(self, seconds: int) -> None:
        """Show how much time is left."""
        # The clock may tick before this is laid out.
        for line in self.query("#seconds").results(Line):
            line.show(say("dialog.pending_text", seconds=seconds))

    def buttons(self) -> ComposeResult:
        """Keep comes last, so that whoever presses Enter blindly has not lost the way in."""
        yield Press(say("dialog.later"), "later")
        yield Press(say("dialog.revert"), "revert")
        yield Press(say("dialog.keep"), "keep")

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Answer."""
        self.dismiss(None if event.name == "later" else event.name)
