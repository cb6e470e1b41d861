"""Shows what a change of the configuration would do, before it is done."""

from collections.abc import Sequence

from textual.app import ComposeResult

from tui.dialogs.dialog import Dialog
from tui.texts import say
from tui.widgets.line import Line
from tui.widgets.press import Press


class PreviewDialog(Dialog[bool]):
    """Lists the changes."""

    def __init__(self, changes: Sequence[str], seconds: int) -> None:
        super().__init__(say("dialog.preview"))
        self._changes = changes
        self._seconds = seconds

    def body(self) -> ComposeResult:
        """Give one line a change."""
        for change in self._changes:
            yield Line(f"- {change}", classes="change")
        yield Line(say("dialog.preview_note", seconds=self._seconds), classes="hint")

    def buttons(self) -> ComposeResult:
        """Cancel and apply."""
        yield Press(say("dialog.cancel"), "no")
        yield Press(say("dialog.preview_apply"), "yes")

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Answer."""
        self.dismiss(event.name == "yes")
