"""A message that waits until it was read: what happened, and on a line of its own what to do."""

from textual.app import ComposeResult

from tui.dialogs.dialog import Dialog
from tui.texts import say, sentence
from tui.widgets.line import Line


class MessageDialog(Dialog[None]):
    """Says something."""

    def __init__(self, text: str, hint: str = "", *, title: str = "") -> None:
        super().__init__(title or say("frame.product"))
        self._text = text
        self._hint = hint

    def body(self) -> ComposeResult:
        """Give each line of the message as a sentence, then the hint."""
        for line in self._text.splitlines():
            yield Line(sentence(line), classes="message")
        if self._hint:
            yield Line(sentence(self._hint), classes="hint")

    def on_press_pressed(self) -> None:
        """Close."""
        self.dismiss(None)
