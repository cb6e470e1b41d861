"""Asks for one line of text, and says at once what is wrong with it."""

from collections.abc import Callable

from textual.app import ComposeResult
from textual.widgets import Input

from tui.dialogs.dialog import Dialog
from tui.texts import say
from tui.widgets.fields import TextField
from tui.widgets.line import Line
from tui.widgets.press import Press


class EntryDialog(Dialog[str]):
    """Gives what was typed. `judge` says what is wrong with it, or nothing."""

    ENTER = "dialog.ok"

    def __init__(
        self,
        title: str,
        label: str,
        *,
        text: str = "",
        allowed: str = "",
        value: str = "",
        judge: Callable[[str], str] = lambda value: "",
    ) -> None:
        super().__init__(title)
        self._text = text
        self._field = TextField("entry", label, value, allowed=allowed)
        self._judge = judge

    def body(self) -> ComposeResult:
        """Give what there is to know, and the field."""
        for line in self._text.splitlines():
            yield Line(line)
        yield self._field

    def buttons(self) -> ComposeResult:
        """Cancel and OK."""
        yield Press(say("dialog.cancel"), "no")
        yield Press(say("dialog.ok"), "yes")

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Give up, or answer."""
        if event.name == "no":
            self.dismiss(None)
        else:
            self._answer()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the field is OK."""
        event.stop()
        self._answer()

    def _answer(self) -> None:
        value = self._field.value.strip()
        problem = self._judge(value)
        if problem:
            self._field.show_error(problem)
        else:
            self.dismiss(value)
