"""A question with yes and no, no being first."""

from textual.app import ComposeResult

from tui.dialogs.dialog import Dialog
from tui.texts import say
from tui.widgets.line import Line
from tui.widgets.press import Press


class ConfirmDialog(Dialog[bool]):
    """Asks one question."""

    def __init__(self, question: str, text: str = "", *, yes: str = "", no: str = "") -> None:
        super().__init__(question)
        self._text = text
        self._yes = yes or say("dialog.yes")
        self._no = no or say("dialog.no")

    def body(self) -> ComposeResult:
        """Give what there is to know before one answers."""
        for line in self._text.splitlines():
            yield Line(line)

    def buttons(self) -> ComposeResult:
        """No and yes."""
        yield Press(self._no, "no")
        yield Press(self._yes, "yes")

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Answer."""
        self.dismiss(event.name == "yes")
