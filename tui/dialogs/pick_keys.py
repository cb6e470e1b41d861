"""Shows the keys that were found somewhere, and lets those be marked that may log in."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.widgets import OptionList

from tui.dialogs.dialog import Dialog
from tui.texts import say
from tui.widgets.key_list import KeyList
from tui.widgets.line import Line
from tui.widgets.press import Press


class PickKeysDialog(Dialog[tuple[str, ...]]):
    """Gives the lines that were marked."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(say("security.pick_title"))
        self._lines = tuple(lines)
        self._list = KeyList(marks=True)

    def body(self) -> ComposeResult:
        """Say what to compare, and list the keys."""
        yield Line(say("security.pick_text"))
        yield Line()
        yield self._list
        yield Line(id="problem", classes="error")

    def on_mount(self) -> None:
        """Show them; the only one there is marked already."""
        if len(self._lines) == 1:
            self._list.marked = frozenset(self._lines)
        self._list.fill(self._lines)
        self._list.focus()

    def buttons(self) -> ComposeResult:
        """Cancel and add."""
        yield Press(say("dialog.cancel"), "no")
        yield Press(say("security.pick_add"), "yes")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Mark a key, or take its mark away."""
        self._list.toggle(self._lines[event.option_index])
        self.query_one("#problem", Line).show("")

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Give up, or answer."""
        marked = tuple(line for line in self._lines if line in self._list.marked)
        if event.name == "no":
            self.dismiss(None)
        elif marked:
            self.dismiss(marked)
        else:
            self.query_one("#problem", Line).show(say("security.pick_none"))
