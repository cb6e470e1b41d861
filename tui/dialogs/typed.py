"""A question before what cannot be taken back: a word must be typed."""

from textual.app import ComposeResult
from textual.widgets import Input

from tui.dialogs.dialog import Dialog
from tui.texts import say
from tui.widgets.fields import TextField
from tui.widgets.line import Line
from tui.widgets.press import Press


class TypedDialog(Dialog[bool]):
    """Asks for a word."""

    ENTER = "dialog.ok"

    def __init__(self, question: str, text: str, word: str) -> None:
        super().__init__(question)
        self._text = text
        self._word = word

    def body(self) -> ComposeResult:
        """Give what there is to know, and the field."""
        for line in self._text.splitlines():
            yield Line(line)
        yield TextField("typed", say("dialog.typed_field"), allowed=say("dialog.typed", word=self._word))

    def buttons(self) -> ComposeResult:
        """Cancel and go on."""
        yield Press(say("dialog.cancel"), "no")
        yield Press(say("dialog.ok"), "yes")

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Give up, or go on if the word is right."""
        if event.name == "no":
            self.dismiss(False)
        else:
            self._judge()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the field is OK."""
        event.stop()
        self._judge()

    def _judge(self) -> None:
        field = self.query_one(TextField)
        if field.value.strip() == self._word:
            self.dismiss(True)
        else:
            field.show_error(say("dialog.typed_wrong", word=self._word))
